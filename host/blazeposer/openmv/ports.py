"""Find the cameras that are connected to this PC. Real cameras are found by their USB vendor and product numbers.
Virtual cameras are found in the list that `register.py` keeps."""

import time
from dataclasses import dataclass, field

from serial.tools import list_ports

from blazeposer.core import boards
from blazeposer.core.errors import PortError
from blazeposer.openmv import register

UNTIL_RESET = 3.0
"""Longest time, in seconds, to wait until a camera begins its reset. mpremote 1.29 ends 0.1 s before the camera begins
its reset (`reset` in mpremote/main.py)."""
_LOOK = 0.01


@dataclass(frozen=True)
class Port:
    """The serial port of a camera. Its name may change at a reset, but the camera's serial number does not change."""

    device: str
    """Name for mpremote and pyserial."""
    serial: str = ""
    """USB serial number, or "" if the number is not known, for example at an `rfc2217://` port."""
    virtual: bool = False
    board: str = field(default="", compare=False)
    """Name of the board, or the names of all boards that share the camera's USB numbers."""


def cameras() -> list[Port]:
    known = {boards.OLD_USB_ID} | {usb_id for board in boards.BOARDS for usb_id in board.usb_ids}
    found = [
        Port(port.device, port.serial_number or "", board=_named((port.vid, port.pid)))
        for port in sorted(list_ports.comports())
        if (port.vid, port.pid) in known
    ]
    return found + [
        Port(entry.port, serial, virtual=True, board=f"virtual {entry.board}".rstrip())
        for serial, entry in register.running().items()
    ]


def _named(usb_id: tuple[int, int]) -> str:
    return " or ".join(board.name for board in boards.BOARDS if usb_id in board.usb_ids) or "OpenMV camera"


def find(device: str | None = None) -> Port:
    """Return the port `device`. If `device` is None, return the port of the only connected camera. Raises PortError if
    `device` is None and no camera or several cameras are connected."""
    found = cameras()
    if device:
        return next((port for port in found if port.device == device), Port(device))
    if not found:
        raise PortError(
            "no OpenMV camera found: plug it in, or name its port with --port (`mpremote devs` lists the ports)"
        )
    if len(found) > 1:
        names = ", ".join(f"{port.device}: {port.board}" for port in found)
        raise PortError(f"there are {len(found)} cameras ({names}): choose one with --port")
    return found[0]


def again(port: Port) -> Port | None:
    """Return the port of a camera after a reset, or None if the camera has not appeared yet. `port` is the camera's
    port before the reset. The returned port may have a new name."""
    if not port.serial:
        return port
    return next((other for other in cameras() if other.serial == port.serial), None)


def after_reset(port: Port, patience: float) -> Port:
    """Wait until a camera that was asked to reset is back, and return its port. Raises PortError if the camera is not
    back after `patience` seconds. If the camera's serial number is not known, return `port` at once."""
    began = time.monotonic()
    while port.serial and again(port) and time.monotonic() < began + UNTIL_RESET:
        time.sleep(_LOOK)
    while not (found := again(port)):
        if time.monotonic() > began + patience:
            raise PortError(f"the camera at {port.device} did not restart: unplug it, and plug it in again")
        time.sleep(_LOOK)
    return found
