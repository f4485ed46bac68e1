"""The boards that run OpenMV firmware 5.0, as data: the one place on the PC that states what a board holds.

Most comes from OpenMV's own table, boards.json of PyPI `openmv-ota`: name, answer of `omv.arch()`, USB ids, store for
models, alignment, architecture of .mpy files. Where the rest was read (public sources, mid 2026; none was measured on a
camera):

    board_type   `OMV_BOARD_TYPE` of `boards/*/board_config.h`, openmv/openmv; `omv.board_type()` returns it (py_omv.c)
    blocks       `OMV_GC_BLOCKn_MEMORY` and `_SIZE`, in the order of n, same file. MicroPython takes the first block
                 that has room (`gc_alloc` of py/gc.c)
    flash        `OMV_FLASH_FFS_LENGTH`, same file. Where mpconfigboard.h puts the storage into an external flash of 11
                 or 24 MB instead (H7 Plus, Pure Thermal, Portenta, Giga, Nicla Vision), the smaller of the two stands
                 here. AE3 and N6: `MICROPY_HW_FLASH_STORAGE_FS_BYTES`, `MICROPY_HW_BDEV_SPIFLASH_SIZE_BYTES`
    sd           `MICROPY_HW_ENABLE_SDCARD` (stm32), `MICROPY_USDHC1` (RT1062) of mpconfigboard.h; none in the AE3's.
                 The Portenta's slot is on its Vision Shield
    core, mhz    quick references on docs.openmv.io, PLL comments of board_config.h
    npu          the same, and `npu` of boards.json
    pyb          library reference on docs.openmv.io, pyb: STM32 only, and not the N6
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
"""On the chip, beside the core without wait states, or outside of the chip."""

KB = 1024
MB = 1024 * KB

SCRIPT_BYTES = 34 * KB
"""Share of the largest heap block for everything but the model: MicroPython's own tables (one part in 43), TFLite
Micro's list of operations, 512 bytes that the firmware adds to an arena, and the modules that scripts import first."""

OLD_USB_ID = (0x1209, 0xABD1)
"""USB id of all of OpenMV's own cameras with firmware before 5.0 (mpconfigboard.h of 2023, RT1062)."""

LATER_BLOCK_BYTES = 4 * KB
"""Share of a block behind another one, beside MicroPython's tables: scripts fill the first one first."""


class Block(NamedTuple):
    """One block of the garbage-collected heap, of so many bytes."""

    memory: Memory
    size: int


@dataclass(frozen=True)
class Board:
    """One board. Sizes are bytes."""

    key: str
    """Name for `--board`."""
    name: str
    chip: Chip
    core: str
    mhz: int
    """Clock of the core."""
    usb_ids: tuple[tuple[int, int], ...]
    """(vendor, product) while the firmware runs; an Arduino board has several."""
    board_type: str
    """Answer of `omv.board_type()`: five boards say "H7", so ask `omv.arch()` too."""
    omv_arch: str
    """Answer of `omv.arch()`; no two boards share it."""
    blocks: tuple[Block, ...]
    """The garbage-collected heap, in the order in which MicroPython looks for room."""
    romfs: int
    """The store for models, read in place as /rom."""
    flash: int
    """/flash, 0 where there is none."""
    sd: bool
    """True if there is a slot for a card."""
    romfs_align: int
    """Alignment of a model in ROMFS."""
    arch: str
    """Architecture of native .mpy files."""
    npu: Npu = ""
    pyb: bool = True
    """True if the firmware has the module pyb, and with it USB HID."""

    @property
    def cpu(self) -> str:
        """Core and clock, to be read."""
        return f"{self.core}, {self.mhz} MHz"

    @property
    def heap(self) -> int:
        """Largest block of the heap: an arena is one block."""
        return max(block.size for block in self.blocks)

    @property
    def arena(self) -> int:
        """The largest arena that leaves scripts what they need, bytes."""
        return self.heap - SCRIPT_BYTES

    def memory_of(self, arena: int) -> Memory | None:
        """Return the memory of an arena of so many bytes: that of the first block with room; None if none has.

        An estimate. Before the model loads, scripts take `SCRIPT_BYTES` of the first block. A later block keeps one
        part in 43 for MicroPython's tables, and `LATER_BLOCK_BYTES`.
        """
        for number, block in enumerate(self.blocks):
            kept = SCRIPT_BYTES if number == 0 else block.size // 43 + LATER_BLOCK_BYTES
            if arena <= block.size - kept:
                return block.memory
        return None


def _table() -> dict[str, Any]:
    """Return OpenMV's boards by their folder's name."""
    boards = json.loads((files("openmv_ota") / "data" / "boards.json").read_text(encoding="utf-8"))["boards"]
    assert isinstance(boards, dict)
    return boards


def _board(table: dict[str, Any], key: str, folder: str, *blocks: Block, **rest: Any) -> Board:
    """Return a board of OpenMV's table, under `folder`, and of the facts `rest`. Raises BlazePoserError."""
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
    """Return whether a firmware's version, as `omv.version_string()` answers it, is this one or a later one."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[: len(wanted)]) >= wanted


def with_firmware(board: Board, version: str) -> Board:
    """Return the board as firmware of this version has it: the AE3 takes a card from 5.1 on (openmv PR 3210)."""
    return replace(board, sd=True) if board.key == "ae3" and firmware_at_least(version, 5, 1) else board


def find(name: str) -> Board:
    """Return the board of a key, a name or an answer of `omv.arch()`. Raises BlazePoserError, which names all keys."""
    for board in BOARDS:
        if name.casefold() in (board.key, board.name.casefold(), board.omv_arch.casefold()):
            return board
    raise BlazePoserError(f"there is no board {name!r}: use one of {', '.join(board.key for board in BOARDS)}")
