"""The boards that run OpenMV firmware 5.0, as data: the one place on the PC that states what a board holds.

Where each figure was read (public sources, mid 2026; none was measured on a camera):

    name, usb_ids, romfs_align  boards.json of PyPI `openmv-ota` 1.0.7 (`runtime` for OpenMV's own boards); the
                                Arduino ids and the OpenMV ones, but the RT1062's, also
                                `MICROPY_HW_USB_VID/PID` of `ports/*/boards/*/mpconfigboard.h`, openmv/micropython
    board_type, omv_arch        `OMV_BOARD_TYPE`, `OMV_BOARD_ARCH` of `boards/*/board_config.h`, openmv/openmv;
                                `omv.board_type()` and `omv.arch()` return them as they are (py_omv.c)
    heap, romfs                 `OMV_GC_BLOCKn_SIZE` (the largest), `OMV_ROMFS_PART0_LENGTH`, same file
    flash                       `OMV_FLASH_FFS_LENGTH`, same file. Where mpconfigboard.h puts the storage into
                                an external flash of 11 or 24 MB instead (H7 Plus, Pure Thermal, Portenta, Giga,
                                Nicla Vision), the smaller of the two stands here. AE3 and N6:
                                `MICROPY_HW_FLASH_STORAGE_FS_BYTES`, `MICROPY_HW_BDEV_SPIFLASH_SIZE_BYTES`
    sd                          `MICROPY_HW_ENABLE_SDCARD` (stm32), `MICROPY_USDHC1` (RT1062) of mpconfigboard.h;
                                none in the AE3's. The Portenta's slot is on its Vision Shield
    arch                        `mpy_args` of boards.json
    cpu, npu                    quick references on docs.openmv.io, PLL comments of board_config.h
    pyb                         library reference on docs.openmv.io, pyb: STM32 only, and not the N6
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from blazeposer.core.errors import BlazePoserError

Npu = Literal["", "ethos-u55", "neural-art"]

KB = 1024
MB = 1024 * KB

SCRIPT_BYTES = 34 * KB
"""What the largest heap block keeps for everything but the model: MicroPython's own tables (one part in 43), TFLite
Micro's list of operations, 512 bytes that the firmware adds to an arena, and what scripts import before the model."""

OLD_USB_ID = (0x1209, 0xABD1)
"""Under which all of OpenMV's own cameras show up with firmware before 5.0 (mpconfigboard.h of 2023, RT1062)."""


@dataclass(frozen=True)
class Board:
    """One board. Sizes are bytes."""

    key: str
    """What `--board` takes."""
    name: str
    cpu: str
    usb_ids: tuple[tuple[int, int], ...]
    """(vendor, product) while the firmware runs."""
    board_type: str
    """What `omv.board_type()` answers: five boards say "H7", so ask `omv.arch()` too."""
    omv_arch: str
    """What `omv.arch()` answers; no two boards share it."""
    heap: int
    """Largest block of the garbage-collected heap: an arena is one block."""
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
    def arena(self) -> int:
        """The largest arena that leaves scripts what they need, bytes."""
        return self.heap - SCRIPT_BYTES


BOARDS = (
    Board("h7", "OpenMV Cam H7", "Cortex-M7, 480 MHz", ((0x37C5, 0x1204),), "H7", "OMV4 H7 1024",
          heap=264 * KB, romfs=128 * KB, flash=128 * KB, sd=True),
    Board("h7plus", "OpenMV Cam H7 Plus", "Cortex-M7, 480 MHz", ((0x37C5, 0x124A),), "H7", "OMV4P H7 32768 SDRAM",
          heap=4 * MB, romfs=8 * MB, flash=128 * KB, sd=True),
    Board("nicla", "Arduino Nicla Vision", "Cortex-M7, 400 MHz", ((0x2341, 0x045F),), "NICLAV", "NICLAV H7 1024",
          heap=276 * KB, romfs=4 * MB, flash=128 * KB, sd=False),
    Board("puretherm", "OpenMV Pure Thermal", "Cortex-M7, 480 MHz", ((0x37C5, 0x1205),), "H7", "OPENMVPT 65536 SDRAM",
          heap=8 * MB, romfs=8 * MB, flash=128 * KB, sd=True),
    Board("rt1062", "OpenMV Cam RT1062", "Cortex-M7, 600 MHz", ((0x37C5, 0x1060),), "IMXRT1060",
          "OMVRT1060 32768 SDRAM", heap=8 * MB, romfs=8 * MB, flash=4 * MB, sd=True, pyb=False),
    Board("portenta", "Arduino Portenta H7", "Cortex-M7, 400 MHz", ((0x2341, 0x045B),), "H7", "PORTENTA H7 8192 SDRAM",
          heap=2560 * KB, romfs=4 * MB, flash=128 * KB, sd=True),
    Board("giga", "Arduino Giga R1", "Cortex-M7, 480 MHz", ((0x2341, 0x0466),), "H7", "GIGA H7 8192 SDRAM",
          heap=2560 * KB, romfs=4 * MB, flash=128 * KB, sd=False),
    Board("ae3", "OpenMV AE3", "Cortex-M55, 400 MHz", ((0x37C5, 0x16E3),), "AE3", "OPENMV AE3",
          heap=4 * MB, romfs=24 * MB, flash=8 * MB, sd=False, npu="ethos-u55", pyb=False),
    Board("n6", "OpenMV N6", "Cortex-M55, 800 MHz", ((0x37C5, 0x1206),), "N6", "OpenMV N6",
          heap=24 * MB, romfs=24 * MB, flash=4 * MB, sd=True, npu="neural-art", romfs_align=32, pyb=False),
)  # fmt: skip


def find(name: str) -> Board:
    """The board of a key, a name or an answer of `omv.arch()`. A BlazePoserError names all keys."""
    for board in BOARDS:
        if name.casefold() in (board.key, board.name.casefold(), board.omv_arch.casefold()):
            return board
    raise BlazePoserError(f"there is no board {name!r}: use one of {', '.join(board.key for board in BOARDS)}")
