# Erases and programs the flash behind /rom in small steps. A step that fails raises an error. Before this script, the
# PC sets two values. BLOCK is the number of bytes in a block, the smallest part that can be erased. RANGES is true if
# an erase can start at any block (MicroPython pull request 19348).

import binascii

import vfs

try:
    vfs.umount("/rom")
except OSError:
    pass
device = vfs.rom_ioctl(2, 0)
view = memoryview(device)
BLANK = b"\xff" * 256


def check(answer):
    if not isinstance(answer, bool) and isinstance(answer, int) and answer < 0:
        raise OSError("the firmware refused it: " + str(answer))


def is_blank(start, end):
    if end >= len(view):  # reading the last bytes stops some boards
        return False
    return all(view[place : place + len(BLANK)] == BLANK for place in range(start, end, len(BLANK)))


def erase(end):
    """Erase the ROMFS partition from its start to `end`. If the firmware can erase block by block, the function skips
    blocks that are already erased."""
    if not hasattr(device, "ioctl") and not RANGES:
        check(vfs.rom_ioctl(3, 0, end))
    else:
        for start in range(0, end, BLOCK):
            if is_blank(start, start + BLOCK):
                continue
            if hasattr(device, "ioctl"):
                device.ioctl(6, start // BLOCK)
            else:
                check(vfs.rom_ioctl(3, 0, start, BLOCK))
    if not is_blank(0, min(end, len(view) - len(BLANK) * 2)):
        raise OSError("flash was not erased")
    print("erased", end)


def write(offset, text, first, last):
    """Decode the base64 string `text`, and write the bytes to flash at `offset`. The PC has padded the bytes to whole
    machine words: before index `first` and from index `last` on, they are 0xFF, which does not change the flash."""
    data = binascii.a2b_base64(text)
    if view[offset + first : offset + last] != data[first:last]:
        if hasattr(device, "ioctl"):
            device.writeblocks(offset // BLOCK, data, offset % BLOCK)
        else:
            check(vfs.rom_ioctl(4, 0, offset, data))
        if view[offset + first : offset + last] != data[first:last]:
            raise OSError("flash differs from the written bytes at " + str(offset))
    print("wrote", last - first)
