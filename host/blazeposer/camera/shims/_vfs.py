# Stand-in for `vfs` as a camera has it: the unix build's, with a ROMFS partition in memory-mapped flash.
# Behaviour after MicroPython 1.28, ports/stm32/vfs_rom_ioctl.c (cameras give a memoryview, not a block device):
# erased bytes are 0xFF, writing clears bits only, an argument out of range is a negative number. Block sizes:
# `erase_size` of boards.json, PyPI openmv-ota.

from vfs import *

NUMBER_OF_SEGMENTS, SEGMENT, WRITE_PREPARE, WRITE, WRITE_COMPLETE, BLOCK_SIZE = 1, 2, 3, 4, 5, 6
_IMAGE = "/rom.img"
_EINVAL = -22

_files = None
_flash = None
_block = 0


def load(files, block):
    """The partition lies in a file of the PC, and here as flash does: mapped into memory."""
    global _files, _flash, _block
    _files, _block = files, block
    _flash = bytearray(_files.stat(_IMAGE)[6])
    with _files.open(_IMAGE, "rb") as file:
        file.readinto(_flash)


def mount_rom():
    try:
        mount(VfsRom(memoryview(_flash)), "/rom")
    except OSError:
        pass  # no ROMFS in there: the firmware starts without /rom


def rom_ioctl(command, *arguments):
    if command == NUMBER_OF_SEGMENTS:
        return 1
    if not arguments or arguments[0] != 0:
        return _EINVAL
    if command == SEGMENT:
        return memoryview(_flash)
    if command == BLOCK_SIZE:
        return _block
    if command == WRITE_PREPARE and len(arguments) in (2, 3):  # (segment, [offset,] length)
        first = arguments[1] // _block if len(arguments) == 3 else 0
        end = arguments[-1] + (arguments[1] if len(arguments) == 3 else 0)
        if end > len(_flash):
            return _EINVAL
        for block in range(first, (end + _block - 1) // _block):
            _keep(block * _block, b"\xff" * _block)
        return 16
    if command == WRITE and len(arguments) == 3:
        offset, data = arguments[1:]
        if offset + len(data) > len(_flash):
            return _EINVAL
        _keep(offset, bytes([old & new for old, new in zip(memoryview(_flash)[offset:], data)]))
        return 0
    if command == WRITE_COMPLETE:
        return 0
    return _EINVAL


def _keep(offset, data):
    _flash[offset : offset + len(data)] = data
    with _files.open(_IMAGE, "r+b") as file:
        file.seek(offset)
        file.write(data)
