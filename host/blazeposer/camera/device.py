"""Describe a virtual camera's hardware: its board, serial number, drives and ROMFS."""

from __future__ import annotations

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
"""Factor for the time in which flash is erased. With the factor 1, erasing takes as long as on the real board. Tests
use a smaller factor."""
WRITTEN = 1000
"""Largest number of entries in `Device.written`. The number is limited because images for a screen are large."""


@dataclass(frozen=True)
class Device:
    """A virtual camera's hardware. `folder` holds the camera's files. In this folder, `flash` and `sdcard` are folders,
    and `rom.img` is a file with the bytes of the ROMFS partition."""

    folder: Path
    board: Board
    serial: str
    """The serial number in hexadecimal digits, for USB and for `machine.unique_id()`."""
    version: str
    """Version of the firmware."""
    gray: bool
    """True if the sensor has no colour."""
    card: bool
    """True if an SD card is inserted."""
    written: deque[tuple[str, Any]] = field(default_factory=lambda: deque(maxlen=WRITTEN), compare=False)
    """The latest values that scripts wrote to pins, buses and a screen, in order. Each entry is (target, value).

    - For "LED_RED", "P7" and other pins, the value is a level (0 or 1). For a pin with PWM, the value is [frequency in
      Hz, pulse in ns].
    - For "UART3", the value is text.
    - For "ROMFS", the value is ["erase" or "write", offset, bytes].
    - For "USB HID", the value is the bytes of a report.
    - For "display", the value is the image (h, w, 3) uint8 RGB on the screen.
    """

    listeners: list[Callable[[str, Any], None]] = field(default_factory=list, compare=False)
    """Functions that are called with each entry of `written`, and with ("file", [path, size]) for each written file."""

    def write(self, to: str, value: Any) -> None:
        """Add an entry to `written` for a value that a script wrote to a pin, a bus or a screen."""
        self.written.append((to, value))
        self.tell(to, value)

    def tell(self, to: str, value: Any) -> None:
        for listener in self.listeners:
            listener(to, value)

    @property
    def drives(self) -> dict[str, int]:
        """Return a dictionary that maps each drive's name to its size in bytes. The drives are in the order in which
        the firmware mounts them."""
        return {"flash": self.board.flash} | ({"sdcard": CARD_SIZE} if self.card else {})

    @property
    def rom(self) -> Path:
        """Return the file that holds the whole ROMFS partition."""
        return self.folder / "rom.img"

    @property
    def flash(self) -> dict[str, Any]:
        """Return the properties of the flash memory that holds /rom. `shims/_vfs.py` needs these properties."""
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
        """Convert a path on the camera to a path on this PC, and return the path on this PC. Raises BlazePoserError if
        the camera has no drive for the path."""
        found = (self.folder / path.lstrip("/")).resolve()
        if not found.is_relative_to(self.folder.resolve()):
            raise BlazePoserError(f"{path}: there is no such file on the camera")
        return found

    def listen(self, name: str) -> tuple[socket.socket, str]:
        """Return a socket for MicroPython that only this user can reach, and the socket's address. The address is a
        path in the camera's folder, because this folder is MicroPython's working directory."""
        address = f"{name}-{secrets.token_hex(4)}"
        folder = os.open(self.folder, os.O_PATH)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"/proc/self/fd/{folder}/{address}")  # the folder's own path may be too long for a socket
        os.close(folder)
        listener.listen()
        return listener, address

    def format(self) -> None:
        """Create an empty ROMFS, and drives with the files that the firmware creates (_boot.py creates
        .openmv_disk)."""
        for name in self.drives:
            (self.folder / name).mkdir()
        (self.folder / list(self.drives)[-1] / ".openmv_disk").touch()
        self.burn(romfs.pack({}, self.board.romfs_align))

    def burn(self, image: bytes, behind: bytes = b"") -> None:
        """Write a ROMFS image and then the bytes `behind` to the flash. Erase the rest of the flash. `behind` imitates
        flash that was not erased after the ROMFS image."""
        self.rom.write_bytes((image + behind).ljust(self.board.romfs, b"\xff"))
