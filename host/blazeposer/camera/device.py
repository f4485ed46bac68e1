"""Describe a virtual camera's hardware: its board, serial number, drives and ROMFS (the file system for models)."""

import os
import secrets
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blazeposer.core.boards import Board
from blazeposer.core.errors import BlazePoserError
from blazeposer.openmv import flash, romfs

CARD_SIZE = 64 * 1024 * 1024
PACE = 1.0
"""Factor for the time in which flash is erased. Tests use a factor below 1."""
WRITTEN = 1000
"""Largest number of entries in `Device.written`. The number is limited because images for a screen are large."""


@dataclass(frozen=True)
class Device:
    """A virtual camera's hardware."""

    folder: Path
    """Folder of the camera's files on the PC. The folders `flash` and `sdcard` inside it are the camera's drives."""
    board: Board
    serial: str
    """Serial number in hexadecimal digits, for USB and for `machine.unique_id()`."""
    version: str
    """Version of the firmware."""
    gray: bool
    """True if the sensor has no colour."""
    card: bool
    """True if an SD card is inserted."""
    written: deque[tuple[str, Any]] = field(default_factory=lambda: deque(maxlen=WRITTEN))
    """The latest values that scripts wrote to pins, buses, a screen and files, in order. Each entry is (target, value).

    - For "LED_RED", "P7" and other pins, the value is a level (0 or 1). For a pin with PWM, the value is [frequency in
      Hz, pulse in ns].
    - For "UART3", the value is text.
    - For "ROMFS", the value is ["erase" or "write", offset, number of bytes].
    - For "USB HID", the value is the bytes of a report.
    - For "display", the value is the image on the screen. The shape is (h, w, 3), uint8 RGB.
    - For "file", the value is [path, size in bytes].
    """

    listeners: list[Callable[[str, Any], None]] = field(default_factory=list)
    """Functions that are called with each entry of `written`."""

    def write(self, to: str, value: Any) -> None:
        self.written.append((to, value))
        for listener in self.listeners:
            listener(to, value)

    @property
    def drives(self) -> dict[str, int]:
        """Return the size of each drive in bytes, in the order in which the firmware mounts the drives."""
        return {"flash": self.board.flash} | ({"sdcard": CARD_SIZE} if self.card else {})

    @property
    def rom(self) -> Path:
        """Return the file that holds the bytes of the ROMFS partition."""
        return self.folder / "rom.img"

    @property
    def flash(self) -> dict[str, Any]:
        """Return the properties of the flash memory that holds /rom, for `shims/_vfs.py`."""
        kind = flash.of(self.board)
        return {
            "kind": kind.kind,
            "block": kind.block,
            "erase": kind.erase_ms / 1000 * PACE,
            "longest": kind.longest_erase,
            "tail": flash.TAIL if kind.keeps_tail else 0,
            "ranges": flash.erases_ranges(self.version),
        }

    def path(self, path: str) -> Path:
        """Convert a path on the virtual camera into a path on this PC. Raises BlazePoserError if the path on the PC is
        outside of the camera's folder."""
        found = (self.folder / path.lstrip("/")).resolve()
        if not found.is_relative_to(self.folder.resolve()):
            raise BlazePoserError(f"{path}: there is no such file on the camera")
        return found

    def listen(self, name: str) -> tuple[socket.socket, str]:
        """Open a socket for MicroPython, and return the socket and its address. The address is a file name in the
        camera's folder, because the camera's folder is MicroPython's working directory."""
        address = f"{name}-{secrets.token_hex(4)}"
        folder = os.open(self.folder, os.O_PATH)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"/proc/self/fd/{folder}/{address}")  # the folder's own path may be too long for a socket
        os.close(folder)
        listener.listen()
        return listener, address

    def format(self) -> None:
        """Create the drives and an empty ROMFS. As the firmware's _boot.py does, create the file .openmv_disk on the
        last drive in `drives`."""
        for name in self.drives:
            (self.folder / name).mkdir()
        (self.folder / list(self.drives)[-1] / ".openmv_disk").touch()
        self.burn(romfs.pack({}, self.board.romfs_align))

    def burn(self, image: bytes, behind: bytes = b"") -> None:
        """Write a ROMFS image, and after it the bytes `behind`, which imitate old data. The rest of the
        partition is erased."""
        self.rom.write_bytes((image + behind).ljust(self.board.romfs, b"\xff"))
