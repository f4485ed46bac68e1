"""Pack and read images of ROMFS, MicroPython's read-only file system. A camera can run a network from ROMFS without a
copy in RAM. The package `openmv-ota` aligns the files in a ROMFS image as the board requires, but `mpremote romfs` does
not."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from openmv_ota.romfs.builder import build_image
from openmv_ota.romfs.container import ROMFS_HEADER_MAGIC, VfsRomReader, encode_uint

from blazeposer.core.boards import Board
from blazeposer.core.errors import BlazePoserError

PADDING = b"\x01"
"""First byte of a padding record. A record is a part of a ROMFS image, and a camera skips padding records when it reads
the image. The first byte of a file's record is 5. A change from 5 to 1 sets a single bit to 0, which flash can do
without an erase."""
ALIGNED = ("tflite", "lite", "onnx", "bin")
"""Suffixes of the files that a camera uses without a copy in RAM (boards.json of openmv-ota)."""


@dataclass(frozen=True)
class RomFile:
    data: bytes
    offset: int
    """Position of the file's first byte in the ROMFS image."""


def check_path(path: str) -> None:
    """Raise ValueError if a path from a ROMFS image is not safe for a file on the PC."""
    parts = path.split("/")
    if not path.isprintable() or "\\" in path or any(part in ("", ".", "..") or len(part) > 100 for part in parts):
        raise ValueError(f"{path!r} is no path of a file")


def pack(files: Mapping[str, bytes], align: int) -> bytes:
    """Return a ROMFS image that contains `files`. Files with a suffix in `ALIGNED` begin at multiples of `align`."""
    rules = [{"extension": extension, "alignment": align} for extension in ALIGNED]
    with tempfile.TemporaryDirectory() as folder:
        for path, data in files.items():
            check_path(path)
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return build_image(folder, rules)


def read(image: bytes) -> dict[str, RomFile]:
    """Return the files of a ROMFS image, or of a partition that begins with a ROMFS image. If two files have the same
    path, only the first one is returned, because a camera uses only the first one. Raises ValueError if the image is
    missing or damaged, or if a path is not safe."""
    files: dict[str, RomFile] = {}
    for path, entry in VfsRomReader(image).walk():
        if not entry.is_dir:
            check_path(path)
            files.setdefault(path, RomFile(entry.data, entry.data_offset))
    return files


def record(name: str, data: bytes, start: int, align: int) -> bytes:
    """Return the bytes that store a file in the root folder of a ROMFS image, at the position `start`."""
    for size in range(align):  # find an image with the same length as `start`, modulo `align`
        before = pack({"0": bytes(size)}, align)
        if len(before) % align == start % align:
            return pack({"0": bytes(size), name: data}, align)[len(before) :]
    raise AssertionError("packed images end at every place")


def stated_length(beginning: bytes) -> int:
    """Return the length that an image's header states, or 0 without a header."""
    digits = _digits(beginning)
    number = 0
    for byte in beginning[3 : 3 + digits]:
        number = number << 7 | byte & 127
    return 3 + digits + number if digits else 0


def with_length(beginning: bytes, length: int) -> bytes:
    """Return `beginning`, the first bytes of an image, with a new length in the header. Raises ValueError if the header
    has no space for the length."""
    digits = _digits(beginning)
    number = encode_uint(length - 3 - digits).rjust(digits, b"\x80")
    if not digits or len(number) > digits:
        raise ValueError("no room for the length")
    return beginning[:3] + number + beginning[3 + digits :]


def _digits(beginning: bytes) -> int:
    """Return how many bytes of the header store the length, or 0 if there is no header."""
    if not beginning.startswith(ROMFS_HEADER_MAGIC):
        return 0
    return next((place for place, byte in enumerate(beginning[3:19], 1) if byte < 128), 0)


def merge(
    old: Mapping[str, bytes], new: Mapping[str, bytes], board: Board, room: int | None = None
) -> tuple[bytes, list[str]]:
    """Return a ROMFS image with all files of `new` and as many files of `old` as fit, and the paths of the files that
    do not fit. The largest files of `old` are dropped first. `room` is the space in bytes, by default the board's
    space. Raises BlazePoserError if the new files need more space."""
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
