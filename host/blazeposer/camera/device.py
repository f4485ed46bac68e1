"""What a virtual camera is, apart from what it sees: its board, its number, its stores."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blazeposer.core.boards import Board
from blazeposer.openmv import romfs

KB, MB = 1024, 1024 * 1024
CARD_SIZE = 64 * MB
WRITTEN = 1000
"""Entries of `Device.written`: pictures for a screen are large."""


@dataclass(frozen=True)
class Device:
    """`folder` holds the camera's files: `flash` and `sdcard` as folders, ROMFS as an image `rom.img`."""

    folder: Path
    board: Board
    serial: str
    """Hexadecimal; USB's serial number and `machine.unique_id()`."""
    version: str
    """Of the firmware."""
    gray: bool
    card: bool
    """Whether a card is in."""
    written: deque[tuple[str, Any]] = field(default_factory=lambda: deque(maxlen=WRITTEN), compare=False)
    """What scripts wrote last to pins, buses and a screen, in order: (where to, what).

    "LED_RED", "P7" ...: a level, 0 or 1, or [frequency in Hz, pulse in ns] of a PWM. "UART3": text. "USB HID": the
    bytes of a report. "display": the picture (h, w, 3) uint8 RGB that it shows.
    """

    @property
    def drives(self) -> dict[str, int]:
        """Name and size in bytes of each drive, in the order in which the firmware mounts them."""
        return {"flash": self.board.flash} | ({"sdcard": CARD_SIZE} if self.card else {})

    @property
    def rom(self) -> Path:
        """The ROMFS partition, all of it."""
        return self.folder / "rom.img"

    @property
    def rom_block(self) -> int:
        """Bytes that are erased at once: the H7 keeps its ROMFS in one sector of the chip's own flash, the others in
        external flash (`erase_size` of boards.json, PyPI openmv-ota)."""
        return 128 * KB if self.board.romfs == 128 * KB else 4 * KB

    def format(self) -> None:
        """Empty drives as the firmware leaves them (_boot.py makes .openmv_disk), and an empty ROMFS."""
        for name in self.drives:
            (self.folder / name).mkdir()
        (self.folder / list(self.drives)[-1] / ".openmv_disk").touch()
        self.burn(romfs.pack({}, self.board.romfs_align))

    def burn(self, image: bytes) -> None:
        """Write a ROMFS image, and erase the rest of the partition."""
        self.rom.write_bytes(image.ljust(self.board.romfs, b"\xff"))
