"""Data about the boards that run OpenMV firmware 5.0. The host package keeps all facts about boards in this module.

Most facts come from OpenMV's own table, the file boards.json in the PyPI package `openmv-ota`. For each board, the
table contains the name, the value of `omv.arch()`, the USB ids, the size of the storage for models, the alignment, and
the architecture of .mpy files. Other facts about boards come from documents and source code that were public in the
middle of 2026. No fact was measured on a camera. These are the public sources:

    board_type   `OMV_BOARD_TYPE` in `boards/*/board_config.h` of openmv/openmv. `omv.board_type()` returns this value
                 (py_omv.c)
    blocks       `OMV_GC_BLOCKn_MEMORY` and `OMV_GC_BLOCKn_SIZE` in board_config.h, in the order of n. MicroPython
                 takes the first block with enough room (`gc_alloc` in py/gc.c)
    flash        `OMV_FLASH_FFS_LENGTH` in board_config.h. On H7 Plus, Pure Thermal, Portenta, Giga and Nicla Vision,
                 mpconfigboard.h puts the storage into an external flash of 11 or 24 MB, but this table has the smaller
                 size of board_config.h. The AE3 has `MICROPY_HW_FLASH_STORAGE_FS_BYTES` instead, and the N6 has
                 `MICROPY_HW_BDEV_SPIFLASH_SIZE_BYTES`
    sd           `MICROPY_HW_ENABLE_SDCARD` (stm32) or `MICROPY_USDHC1` (RT1062) in mpconfigboard.h. The AE3's file
                 has neither name. The Portenta's slot is on its Vision Shield
    core, mhz    the quick references on docs.openmv.io, and the comments on the PLL in board_config.h
    npu          the quick references on docs.openmv.io, and `npu` in boards.json
    pyb          the library reference of pyb on docs.openmv.io. Only STM32 boards have pyb, and the N6 has no pyb
"""

from __future__ import annotations

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
"""Number of bytes that the model cannot use in the largest heap block. These bytes hold MicroPython's own tables (1/43
of the block), TFLite Micro's list of operations, 512 bytes that the firmware adds to an arena, and the modules that
scripts import first."""

OLD_USB_ID = (0x1209, 0xABD1)
"""USB id of all OpenMV cameras with firmware before 5.0. The source is mpconfigboard.h of 2023 for the RT1062."""

LATER_BLOCK_BYTES = 4 * KB
"""Number of bytes that scripts use in the second heap block and in each later block, in addition to MicroPython's
tables. Scripts use the first block before the other blocks."""


class Block(NamedTuple):
    """One block of the garbage-collected heap, and its size in bytes."""

    memory: Memory
    size: int


@dataclass(frozen=True)
class Board:
    """One board. All sizes are in bytes."""

    key: str
    """Name of the board for the option `--board`."""
    name: str
    chip: Chip
    core: str
    mhz: int
    """Clock frequency of the core in MHz."""
    usb_ids: tuple[tuple[int, int], ...]
    """USB ids (vendor, product) while the firmware runs. An Arduino board has several USB ids."""
    board_type: str
    """Text that `omv.board_type()` returns. On five boards it returns "H7", but `omv.arch()` returns a different text
    on every board."""
    omv_arch: str
    """Text that `omv.arch()` returns, which is different for every board."""
    blocks: tuple[Block, ...]
    """Blocks of the garbage-collected heap, in the order in which MicroPython searches them."""
    romfs: int
    """Size of ROMFS, the file system for models. The path of ROMFS on a camera is /rom. The firmware uses a model in
    ROMFS without copying the model."""
    flash: int
    """Size of /flash, or 0 if the board has no /flash."""
    sd: bool
    """True if the board has a slot for an SD card."""
    romfs_align: int
    """Alignment of a model in ROMFS, in bytes."""
    arch: str
    """Architecture of native .mpy files."""
    npu: Npu = ""
    pyb: bool = True
    """True if the firmware has the module pyb, which provides USB HID."""

    @property
    def cpu(self) -> str:
        """Return a text with the name and the clock frequency of the core."""
        return f"{self.core}, {self.mhz} MHz"

    @property
    def heap(self) -> int:
        """Return the size of the largest block of the heap in bytes. An arena, the network's working memory, must fit
        into one block."""
        return max(block.size for block in self.blocks)

    @property
    def arena(self) -> int:
        """Return the size of the largest arena, in bytes, that leaves enough memory for scripts."""
        return self.heap - SCRIPT_BYTES

    def memory_of(self, arena: int) -> Memory | None:
        """Return the kind of memory in which an arena of `arena` bytes would be, or None if no block has enough room.
        MicroPython uses the first block with enough room. The result is an estimate. Before the model loads, scripts
        take `SCRIPT_BYTES` of the first block. In a later block, MicroPython's tables take 1/43 of the block, and
        scripts take `LATER_BLOCK_BYTES`.
        """
        for number, block in enumerate(self.blocks):
            kept = SCRIPT_BYTES if number == 0 else block.size // 43 + LATER_BLOCK_BYTES
            if arena <= block.size - kept:
                return block.memory
        return None


def _table() -> dict[str, Any]:
    """Return OpenMV's table of boards. Each key is the name of a board's folder."""
    boards = json.loads((files("openmv_ota") / "data" / "boards.json").read_text(encoding="utf-8"))["boards"]
    assert isinstance(boards, dict)
    return boards


def _board(table: dict[str, Any], key: str, folder: str, *blocks: Block, **rest: Any) -> Board:
    """Return a board with the facts from the entry `folder` of OpenMV's table, and with the additional facts `rest`.
    Raises BlazePoserError."""
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
        _board(table, "h7", "OPENMV4", Block("SRAM", 64 * KB), Block("SRAM", 264 * KB), **h7, sd=True),
        _board(table, "h7plus", "OPENMV4P", Block("SRAM", 232 * KB), Block("SDRAM", 4 * MB), **h7, sd=True),
        _board(table, "nicla", "ARDUINO_NICLA_VISION", Block("DTCM", 30 * KB), Block("SRAM", 63 * KB),
               Block("SRAM", 276 * KB), **h7 | {"mhz": 400, "board_type": "NICLAV"}, sd=False),
        _board(table, "puretherm", "OPENMVPT", Block("SRAM", 240 * KB), Block("SDRAM", 8 * MB), **h7, sd=True),
        _board(table, "rt1062", "OPENMV_RT1060", Block("SRAM", 64 * KB), Block("DTCM", 204 * KB),
               Block("SDRAM", 8 * MB), chip="i.MX RT1062", core="Cortex-M7", mhz=600, board_type="IMXRT1060",
               flash=4 * MB, sd=True, pyb=False),
        _board(table, "portenta", "ARDUINO_PORTENTA_H7", Block("SRAM", 176 * KB), Block("SDRAM", 2560 * KB),
               **h7 | {"mhz": 400}, sd=True),
        _board(table, "giga", "ARDUINO_GIGA", Block("SRAM", 256 * KB), Block("SDRAM", 2560 * KB), **h7, sd=False),
        _board(table, "ae3", "OPENMV_AE3", Block("SRAM", 4 * MB), **m55, chip="Alif E3", mhz=400, board_type="AE3",
               flash=8 * MB, sd=False, npu="ethos-u55"),
        _board(table, "n6", "OPENMV_N6", Block("SRAM", 1 * MB), Block("SDRAM", 24 * MB), **m55, chip="STM32N6",
               mhz=800, board_type="N6", flash=4 * MB, sd=True, npu="neural-art"),
    )  # fmt: skip


BOARDS = _boards(_table())


def firmware_at_least(version: str, *wanted: int) -> bool:
    """Return True if the firmware `version` is `wanted` or later. `version` is the text that `omv.version_string()`
    returns."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[: len(wanted)]) >= wanted


def with_firmware(board: Board, version: str) -> Board:
    """Return the board with the features of a firmware version. The AE3 supports an SD card from version 5.1 on (openmv
    PR 3210)."""
    return replace(board, sd=True) if board.key == "ae3" and firmware_at_least(version, 5, 1) else board


def find(name: str) -> Board:
    """Return the board with this key, this name or this value of `omv.arch()`. If no board is found, raise
    BlazePoserError with a message that lists all keys."""
    for board in BOARDS:
        if name.casefold() in (board.key, board.name.casefold(), board.omv_arch.casefold()):
            return board
    raise BlazePoserError(f"there is no board {name!r}: use one of {', '.join(board.key for board in BOARDS)}")
