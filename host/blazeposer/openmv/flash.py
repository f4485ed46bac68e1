"""Describe the flash memory that holds the folder /rom on each board, and the limits and durations of `vfs.rom_ioctl`.

- The attribute `block` is the value `erase_size` from boards.json in the PyPI package `openmv-ota` 1.0.7.
- OpenMV measured the erase times `erase_ms` of the N6 and the RT1062 (see the installer in `openmv-ota`). The AE3 is
  assumed to erase its flash as fast as the N6. For the H7, the erase time is an estimate for a sector of the STM32H743.
  For the boards H7 Plus, Pure Thermal, Nicla Vision, Portenta and Giga, the erase times are estimates for NOR flash.
- The attribute `kind`, which is the type of a board's flash, comes from the source code of MicroPython 1.28. In
  MicroPython 1.28, ports/stm32/vfs_rom_ioctl.c accesses flash inside the chip, or through a QSPI or XSPI interface. In
  MicroPython 1.28, ports/alif/vfs_rom_ioctl.c accesses flash through an OSPI interface. In MicroPython 1.28,
  ports/mimxrt/mimxrt_flash.c accesses flash as a block device.
- It is not known exactly how much an N6 can erase in one call, so `longest_erase` is a low estimate. The package
  `openmv-ota` says that the N6 fails to erase 12 MB in one call.
- The attribute `keeps_tail` is true if reading to the end of the QSPI chip stops the camera. The package `openmv-ota`
  says that a bulk read to the end of the QSPI chip stops an H7 Plus completely. On the H7 Plus and the Pure Thermal,
  the ROMFS partition ends at the end of the QSPI chip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from blazeposer.core.boards import BOARDS, Board, firmware_at_least

KB, MB = 1024, 1024 * 1024
TAIL = 512
"""Number of bytes at the end of a partition that are never read or written if `keeps_tail` is true."""

Kind = Literal["internal", "nor", "octal", "device"]
"""Kind of flash. "internal" is programmed in words of 32 bytes, and each word can be programmed only once after an
erase. "nor" is programmed byte by byte, and bits can change from 1 to 0 at any time. "octal" is programmed in words of
4 bytes. "device" is NOR flash that is accessed through the methods of a block device."""


@dataclass(frozen=True)
class Flash:
    """A description of the flash memory that holds the folder /rom of a board. Sizes are in bytes."""

    kind: Kind
    block: int
    """Size of a block, which is the smallest part of the flash that can be erased."""
    erase_ms: float
    """Time in milliseconds for erasing one block."""
    longest_erase: int | None = None
    """Largest number of bytes that one call may erase, or None if there is no limit."""
    keeps_tail: bool = False
    """True if the last `TAIL` bytes must not be used, because a bulk read of them stops the camera."""


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
    """Return the `Flash` object that describes the flash memory of a board."""
    return _FLASH[board.key]


def tails() -> list[str]:
    """Return the names of the boards on which the end of the ROMFS partition must not be read. The name of a board is
    the text that `omv.arch()` returns on the board."""
    return [board.omv_arch for board in BOARDS if of(board).keeps_tail]


def erases_ranges(version: str) -> bool:
    """Return True if OpenMV's firmware `version` can erase blocks that start at any offset. In firmware that erases at
    any offset, `vfs.rom_ioctl(3, ...)` takes an offset, and `vfs.rom_ioctl(6, ...)` exists. MicroPython's pull request
    19348 added the offset argument on 31 July 2026, a month after OpenMV's firmware 5.0.0."""
    return firmware_at_least(version, 5, 1)
