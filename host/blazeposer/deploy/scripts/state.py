# Prints the camera's state as one line of JSON. Before this script, the PC sets four values. NAMES are the files to
# look for on each drive. CARD is the file that identifies a card. ROOM is the limit for counting erased bytes of flash.
# TAILS are the boards (`omv.arch()`) on which the end of the ROMFS partition must not be read. The script reads the
# bytes of this partition and no files in /rom, because a damaged ROMFS could be dangerous (format: extmod/vfs_rom.c).

import hashlib
import json
import os

import omv

MAGIC = b"\xd2\xcd\x31"
PADDING, VERBATIM, DIRECTORY, FILE = 1, 2, 4, 5
LIMIT = 1 << 28
BLANK = b"\xff" * 256


def digest(view):
    sha = hashlib.sha256()
    for start in range(0, len(view), 4096):
        sha.update(view[start : start + 4096])
    return sha.digest().hex()


def of_file(path):
    sha, size, block = hashlib.sha256(), 0, memoryview(bytearray(1024))
    with open(path, "rb") as file:
        while True:
            count = file.readinto(block)
            if not count:
                return [size, sha.digest().hex()]
            sha.update(block[:count])
            size += count


def number(view, position):
    value = 0
    while True:
        byte = view[position]
        position += 1
        value = value << 7 | byte & 127
        if value > LIMIT:  # in erased flash, a number would never end
            raise ValueError
        if byte < 128:
            return value, position


def record(view, position):
    """Return the kind of a ROMFS record, and the start and the end of the record's content. Raises IndexError if the
    record is not completely inside the bytes `view`."""
    kind, position = number(view, position)
    length, position = number(view, position)
    if position + length > len(view):
        raise IndexError
    return kind, position, position + length


def walk(view, position, end, folder, files):
    while position < end:
        begin = position
        kind, start, position = record(view, position)
        if kind in (DIRECTORY, FILE):
            length, start = number(view, start)
            path = folder + str(view[start : start + length], "utf8")
            if kind == DIRECTORY:
                walk(view, start + length, position, path + "/", files)
            else:
                kind, start, stop = record(view, start + length)
                if kind == VERBATIM and path not in files:  # of two equal paths, the camera uses the first
                    files[path] = [begin, start, stop - start, digest(view[start:stop])]


def left_behind(view, place):
    """Return the positions of old file records, and the position where the old records end. The old records come from
    an earlier ROMFS image, and start at the position `place`."""
    places = []
    try:
        while True:
            kind, _, end = record(view, place)
            if view[place] not in (PADDING, FILE):
                break
            if kind == FILE:
                places.append(place)
            place = end
    except (IndexError, ValueError):
        pass
    return places, place


def erased(view, place):
    """Return the number of erased bytes that follow the position `place`."""
    count = 0
    while count < ROOM:
        part = view[place + count : place + count + len(BLANK)]
        if not len(part) or part != BLANK[: len(part)]:
            break
        count += len(part)
    return count


def of_rom():
    import vfs

    if not hasattr(vfs, "rom_ioctl"):
        return None
    device = vfs.rom_ioctl(2, 0)
    if isinstance(device, int):
        return None
    view = memoryview(device)
    block = device.ioctl(5, 0) if hasattr(device, "ioctl") else max(0, vfs.rom_ioctl(6, 0))
    rom = {"size": len(view), "ranges": block > 0, "used": 0, "header": 0}
    rom["sha256"], rom["files"] = "", None
    if omv.arch() in TAILS:
        view = view[: len(view) - 512]
    if view[:3] == MAGIC:
        try:
            _, start, end = record(view, 0)
            rom["used"], rom["header"] = end, start
            files = {}
            walk(view[:end], start, end, "", files)
            rom["files"] = files
        except (IndexError, ValueError):
            pass  # ROMFS is damaged: files stays None
    if rom["files"] is None and view[:32] != BLANK[:32]:  # blank means no image: the header is written last
        rom["sha256"] = digest(view[:4096])
    rom["behind"], rom["blank"] = left_behind(view, rom["used"]) if rom["files"] is not None else ([], 0)
    rom["room"] = erased(view, rom["blank"])
    return rom


def state():
    answer = {"version": omv.version_string()}
    if int(answer["version"].split(".")[0]) < 5:
        return answer  # the rest needs firmware 5.0
    import machine

    answer.update(
        {"arch": omv.arch(), "id": machine.unique_id().hex(), "start": os.getcwd(), "drives": {}, "files": {}}
    )
    for drive in ("/flash", "/sdcard"):
        try:
            size, _, _, free = os.statvfs(drive)[:4]
            names = os.listdir(drive)
        except OSError:
            continue
        answer["drives"][drive] = [size, free]
        for name in NAMES:
            if name in names:
                answer["files"][drive + "/" + name] = of_file(drive + "/" + name)
    try:
        with open("/sdcard/" + CARD) as file:
            answer["card"] = file.read(40)
    except (OSError, UnicodeError):
        answer["card"] = ""
    answer["rom"] = of_rom()
    return answer


print(json.dumps(state()))
