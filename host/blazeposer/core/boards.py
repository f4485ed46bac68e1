"""Describe the boards that run OpenMV's firmware 5.0.

Most facts about the boards come from OpenMV's own table, the file boards.json in the PyPI package `openmv-ota`. The
other facts come from documents and source code that were public in the middle of 2026. No fact about a board was
measured on a camera. The fields of `Board` that boards.json lacks have these sources:

- `board_type` is the value of `OMV_BOARD_TYPE` in `boards/*/board_config.h` of the repository openmv/openmv. The
  function `omv.board_type()` returns the value of `OMV_BOARD_TYPE` (py_omv.c).
- `blocks` are the values of `OMV_GC_BLOCKn_MEMORY` and `OMV_GC_BLOCKn_SIZE` in board_config.h, in the order of n. To
  allocate memory, MicroPython takes the first heap block with enough room (`gc_alloc` in py/gc.c).
- For most boards, `flash` is the value of `OMV_FLASH_FFS_LENGTH` in board_config.h. On H7 Plus, Pure Thermal, Portenta,
  Giga and Nicla Vision, mpconfigboard.h puts the file system into an external flash of 11 or 24 MB, but `flash` has the
  smaller size from board_config.h. For the AE3, `flash` is `MICROPY_HW_FLASH_STORAGE_FS_BYTES`. For the N6, `flash` is
  `MICROPY_HW_BDEV_SPIFLASH_SIZE_BYTES`.
- `sd` comes from `MICROPY_HW_ENABLE_SDCARD` (STM32) or `MICROPY_USDHC1` (RT1062) in mpconfigboard.h. The AE3's
  mpconfigboard.h contains neither of the two. The Portenta's slot for an SD card is on its Vision Shield.
- `core`, `mhz`, `npu` and `pyb` come from docs.openmv.io. The comments on the PLL in board_config.h are another source
  of `mhz`.
"""

import json
import re
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, Literal, NamedTuple

from blazeposer.core.errors import BlazePoserError

Npu = Literal["", "ethos-u55", "neural-art"]
Chip = Literal["STM32H7", "i.MX RT1062", "Alif E3", "STM32N6"]
Memory = Literal["SRAM", "DTCM", "SDRAM"]
"""Kind of memory. SRAM is on the chip, DTCM is next to the core and has no wait states, and SDRAM is outside the
chip."""

KB = 1024
MB = 1024 * KB

SCRIPT_BYTES = 34 * KB
"""Number of bytes that the model cannot use in one heap block. `Board.arena` subtracts these bytes from the largest
block, and `Board.memory_of` from the first block. The bytes hold MicroPython's own tables (1/43 of the block), TFLite
Micro's operations, 512 bytes that the firmware adds to the model's working memory, and the modules that scripts import
before the model loads."""

OLD_USB_ID = (0x1209, 0xABD1)
"""USB id of all OpenMV cameras with firmware before 5.0 (mpconfigboard.h of 2023 for the RT1062)."""

LATER_BLOCK_BYTES = 4 * KB
"""Number of bytes that scripts use in each heap block after the first block, in addition to MicroPython's tables."""


class HeapBlock(NamedTuple):
    memory: Memory
    size: int


@dataclass(frozen=True)
class Board:
    """One type of board. All sizes are in bytes."""

    key: str
    """Name of the board for the option `--board`."""
    name: str
    chip: Chip
    core: str
    mhz: int
    usb_ids: tuple[tuple[int, int], ...]
    """USB ids (vendor, product) while the firmware runs. An Arduino board has several USB ids."""
    board_type: str
    """Text that `omv.board_type()` returns. The text is "H7" on five boards."""
    omv_arch: str
    """Text that `omv.arch()` returns, which is different for every board."""
    blocks: tuple[HeapBlock, ...]
    """Blocks of the garbage-collected heap, in the order in which MicroPython searches them."""
    romfs: int
    """Size of ROMFS (/rom), the file system for models. The firmware uses a model in ROMFS without copying it."""
    flash: int
    """Size of /flash, or 0 if the board has no /flash."""
    sd: bool
    romfs_align: int
    """Alignment of a model in ROMFS, in bytes."""
    arch: str
    """Architecture of native .mpy files."""
    npu: Npu = ""
    pyb: bool = True
    """True if the firmware has the module pyb, which provides USB HID."""

    @property
    def cpu(self) -> str:
        return f"{self.core}, {self.mhz} MHz"

    @property
    def heap(self) -> int:
        """Return the size of the largest block of the heap. An arena (working memory of the network) must fit into one
        block."""
        return max(block.size for block in self.blocks)

    @property
    def arena(self) -> int:
        """Return the largest possible size of an arena, which shares the largest block of the heap with scripts."""
        return self.heap - SCRIPT_BYTES

    def memory_of(self, arena: int) -> Memory | None:
        """Return the kind of memory in which MicroPython would probably place an arena of `arena` bytes, or None if no
        block has enough room. The estimate assumes that the arena cannot use `SCRIPT_BYTES` of the first block. In
        each later block, MicroPython's tables take 1/43 of the block, and scripts take `LATER_BLOCK_BYTES`."""
        for number, block in enumerate(self.blocks):
            kept = SCRIPT_BYTES if number == 0 else block.size // 43 + LATER_BLOCK_BYTES
            if arena <= block.size - kept:
                return block.memory
        return None


def _table() -> dict[str, Any]:
    """Return OpenMV's table of boards. Each key is the name of a board's folder in OpenMV's firmware."""
    boards = json.loads((files("openmv_ota") / "data" / "boards.json").read_text(encoding="utf-8"))["boards"]
    assert isinstance(boards, dict)
    return boards


def _board(table: dict[str, Any], key: str, folder: str, *blocks: HeapBlock, **rest: Any) -> Board:
    """Return the board that the entry `folder` of OpenMV's table describes. Raises BlazePoserError if the table has
    another format."""
    try:
        theirs = table[folder]
        store, flash = theirs["partitions"][0], theirs["flash"]
        vendor, product = flash["runtime" if "runtime" in flash else "usb"].split(":")
        products = flash["app"]["pids"] if "app" in flash else [product]
        return Board(
            key=key,
            name=theirs["display_name"].partition(" (")[0],
            usb_ids=tuple((int(vendor, 16), int(product, 16)) for product in products),
            omv_arch=theirs["arch"],
            blocks=blocks,
            romfs=store["size"],
            romfs_align=next(rule["alignment"] for rule in store["alignment_rules"] if rule["extension"] == "tflite"),
            arch=theirs["mpy_args"][0].removeprefix("-march="),
            **rest,
        )
    except (KeyError, IndexError, ValueError, StopIteration) as error:
        raise BlazePoserError(
            f"boards.json of openmv-ota does not describe {folder} as expected: run `pip install 'openmv-ota==1.0.7'`"
        ) from error


def _boards(table: dict[str, Any]) -> tuple[Board, ...]:
    h7 = {"chip": "STM32H7", "core": "Cortex-M7", "mhz": 480, "board_type": "H7", "flash": 128 * KB}
    m55 = {"core": "Cortex-M55", "pyb": False}
    return (
        _board(table, "h7", "OPENMV4", HeapBlock("SRAM", 64 * KB), HeapBlock("SRAM", 264 * KB), **h7, sd=True),
        _board(table, "h7plus", "OPENMV4P", HeapBlock("SRAM", 232 * KB), HeapBlock("SDRAM", 4 * MB), **h7, sd=True),
        _board(table, "nicla", "ARDUINO_NICLA_VISION", HeapBlock("DTCM", 30 * KB), HeapBlock("SRAM", 63 * KB),
               HeapBlock("SRAM", 276 * KB), **h7 | {"mhz": 400, "board_type": "NICLAV"}, sd=False),
        _board(table, "puretherm", "OPENMVPT", HeapBlock("SRAM", 240 * KB), HeapBlock("SDRAM", 8 * MB), **h7, sd=True),
        _board(table, "rt1062", "OPENMV_RT1060", HeapBlock("SRAM", 64 * KB), HeapBlock("DTCM", 204 * KB),
               HeapBlock("SDRAM", 8 * MB), chip="i.MX RT1062", core="Cortex-M7", mhz=600, board_type="IMXRT1060",
               flash=4 * MB, sd=True, pyb=False),
        _board(table, "portenta", "ARDUINO_PORTENTA_H7", HeapBlock("SRAM", 176 * KB), HeapBlock("SDRAM", 2560 * KB),
               **h7 | {"mhz": 400}, sd=True),
        _board(table, "giga", "ARDUINO_GIGA", HeapBlock("SRAM", 256 * KB), HeapBlock("SDRAM", 2560 * KB),
               **h7, sd=False),
        _board(table, "ae3", "OPENMV_AE3", HeapBlock("SRAM", 4 * MB), **m55, chip="Alif E3", mhz=400, board_type="AE3",
               flash=8 * MB, sd=False, npu="ethos-u55"),
        _board(table, "n6", "OPENMV_N6", HeapBlock("SRAM", 1 * MB), HeapBlock("SDRAM", 24 * MB), **m55, chip="STM32N6",
               mhz=800, board_type="N6", flash=4 * MB, sd=True, npu="neural-art"),
    )  # fmt: skip


BOARDS = _boards(_table())


def firmware_at_least(version: str, *wanted: int) -> bool:
    """Return True if the firmware `version`, the text from `omv.version_string()`, is equal to `wanted` or newer."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[: len(wanted)]) >= wanted


def with_firmware(board: Board, version: str) -> Board:
    """Return `board` with the features of the firmware `version`. From firmware 5.1 on, the AE3 supports an SD card
    (openmv pull request 3210)."""
    return replace(board, sd=True) if board.key == "ae3" and firmware_at_least(version, 5, 1) else board


def find(name: str) -> Board:
    """Return the board whose key, name or `omv.arch()` is `name`. Raises BlazePoserError if no board matches."""
    for board in BOARDS:
        if name.casefold() in (board.key, board.name.casefold(), board.omv_arch.casefold()):
            return board
    raise BlazePoserError(f"there is no board {name!r}: use one of {', '.join(board.key for board in BOARDS)}")
