"""The flash behind /rom, board by board: the operations that `vfs.rom_ioctl` has there, and their times.

block           `erase_size` of boards.json, PyPI `openmv-ota` 1.0.7
erase_ms        N6 and RT1062: measured by OpenMV (its installer in `openmv-ota`; the AE3's is taken to be as fast as
                the N6's). The others: estimates for NOR flash of that kind, and for a sector of the STM32H743
kind            MicroPython 1.28: ports/stm32/vfs_rom_ioctl.c (inside the chip, or by QSPI or XSPI),
                ports/alif/vfs_rom_ioctl.c (OSPI), ports/mimxrt/mimxrt_flash.c (a block device)
longest_erase   `openmv-ota` says that one call for 12 MB "faults partway" on the N6. Where is not known: this limit
                is a guess on the safe side
keeps_tail      `openmv-ota`: a bulk read that reaches the end of the QSPI chip stops an H7 Plus for good. Its
                partition ends there, as that of the Pure Thermal
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from blazeposer.core.boards import BOARDS, Board, firmware_at_least

KB, MB = 1024, 1024 * 1024
TAIL = 512
"""Last bytes of a partition that are never read nor written, on any board."""

Kind = Literal["internal", "nor", "octal", "device"]
"""Differences for a script: "internal" is programmed in words of 32 bytes, each once after an erase; "nor" byte by
byte, as often as bits fall; "octal" in words of 4 bytes; "device" is NOR flash behind a block device's methods."""


@dataclass(frozen=True)
class Flash:
    """The flash of a board's ROMFS. Sizes are bytes."""

    kind: Kind
    block: int
    """Unit of an erase."""
    erase_ms: float
    """Time for one block."""
    longest_erase: int | None = None
    """Most that one call may erase; None: any length."""
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
    """Return what `omv.arch()` answers on the boards whose partition must not be read to its end."""
    return [board.omv_arch for board in BOARDS if of(board).keeps_tail]


def erases_ranges(version: str) -> bool:
    """Return whether firmware of this version takes an offset in `vfs.rom_ioctl(3, ...)` and answers 6: MicroPython's
    pull request 19348, merged on 31 July 2026, a month after firmware 5.0.0."""
    return firmware_at_least(version, 5, 1)
