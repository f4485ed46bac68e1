"""Describe the flash memory that holds the folder /rom on each board. MicroPython's function `vfs.rom_ioctl` erases and
writes this memory. The fields of `Flash` have these sources:

- `block` is the value `erase_size` from boards.json in the PyPI package `openmv-ota` 1.0.7.
- OpenMV measured `erase_ms` of the N6 and the RT1062 (see the installer in `openmv-ota`). The AE3 is assumed to be as
  fast as the N6. For the H7, `erase_ms` is an estimate for a sector of the STM32H743. For the other boards, `erase_ms`
  is an estimate for NOR flash.
- `kind` comes from the source code of MicroPython 1.28: ports/stm32/vfs_rom_ioctl.c (flash inside the chip, QSPI or
  XSPI), ports/alif/vfs_rom_ioctl.c (OSPI) and ports/mimxrt/mimxrt_flash.c (a block device).
- `longest_erase` is the largest number of bytes that one call erases safely. The value of the N6 is chosen low: the
  package `openmv-ota` says that the N6 fails to erase 12 MB in one call.
- `keeps_tail` is true if a bulk read to the end of the QSPI chip stops the camera. According to the package
  `openmv-ota`, this happens on the H7 Plus. On the H7 Plus and the Pure Thermal, the ROMFS partition (the memory of
  /rom) ends at the end of the QSPI chip.
"""

from dataclasses import dataclass
from typing import Literal

from blazeposer.core.boards import BOARDS, KB, MB, Board, firmware_at_least

TAIL = 512
"""Number of bytes at the end of a partition that are never read or written if `keeps_tail` is true."""

Kind = Literal["internal", "nor", "octal", "device"]
"""Kind of flash. "internal" is programmed in words of 32 bytes, and each word can be programmed only once after an
erase. "nor" is programmed byte by byte, and bits can change from 1 to 0 at any time. "octal" is programmed in words of
4 bytes. "device" is NOR flash that is accessed through the methods of a block device."""


@dataclass(frozen=True)
class Flash:
    """The flash memory for /rom on one type of board. Sizes are in bytes."""

    kind: Kind
    block: int
    """Size of a block, the smallest part that can be erased."""
    erase_ms: float
    """Time in milliseconds for erasing one block."""
    longest_erase: int | None = None
    """Largest number of bytes that one call may erase, or None without a limit."""
    keeps_tail: bool = False
    """True if the last `TAIL` bytes must not be used."""


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
    return _FLASH[board.key]


def tails() -> list[str]:
    """Return the names (`omv.arch()`) of the boards on which the end of the ROMFS partition must not be read."""
    return [board.omv_arch for board in BOARDS if of(board).keeps_tail]


def erases_ranges(version: str) -> bool:
    """Return True if the firmware `version` can erase blocks that start at any offset. In such a firmware,
    `vfs.rom_ioctl(3, ...)` takes an offset, and `vfs.rom_ioctl(6, ...)` exists. MicroPython's pull request 19348 added
    the offset on 31 July 2026, a month after OpenMV's firmware 5.0.0."""
    return firmware_at_least(version, 5, 1)
