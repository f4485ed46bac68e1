# Imitates a camera's `vfs`: the unix build's `vfs` with a ROMFS partition in flash.
# The behaviour follows MicroPython 1.28: ports/stm32/vfs_rom_ioctl.c, ports/alif/vfs_rom_ioctl.c and ospi_flash.c,
# ports/mimxrt/mimxrt_flash.c. Firmware 5.1 follows pull request 19348. openmv/flash.py on the PC describes the
# differences between boards, with sources. tests/test_virtual_flash.py names the source of each rule.

import builtins
import time

import uctypes
from _link import ask as _ask
from vfs import VfsFat, VfsLfs2, VfsRom, mount, umount

NUMBER_OF_SEGMENTS, SEGMENT, WRITE_PREPARE, WRITE, BLOCK_SIZE = 1, 2, 3, 4, 6
_IMAGE = "/rom.img"
_EINVAL = -22
_EIO = -5
_WORD = 32  # bytes in a word of the STM32H7's own flash; after an erase, a word can be written once
_OCTAL_WORD = 4

_memoryview = memoryview
_files = None
_kind = {}
_flash = None  # the flash for scripts, read-only
_cells = None  # the same bytes, writable


class _Mapped:
    """A memoryview that imitates a fault of real cameras. A read of several bytes never ends if it reaches the last
    bytes of the ROMFS partition (see the PyPI package openmv-ota)."""

    def __init__(self, data, tail):
        self._view = _memoryview(data)
        self._end = uctypes.addressof(data) + len(data) - tail

    def __len__(self):
        return len(self._view)

    def __getitem__(self, index):
        part = self._view[index]
        if not isinstance(part, int) and uctypes.addressof(part) + len(part) > self._end:
            _hang()
        return part


class _Device(bytes):
    """The ROMFS partition as a block device that is also a read-only buffer, as on the board RT1062."""

    def __len__(self):
        raise TypeError("object of type 'Flash' has no len()")

    def readblocks(self, block, buffer, offset=0):
        start = block * _kind["block"] + offset
        buffer[:] = _cells[start : start + len(buffer)]

    def writeblocks(self, block, data, offset=None):
        if offset is None:
            _erase(block * _kind["block"], _kind["block"])
        _program(block * _kind["block"] + (offset or 0), data)
        return False

    def ioctl(self, request, argument):
        if request in (1, 2, 3):
            return 0
        if request == 4:
            return len(_cells) // _kind["block"]
        if request == 5:
            return _kind["block"]
        if request == 6:
            _erase(argument * _kind["block"], _kind["block"])
            return False


def load(files, kind):
    """Load the ROMFS partition into memory. Scripts read the partition directly in memory, as on a camera."""
    global _files, _kind, _flash, _cells
    _files, _kind = files, kind
    size = _files.stat(_IMAGE)[6]
    with _files.open(_IMAGE, "rb") as file:
        data = file.read(size)
    if kind["kind"] == "device":
        data = _Device(data)
    view = _memoryview(data)
    _cells = uctypes.bytearray_at(uctypes.addressof(view), size)
    _flash = data if kind["kind"] == "device" else _Mapped(view, kind["tail"]) if kind["tail"] else view
    if kind["tail"]:
        builtins.memoryview = lambda value: value if isinstance(value, _Mapped) else _memoryview(value)


def mount_rom():
    try:
        mount(VfsRom(_memoryview(_cells)), "/rom")
    except OSError:
        pass  # the flash holds no ROMFS, so the firmware starts without /rom


def rom_ioctl(command, *arguments):
    if command == NUMBER_OF_SEGMENTS:
        return 1
    if not arguments or arguments[0] != 0:
        return _EINVAL
    if command == SEGMENT:
        return _flash
    if _kind["kind"] == "device":
        return _EINVAL
    if command == BLOCK_SIZE and _kind["ranges"]:
        return _kind["block"]
    if command == WRITE_PREPARE and len(arguments) > 1:
        offset, length = arguments[1:3] if _kind["ranges"] and len(arguments) > 2 else (0, arguments[1])
        if offset + length > len(_cells):
            return _EINVAL
        _erase(offset, length)
        return 16 if _kind["kind"] == "internal" else 4
    if command == WRITE and len(arguments) > 2:
        offset, data = arguments[1:]
        if offset + len(data) > len(_cells):
            return _EINVAL
        return _program(offset, data)
    return _EINVAL


def _erase(offset, length):
    """Erase the flash blocks that contain the `length` bytes from `offset` on, in the time that real flash needs."""
    block, faults = _kind["block"], _kind["longest"]
    interrupted = None
    first, end = offset // block * block, offset + length
    for start in range(first, end, block):
        if faults and start - first >= faults:
            _hang()
        try:
            time.sleep(_kind["erase"])
        except KeyboardInterrupt as error:  # Ctrl-C takes effect after the call
            interrupted = error
        _keep(start, b"\xff" * block)
    _ask("write", to="ROMFS", value=["erase", first, max(0, (end - first + block - 1) // block * block)])
    if interrupted:
        raise interrupted


def _program(offset, data):
    """Write bytes into flash. Writing can change a bit from 1 to 0, but not from 0 to 1."""
    data = bytes(data)
    if _kind["kind"] == "internal":
        data = data[: len(data) // _WORD * _WORD]  # an incomplete word at the end is dropped
        if offset % _WORD or _cells[offset : offset + len(data)].strip(b"\xff"):
            return _EIO
    if _kind["kind"] == "octal" and (offset % _OCTAL_WORD or len(data) % _OCTAL_WORD):
        _hang()  # the firmware's loop subtracts 4 and never reaches 0
    _keep(offset, bytes([old & new for old, new in zip(_cells[offset : offset + len(data)], data)]))
    _ask("write", to="ROMFS", value=["write", offset, len(data)])
    return 0


def _keep(offset, data):
    _cells[offset : offset + len(data)] = data
    with _files.open(_IMAGE, "r+b") as file:
        file.seek(offset)
        file.write(data)


def _hang():
    while True:
        try:
            time.sleep(1)
        except KeyboardInterrupt:
            pass
