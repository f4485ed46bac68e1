"""The boards that run OpenMV firmware 5.0, as data: the one place on the PC that states what a board holds.

Where each figure was read (public sources, mid 2026; none was measured on a camera):

    name, usb_ids, romfs_align  boards.json of PyPI `openmv-ota` 1.0.7 (`runtime` for OpenMV's own boards); the
                                Arduino ids and the OpenMV ones, but the RT1062's, also
                                `MICROPY_HW_USB_VID/PID` of `ports/*/boards/*/mpconfigboard.h`, openmv/micropython
    board_type, omv_arch        `OMV_BOARD_TYPE`, `OMV_BOARD_ARCH` of `boards/*/board_config.h`, openmv/openmv;
                                `omv.board_type()` and `omv.arch()` return them as they are (py_omv.c)
    blocks, romfs               `OMV_GC_BLOCKn_MEMORY` and `_SIZE`, in the order of n; `OMV_ROMFS_PART0_LENGTH`,
                                same file. MicroPython takes the first block that has room (`gc_alloc` of py/gc.c)
    flash                       `OMV_FLASH_FFS_LENGTH`, same file. Where mpconfigboard.h puts the storage into
                                an external flash of 11 or 24 MB instead (H7 Plus, Pure Thermal, Portenta, Giga,
                                Nicla Vision), the smaller of the two stands here. AE3 and N6:
                                `MICROPY_HW_FLASH_STORAGE_FS_BYTES`, `MICROPY_HW_BDEV_SPIFLASH_SIZE_BYTES`
    sd                          `MICROPY_HW_ENABLE_SDCARD` (stm32), `MICROPY_USDHC1` (RT1062) of mpconfigboard.h;
                                none in the AE3's. The Portenta's slot is on its Vision Shield
    arch                        `mpy_args` of boards.json
    core, mhz, npu              quick references on docs.openmv.io, PLL comments of board_config.h
    pyb                         library reference on docs.openmv.io, pyb: STM32 only, and not the N6
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from blazeposer.core.errors import BlazePoserError

Npu = Literal["", "ethos-u55", "neural-art"]
Chip = Literal["STM32H7", "i.MX RT1062", "Alif E3", "STM32N6"]
Memory = Literal["SRAM", "DTCM", "SDRAM"]
"""On the chip, beside the core without wait states, or outside of the chip."""

KB = 1024
MB = 1024 * KB

SCRIPT_BYTES = 34 * KB
"""What the largest heap block keeps for everything but the model: MicroPython's own tables (one part in 43), TFLite
Micro's list of operations, 512 bytes that the firmware adds to an arena, and what scripts import before the model."""

OLD_USB_ID = (0x1209, 0xABD1)
"""Under which all of OpenMV's own cameras show up with firmware before 5.0 (mpconfigboard.h of 2023, RT1062)."""


LATER_BLOCK_BYTES = 4 * KB
"""What a block behind another one keeps, MicroPython's tables aside: scripts fill the first one first."""


@dataclass(frozen=True)
class Block:
    """One block of the garbage-collected heap, of so many bytes."""

    memory: Memory
    size: int


@dataclass(frozen=True)
class Board:
    """One board. Sizes are bytes."""

    key: str
    """What `--board` takes."""
    name: str
    chip: Chip
    core: str
    mhz: int
    """Clock of the core."""
    usb_ids: tuple[tuple[int, int], ...]
    """(vendor, product) while the firmware runs."""
    board_type: str
    """What `omv.board_type()` answers: five boards say "H7", so ask `omv.arch()` too."""
    omv_arch: str
    """What `omv.arch()` answers; no two boards share it."""
    blocks: tuple[Block, ...]
    """The garbage-collected heap, in the order in which MicroPython looks for room."""
    romfs: int
    """The store for models, read in place as /rom."""
    flash: int
    """/flash, 0 where there is none."""
    sd: bool
    """Whether a card can be put in."""
    npu: Npu = ""
    romfs_align: int = 16
    """What the address of a model in ROMFS is a multiple of."""
    arch: str = "armv7emdp"
    """Architecture of native .mpy files."""
    pyb: bool = True
    """Whether the firmware has the module pyb, and with it USB HID."""

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
        """Return in which memory an arena of so many bytes will lie: the first block that has room; None if none has.

        An estimate. What scripts take before the model loads is `SCRIPT_BYTES` in the first block; behind a block that
        is too small for an arena, one keeps one part in 43 for MicroPython's tables, and `LATER_BLOCK_BYTES`.
        """
        for number, block in enumerate(self.blocks):
            kept = SCRIPT_BYTES if number == 0 else block.size // 43 + LATER_BLOCK_BYTES
            if arena <= block.size - kept:
                return block.memory
        return None


BOARDS = (
    Board("h7", "OpenMV Cam H7", "STM32H7", "Cortex-M7", 480, ((0x37C5, 0x1204),), "H7", "OMV4 H7 1024",
          (Block("SRAM", 64 * KB), Block("SRAM", 264 * KB)), romfs=128 * KB, flash=128 * KB, sd=True),
    Board("h7plus", "OpenMV Cam H7 Plus", "STM32H7", "Cortex-M7", 480, ((0x37C5, 0x124A),), "H7",
          "OMV4P H7 32768 SDRAM", (Block("SRAM", 232 * KB), Block("SDRAM", 4 * MB)), romfs=8 * MB, flash=128 * KB,
          sd=True),
    Board("nicla", "Arduino Nicla Vision", "STM32H7", "Cortex-M7", 400, ((0x2341, 0x045F),), "NICLAV", "NICLAV H7 1024",
          (Block("DTCM", 30 * KB), Block("SRAM", 63 * KB), Block("SRAM", 276 * KB)), romfs=4 * MB, flash=128 * KB,
          sd=False),
    Board("puretherm", "OpenMV Pure Thermal", "STM32H7", "Cortex-M7", 480, ((0x37C5, 0x1205),), "H7",
          "OPENMVPT 65536 SDRAM", (Block("SRAM", 240 * KB), Block("SDRAM", 8 * MB)), romfs=8 * MB, flash=128 * KB,
          sd=True),
    Board("rt1062", "OpenMV Cam RT1062", "i.MX RT1062", "Cortex-M7", 600, ((0x37C5, 0x1060),), "IMXRT1060",
          "OMVRT1060 32768 SDRAM", (Block("SRAM", 64 * KB), Block("DTCM", 204 * KB), Block("SDRAM", 8 * MB)),
          romfs=8 * MB, flash=4 * MB, sd=True, pyb=False),
    Board("portenta", "Arduino Portenta H7", "STM32H7", "Cortex-M7", 400, ((0x2341, 0x045B),), "H7",
          "PORTENTA H7 8192 SDRAM", (Block("SRAM", 176 * KB), Block("SDRAM", 2560 * KB)), romfs=4 * MB,
          flash=128 * KB, sd=True),
    Board("giga", "Arduino Giga R1", "STM32H7", "Cortex-M7", 480, ((0x2341, 0x0466),), "H7", "GIGA H7 8192 SDRAM",
          (Block("SRAM", 256 * KB), Block("SDRAM", 2560 * KB)), romfs=4 * MB, flash=128 * KB, sd=False),
    Board("ae3", "OpenMV AE3", "Alif E3", "Cortex-M55", 400, ((0x37C5, 0x16E3),), "AE3", "OPENMV AE3",
          (Block("SRAM", 4 * MB),), romfs=24 * MB, flash=8 * MB, sd=False, npu="ethos-u55", pyb=False),
    Board("n6", "OpenMV N6", "STM32N6", "Cortex-M55", 800, ((0x37C5, 0x1206),), "N6", "OpenMV N6",
          (Block("SRAM", 1 * MB), Block("SDRAM", 24 * MB)), romfs=24 * MB, flash=4 * MB, sd=True, npu="neural-art",
          romfs_align=32, pyb=False),
)  # fmt: skip


def find(name: str) -> Board:
    """The board of a key, a name or an answer of `omv.arch()`. A BlazePoserError names all keys."""
    for board in BOARDS:
        if name.casefold() in (board.key, board.name.casefold(), board.omv_arch.casefold()):
            return board
    raise BlazePoserError(f"there is no board {name!r}: use one of {', '.join(board.key for board in BOARDS)}")
