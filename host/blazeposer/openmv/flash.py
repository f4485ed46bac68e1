"""Describe the flash memory of /rom on each board, and the limits and times of `vfs.rom_ioctl`. The facts have these
sources:

block           `erase_size` of boards.json, PyPI `openmv-ota` 1.0.7
erase_ms        OpenMV measured the N6 and the RT1062 (see its installer in `openmv-ota`). The AE3 is assumed to be as
                fast as the N6. The values of the other boards are estimates for NOR flash of their kind, and for a
                sector of the STM32H743
kind            MicroPython 1.28, in ports/stm32/vfs_rom_ioctl.c (inside the chip, or by QSPI or XSPI),
                ports/alif/vfs_rom_ioctl.c (OSPI) and ports/mimxrt/mimxrt_flash.c (a block device)
longest_erase   `openmv-ota` says that one call for 12 MB "faults partway" on the N6. The exact limit is not
                known, so the limit in this module is a safe guess
keeps_tail      `openmv-ota` says that a bulk read to the end of the QSPI chip stops an H7 Plus completely. The
                partitions of the H7 Plus and of the Pure Thermal end at the end of this chip
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from blazeposer.core.boards import BOARDS, Board, firmware_at_least

KB, MB = 1024, 1024 * 1024
TAIL = 512
"""Number of bytes at the end of a partition that are never read or written, on any board."""

Kind = Literal["internal", "nor", "octal", "device"]
"""Kind of flash. "internal" is programmed in words of 32 bytes, and each word can be programmed only once after an
erase. "nor" is programmed byte by byte, and bits can change from 1 to 0 at any time. "octal" is programmed in words of
4 bytes. "device" is NOR flash that is accessed through the methods of a block device."""


@dataclass(frozen=True)
class Flash:
    """The flash of a board's ROMFS. Sizes are in bytes."""

    kind: Kind
    block: int
    """Size of a block, which is the smallest part of the flash that can be erased."""
    erase_ms: float
    """Time in milliseconds for erasing one block."""
    longest_erase: int | None = None
    """Largest number of bytes that one call may erase, or None if there is no limit."""
    keeps_tail: bool = False
    """True if a bulk read of the last `TAIL` bytes stops the camera."""


_FLASH = {
    "h7": Flash("internal", 128 * KB, 1000),
    "h7plus": Flash("nor", 4 * KB, 48, keeps_tail=True),
    "puretherm": Flash("nor", 4 * KB, 48, keeps_tail=True),
    "nicla": Flash("nor", 4 * KB, 48),
    "portenta": Flash("nor", 4 * KB, 48),
    "giga": Flash("nor", 4 * KB, 48),
    "n6": Flash("nor", 4 * KB, 24, longest_erase=MB),
    "ae3": Flash("octal", 4 * KB, 24),
    "rt1062": Flash("device", 4 * KB, 53),
}


def of(board: Board) -> Flash:
    """Return the flash of a board."""
    return _FLASH[board.key]


def tails() -> list[str]:
    """Return the names of the boards on which the end of the ROMFS partition must not be read. The names are the texts
    that `omv.arch()` returns on these boards."""
    return [board.omv_arch for board in BOARDS if of(board).keeps_tail]


def erases_ranges(version: str) -> bool:
    """Return True if the firmware with this version can erase blocks that start at any offset. In such firmware,
    `vfs.rom_ioctl(3, ...)` takes an offset, and `vfs.rom_ioctl(6, ...)` exists. The source is MicroPython's pull
    request 19348, merged on 31 July 2026, a month after firmware 5.0.0.
    """
    return firmware_at_least(version, 5, 1)
