"""Find the cameras that are connected to this PC. Real cameras are found by their USB vendor and product numbers.
Virtual cameras are found in the list that `register.py` keeps."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from serial.tools import list_ports

from blazeposer.core import boards
from blazeposer.core.errors import PortError
from blazeposer.openmv import register

UNTIL_RESET = 3.0
"""Longest time, in seconds, to wait until a camera begins its reset. mpremote 1.29 ends 0.1 s before the camera begins
its reset (`reset` in mpremote/main.py)."""
_LOOK = 0.01


class LostError(PortError):
    """Error for a connection that was lost while mpremote ran."""


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


def reset(port: Port, ask: Callable[[], object], patience: float) -> Port:
    """Reset a camera, wait until the camera is back, and return its port. The function `ask` sends the command for the
    reset. If the PC cannot see whether the camera is gone, return as soon as `ask` returns. Raises PortError."""
    before, lost = _seen(port), None
    try:
        ask()
    except LostError as error:  # on a busy PC, the camera resets before mpremote has closed the port
        lost = error
    began = time.monotonic()
    while before and _seen(port) == before and time.monotonic() < began + UNTIL_RESET:
        time.sleep(_LOOK)
    if lost and _seen(port) == before:
        raise lost
    while before and not _seen(port):
        if time.monotonic() > began + patience:
            raise PortError(f"the camera at {port.device} did not restart: unplug it, and plug it in again")
        time.sleep(_LOOK)
    return again(port) or port


def _seen(port: Port) -> tuple[object, ...]:
    """Return values that change when a camera leaves the PC and comes back. The values are empty if the PC does not see
    the camera."""
    if (found := again(port)) is None:
        return ()
    try:
        about = os.lstat(found.device)
    except OSError:  # the port is not a file, for example on Windows
        return (found.device,) if port.serial else ()
    return found.device, about.st_ino, about.st_ctime_ns
