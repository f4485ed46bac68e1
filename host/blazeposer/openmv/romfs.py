"""ROMFS images: MicroPython's read-only file system, from which a camera runs a model in place.

Packing and reading are those of PyPI `openmv-ota`, which aligns a file's bytes as a board needs them, while `mpremote
romfs` does not. This module adds what a deploy asks of an image: what is in it, and what would fit.
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
"""First byte of a record that is skipped. A file's, 5, becomes it when one bit falls: flash does that unerased."""
ALIGNED = ("tflite", "lite", "onnx", "bin")
"""Kinds of files that are read in place (boards.json of openmv-ota)."""


@dataclass(frozen=True)
class RomFile:
    """A file in an image."""

    data: bytes
    offset: int
    """Place of its first byte, from the image's first."""


def check_path(path: str) -> None:
    """Raise ValueError unless this path in an image can become one in a folder of this PC."""
    parts = path.split("/")
    if not path.isprintable() or "\\" in path or any(part in ("", ".", "..") or len(part) > 100 for part in parts):
        raise ValueError(f"{path!r} is no path of a file")


def pack(files: Mapping[str, bytes], align: int) -> bytes:
    """Return the image that holds these files (path -> bytes), models at multiples of `align`. The same files give the
    same bytes."""
    rules = [{"extension": extension, "alignment": align} for extension in ALIGNED]
    with tempfile.TemporaryDirectory() as folder:
        for path, data in files.items():
            check_path(path)
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return build_image(folder, rules)


def read(image: bytes) -> dict[str, RomFile]:
    """Return the files of an image, or of a partition that begins with one; of two of one name the first, as a camera.

    Raises ValueError if it is none, if it is damaged, or if a file's name leads out of it.
    """
    files: dict[str, RomFile] = {}
    for path, entry in VfsRomReader(image).walk():
        if not entry.is_dir:
            check_path(path)
            files.setdefault(path, RomFile(entry.data, entry.data_offset))
    return files


def record(name: str, data: bytes, start: int, align: int) -> bytes:
    """Return the record of a file in the root folder, as it lies at `start` in an image; a model's bytes at a multiple
    of `align`."""
    for size in range(align):  # an image ends where the same place is, as far as alignment goes
        before = pack({"0": bytes(size)}, align)
        if len(before) % align == start % align:
            return pack({"0": bytes(size), name: data}, align)[len(before) :]
    raise AssertionError("packed images end at every place")


def stated_length(beginning: bytes) -> int:
    """Return the length that an image's header states, of which this is the beginning; 0 if it is no image's."""
    digits = _digits(beginning)
    number = 0
    for byte in beginning[3 : 3 + digits]:
        number = number << 7 | byte & 127
    return 3 + digits + number if digits else 0


def with_length(beginning: bytes, length: int) -> bytes:
    """Return the beginning of an image with another length in its header, and else as it is.

    Raises ValueError if the number has not the room for it.
    """
    digits = _digits(beginning)
    payload = length - 3 - digits
    if not digits or payload < 0 or payload >> 7 * digits:
        raise ValueError("no room for the length")
    number = bytes(payload >> 7 * place & 127 | (128 if place else 0) for place in reversed(range(digits)))
    return beginning[:3] + number + beginning[3 + digits :]


def _digits(beginning: bytes) -> int:
    """Return how many bytes the length in an image's header takes; 0 if there is none."""
    if not beginning.startswith(_MAGIC):
        return 0
    return next((place for place, byte in enumerate(beginning[3:19], 1) if byte < 128), 0)


def merge(
    old: Mapping[str, bytes], new: Mapping[str, bytes], board: Board, room: int | None = None
) -> tuple[bytes, list[str]]:
    """Return the image with the new files and as many of the old ones as fit, and the paths of those that do not.

    The largest of the old files go first. `room` is that for the image, by default the board's. A BlazePoserError if
    the new ones alone do not fit.
    """
    kept, dropped = {path: data for path, data in old.items() if path not in new}, []
    while len(image := pack({**kept, **new}, board.romfs_align)) > (board.romfs if room is None else room):
        if not kept:
            raise BlazePoserError(
                f"{board.name} has {board.romfs:,} bytes for models and these take {len(image):,}: "
                "put the model on an SD card with --to sdcard"
            )
        largest = max(kept, key=lambda path: (len(kept[path]), path))
        dropped.append(largest)
        del kept[largest]
    return image, dropped
