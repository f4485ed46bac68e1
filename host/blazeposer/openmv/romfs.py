"""Pack and read images of ROMFS, MicroPython's read-only file system. A camera runs a model in ROMFS without copying
the model. The PyPI package `openmv-ota` packs and reads the images. `openmv-ota` aligns the bytes of a file as a board
needs them, but `mpremote romfs` does not. For a deploy, this module also lists the files in an image, and decides which
files fit into an image.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from openmv_ota.romfs.builder import build_image
from openmv_ota.romfs.container import VfsRomReader

from blazeposer.core.boards import Board
from blazeposer.core.errors import BlazePoserError

_MAGIC = b"\xd2\xcd\x31"
PADDING = b"\x01"
"""First byte of a record that readers skip. The first byte of a file's record is 5. To change 5 to 1, only one bit must
become 0, and flash memory can do this without an erase."""
ALIGNED = ("tflite", "lite", "onnx", "bin")
"""Endings of the names of files that are read in place (boards.json of openmv-ota)."""


@dataclass(frozen=True)
class RomFile:
    """A file in an image."""

    data: bytes
    offset: int
    """Distance of the file's first byte from the image's first byte, in bytes."""


def check_path(path: str) -> None:
    """Raise ValueError if it is not safe to use this path of an image in a folder on the PC."""
    parts = path.split("/")
    if not path.isprintable() or "\\" in path or any(part in ("", ".", "..") or len(part) > 100 for part in parts):
        raise ValueError(f"{path!r} is no path of a file")


def pack(files: Mapping[str, bytes], align: int) -> bytes:
    """Return the image that holds these files (path -> bytes). Models begin at multiples of `align`. Equal files always
    give equal images."""
    rules = [{"extension": extension, "alignment": align} for extension in ALIGNED]
    with tempfile.TemporaryDirectory() as folder:
        for path, data in files.items():
            check_path(path)
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return build_image(folder, rules)


def read(image: bytes) -> dict[str, RomFile]:
    """Return the files of an image, or of a partition that begins with an image. If two files have the same name, the
    result contains only the first file, because a camera also uses the first file. Raises ValueError if there is no
    image, if the image is damaged, or if the name of a file points outside the image."""
    files: dict[str, RomFile] = {}
    for path, entry in VfsRomReader(image).walk():
        if not entry.is_dir:
            check_path(path)
            files.setdefault(path, RomFile(entry.data, entry.data_offset))
    return files


def record(name: str, data: bytes, start: int, align: int) -> bytes:
    """Return the record of a file in the root folder, for position `start` in an image. The bytes of a model begin at a
    multiple of `align`."""
    for size in range(align):  # search an image whose end has the alignment of `start`
        before = pack({"0": bytes(size)}, align)
        if len(before) % align == start % align:
            return pack({"0": bytes(size), name: data}, align)[len(before) :]
    raise AssertionError("packed images end at every place")


def stated_length(beginning: bytes) -> int:
    """Return the length of an image. The header in the image's first bytes states the length. Return 0 if `beginning`
    is not the beginning of an image."""
    digits = _digits(beginning)
    number = 0
    for byte in beginning[3 : 3 + digits]:
        number = number << 7 | byte & 127
    return 3 + digits + number if digits else 0


def with_length(beginning: bytes, length: int) -> bytes:
    """Return the beginning of an image with another length in its header and no other change. Raises ValueError if the
    header has no space for the number."""
    digits = _digits(beginning)
    payload = length - 3 - digits
    if not digits or payload < 0 or payload >> 7 * digits:
        raise ValueError("no room for the length")
    number = bytes(payload >> 7 * place & 127 | (128 if place else 0) for place in reversed(range(digits)))
    return beginning[:3] + number + beginning[3 + digits :]


def _digits(beginning: bytes) -> int:
    """Return the number of bytes that the length takes in an image's header, or 0 if there is no header."""
    if not beginning.startswith(_MAGIC):
        return 0
    return next((place for place, byte in enumerate(beginning[3:19], 1) if byte < 128), 0)


def merge(
    old: Mapping[str, bytes], new: Mapping[str, bytes], board: Board, room: int | None = None
) -> tuple[bytes, list[str]]:
    """Return the image with the new files and as many old files as fit, and the paths of the old files that do not fit.

    The largest old files are removed first. `room` is the space for the image in bytes. The default is the space on the
    board. Raises BlazePoserError if the new files alone do not fit.
    """
    kept, dropped = {path: data for path, data in old.items() if path not in new}, []
    while len(image := pack({**kept, **new}, board.romfs_align)) > (board.romfs if room is None else room):
        if not kept:
            raise BlazePoserError(
                f"{board.name} has {board.romfs:,} bytes for models, but the new files need {len(image):,}: "
                "put the model on an SD card with --to sdcard"
            )
        largest = max(kept, key=lambda path: (len(kept[path]), path))
        dropped.append(largest)
        del kept[largest]
    return image, dropped
