"""The images that the stages see, and what was odd about their files.

Every image is padded to a square and sampled as a camera does it: this is the one input that all stages can be given.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from blazeposer.core.contract import ANGLES, MAX_ANGLE
from blazeposer.core.errors import BlazePoserError, InputError
from blazeposer.core.prepare import Image, camera_input, square_pad
from blazeposer.evaluate.metrics import OVERLAP, Rule
from blazeposer.media.sources import IMAGE_SUFFIXES, read_image
from blazeposer.scene.sequence import frames

if TYPE_CHECKING:
    from blazeposer.evaluate.datasets import Dataset

Floats = NDArray[np.float64]

STEP = 5
"""Every fifth of the demo's frames is among the shipped images."""
LABELS = "labels.csv"
"""Of a folder of one's own: a line a face with file, x0, y0, x1, y1 in pixels, yaw, pitch, roll in degrees."""
HUGE = 50_000_000
"""Pixels from which on an image's size is remarked on."""
_BOX = ("x0", "y0", "x1", "y1")
_ORIENTATION = 0x0112  # EXIF
_SUFFIXES = {"JPEG": (".jpg", ".jpeg"), "TIFF": (".tif", ".tiff"), "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
             "JPEG2000": (".jp2",)}  # fmt: skip

Advance = Callable[[], None]


@dataclass(frozen=True)
class Given:
    """One image; labels as fractions of the padded square, none where they are not known."""

    name: str
    tensor: Image
    """(128, 128, 3), what goes into the network."""
    read: Callable[[], Image]
    """The image itself, to show."""
    boxes: Floats = field(default_factory=lambda: np.zeros((0, 4)))
    """(n, 4) x0, y0, x1, y1."""
    angles: Floats = field(default_factory=lambda: np.zeros((0, 3)))
    """(n, 3) yaw, pitch, roll in degrees."""


class Remark(NamedTuple):
    """A remark on an odd file, which is used nevertheless, or left out."""

    name: str
    text: str
    is_left_out: bool


@dataclass(frozen=True)
class Pictures:
    """All images of a source, at least one, and all remarks, one a file."""

    source: str
    given: list[Given]
    remarks: list[Remark] = field(default_factory=list)
    rule: Rule = OVERLAP
    """How a detection answers a label."""


def shipped() -> Pictures:
    """The portrait, and the demo's heads, whose boxes and angles are known."""
    with as_file(files("blazeposer.scene") / "assets" / "portrait.jpg") as path:
        portrait = read_image(path)
    given = [_given("portrait", lambda: portrait)]
    for number, frame in enumerate(frames()):
        if number % STEP == 0:
            boxes = [(x, y, x + w, y + h) for x, y, w, h in (person.box for person in frame.people)]
            angles = [person.angles for person in frame.people]
            given.append(_given(f"demo {number}", lambda frame=frame: frame.picture, boxes, angles))  # type: ignore[misc]
    return Pictures("shipped pictures", given)


def of_dataset(dataset: Dataset, advance: Advance = lambda: None) -> Pictures:
    """Return the images of a data set, with remarks on odd or unreadable files and on labels that are no numbers."""
    given, remarks = [], [Remark(item.name, item.why, True) for item in dataset.left_out]
    for sample in dataset.samples:
        boxes, angles = sample.boxes, sample.angles
        if angles is None:  # a set for detection: nothing to score
            boxes, angles = np.zeros((0, 4)), np.zeros((0, 3))
        good = np.isfinite(np.hstack([boxes, angles])).all(axis=1)
        try:
            odd = oddities(sample.file) if sample.file else []
            given.append(_given(sample.name, sample.load, boxes[good], angles[good]))
            if not good.all():
                odd.append("a label is not a number: that face is not scored")
            if odd:
                remarks.append(Remark(sample.name, "; ".join(odd), False))
        except BlazePoserError as error:
            remarks.append(Remark(sample.name, str(error).removeprefix(f"{sample.file}: "), True))
        advance()
    return _some(Pictures(dataset.name, given, remarks, dataset.rule))


def files_of(path: Path) -> list[Path]:
    """The file, or the files of the folder. Raises InputError."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder: name a picture, a folder, or a data set with --dataset")
    return sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else [path]


def of_files(path: Path, found: Sequence[Path], advance: Advance = lambda: None) -> Pictures:
    """The images of a file or folder, perhaps with LABELS, that has these files. Raises InputError if there is none
    that can be read."""
    remarks: list[Remark] = []
    labels = _labels(path / LABELS, remarks) if path.is_dir() else {}
    names = {item.name for item in found}
    remarks += [Remark(name, f"missing, but {LABELS} names it", True) for name in labels if name not in names]
    given = []
    for file in found:
        advance()
        if file.name == LABELS:
            continue
        boxes, angles = labels.get(file.name, ([], []))
        try:
            odd = oddities(file)
            given.append(_given(file.name, lambda file=file: read_image(file), boxes, angles))  # type: ignore[misc]
            if labels and file.name not in labels:
                odd.append(f"extra: {LABELS} does not name it, so it is not scored")
            if odd:
                remarks.append(Remark(file.name, "; ".join(odd), False))
        except InputError as error:
            remarks.append(Remark(file.name, str(error).removeprefix(f"{file}: "), True))
    return _some(Pictures(path.name or str(path), given, remarks))


def oddities(file: Path) -> list[str]:
    """Return what is unusual about an image file. Raises InputError if it cannot be read whole."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error
    if not data:
        raise InputError(f"{file}: an empty file")
    try:
        with warnings.catch_warnings(action="ignore"):  # of many pixels
            image = Pillow.open(io.BytesIO(data))
            odd = _header(image, file.suffix.lower())
            image.load()  # OpenCV would give a truncated JPEG without a word
    except (UnidentifiedImageError, Pillow.DecompressionBombError) as error:
        if isinstance(error, UnidentifiedImageError) and file.suffix.lower() in IMAGE_SUFFIXES:
            raise InputError(f"{file}: not a picture, whatever its name says") from error
        raise InputError(f"{file}: not a picture" if isinstance(error, UnidentifiedImageError) else
                         f"{file}: more pixels than are safe to unpack") from error  # fmt: skip
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{file}: truncated or damaged ({error})") from error
    return odd


def _header(image: Pillow.Image, suffix: str) -> list[str]:
    kind = image.format or ""
    raw_mode = " ".join(str(part) for tile in getattr(image, "tile", []) for part in tile)
    turned = image.getexif().get(_ORIENTATION, 1) not in (0, 1)
    width, height = image.size
    facts = (
        (suffix not in _SUFFIXES.get(kind, (f".{kind.lower()}",)), f"misnamed: a {kind} file"),
        (turned, "turned upright by its EXIF orientation"),
        (image.mode.startswith("I") or "16" in raw_mode.partition(";")[2], "16 bits a channel, read as 8"),
        (image.mode in ("L", "LA", "1") or image.mode.startswith("I"), "grey"),
        (image.has_transparency_data, "transparent: what shows through is taken as it is stored"),
        (width * height >= HUGE, f"{width * height / 1e6:.0f} megapixels"),
    )
    return [text for holds, text in facts if holds]


def _labels(path: Path, remarks: list[Remark]) -> dict[str, tuple[list[list[float]], list[list[float]]]]:
    """File -> boxes and angles of its faces; rows that are no labels are remarked on."""
    found: defaultdict[str, tuple[list[list[float]], list[list[float]]]] = defaultdict(lambda: ([], []))
    if not path.is_file():
        return found
    with open(path, newline="", encoding="utf-8-sig", errors="replace") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            try:
                box, angles = ([float(row[key]) for key in keys] for keys in (_BOX, ANGLES))
                name = str(row["file"])
                if not np.isfinite([*box, *angles]).all():
                    raise ValueError("a value is not a number")
            except (KeyError, TypeError, ValueError) as error:
                remarks.append(Remark(f"{LABELS}, line {number}", f"not a label ({error}): not scored", False))
                found[str(row.get("file"))]  # the image itself is named
                continue
            if np.abs(angles).max() <= MAX_ANGLE:
                found[name][0].append(box)
                found[name][1].append(angles)
    return found


def _given(
    name: str, read: Callable[[], Image], boxes: Iterable[Sequence[float]] = (), angles: Iterable[Sequence[float]] = ()
) -> Given:
    square, (x, y, side) = square_pad(read())
    pixels = np.array(list(boxes), np.float64).reshape(-1, 4)
    fractions = (pixels - [x, y, x, y]) / side
    return Given(name, camera_input(square), read, fractions, np.array(list(angles), np.float64).reshape(-1, 3))


def _some(pictures: Pictures) -> Pictures:
    if not pictures.given:
        reasons = "; ".join(f"{remark.name}: {remark.text}" for remark in pictures.remarks[:3])
        raise InputError(f"{pictures.source}: no picture that can be read ({reasons or 'it is empty'}): name another")
    return pictures
