"""Prepare the images for `blazeposer validate`, and write remarks about unusual image files. Every image is padded to a
square and then scaled as on a camera, so that all forms of a network get the same input."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from blazeposer.core.errors import BlazePoserError, InputError
from blazeposer.core.prepare import Image, camera_input, square_pad
from blazeposer.media.sources import IMAGE_SUFFIXES, read_image
from blazeposer.scene.sequence import DemoFrame, frames

if TYPE_CHECKING:
    from blazeposer.evaluate.datasets import Dataset

STEP = 5
"""Step between the frames of the demo that are used."""
HUGE = 50_000_000
"""Smallest number of pixels with which an image gets a remark about its size."""
_ORIENTATION = 0x0112  # EXIF
_SUFFIXES = {"JPEG": (".jpg", ".jpeg"), "TIFF": (".tif", ".tiff"), "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
             "JPEG2000": (".jp2",)}  # fmt: skip

Advance = Callable[[], None]
Load = Callable[[], Image]


@dataclass(frozen=True)
class Given:
    name: str
    tensor: Image
    """Network's input (128, 128, 3)."""
    read: Load
    """Function that reads the original image, which the report shows."""


class Remark(NamedTuple):
    """A remark about an unusual image file. The file is left out only if it cannot be read."""

    name: str
    text: str
    is_left_out: bool


@dataclass(frozen=True)
class Pictures:
    """The images for `blazeposer validate` (at least one), and one remark for each unusual image file."""

    source: str
    given: list[Given]
    remarks: list[Remark] = field(default_factory=list)


def shipped() -> Pictures:
    with as_file(files("blazeposer.scene") / "assets" / "portrait.jpg") as path:
        portrait = read_image(path)
    shown = list(enumerate(frames()))[::STEP]
    heads = [_given(f"demo {number}", partial(_picture, frame)) for number, frame in shown]
    return Pictures("shipped images", [_given("portrait", lambda: portrait), *heads])


def _picture(frame: DemoFrame) -> Image:
    return frame.picture


def of_dataset(dataset: Dataset, advance: Advance = lambda: None) -> Pictures:
    """Return the images of a data set. Raises InputError if no image can be read."""
    found = [(sample.name, sample.load, sample.file) for sample in dataset.samples]
    return _read(dataset.name, found, [Remark(item.name, item.why, True) for item in dataset.left_out], advance)


def files_of(path: Path) -> list[Path]:
    """Return the files in the folder `path`, or the file `path`. Raises InputError."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder: name an image, a folder, or a data set with --dataset")
    return sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else [path]


def of_files(path: Path, found: Sequence[Path], advance: Advance = lambda: None) -> Pictures:
    """Return the images in the files `found`, which come from `path`. Raises InputError if no image can be read."""
    return _read(path.name or str(path), [(file.name, partial(read_image, file), file) for file in found], [], advance)


def _read(
    source: str, found: Iterable[tuple[str, Load, Path | None]], remarks: list[Remark], advance: Advance
) -> Pictures:
    given = []
    for name, load, file in found:
        try:
            odd = oddities(file) if file else []
            given.append(_given(name, load))
            if odd:
                remarks.append(Remark(name, "; ".join(odd), False))
        except BlazePoserError as error:
            remarks.append(Remark(name, str(error).removeprefix(f"{file}: "), True))
        advance()
    if not given:
        reasons = "; ".join(f"{remark.name}: {remark.text}" for remark in remarks[:3])
        raise InputError(f"{source}: no image can be read ({reasons or 'the folder is empty'}): name another one")
    return Pictures(source, given, remarks)


def _given(name: str, load: Load) -> Given:
    return Given(name, camera_input(square_pad(load())[0]), load)


def oddities(file: Path) -> list[str]:
    """Return the unusual properties of an image file. Raises InputError if the file cannot be read completely."""
    try:
        data = file.read_bytes()
        if not data:
            raise InputError(f"{file}: an empty file")
        with warnings.catch_warnings(action="ignore"):  # Pillow warns about images with many pixels
            image = Pillow.open(io.BytesIO(data))
            odd = _header(image, file.suffix.lower())
            image.load()  # OpenCV would return a truncated JPEG without an error
    except UnidentifiedImageError as error:
        more = ", but it has an image's name" if file.suffix.lower() in IMAGE_SUFFIXES else ""
        raise InputError(f"{file}: not an image{more}") from error
    except Pillow.DecompressionBombError as error:
        raise InputError(f"{file}: it has too many pixels to unpack safely") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{file}: truncated, damaged or unreadable ({error})") from error
    return odd


def _header(image: Pillow.Image, suffix: str) -> list[str]:
    kind = image.format or ""
    raw_mode = " ".join(str(part) for tile in getattr(image, "tile", []) for part in tile)
    turned = image.getexif().get(_ORIENTATION, 1) not in (0, 1)
    width, height = image.size
    facts = (
        (suffix not in _SUFFIXES.get(kind, (f".{kind.lower()}",)), f"misnamed: a {kind} file"),
        (turned, "turned upright because of its EXIF orientation"),
        (image.mode.startswith("I") or "16" in raw_mode.partition(";")[2], "16 bits per channel, read as 8 bits"),
        (image.mode in ("L", "LA", "1") or image.mode.startswith("I"), "grey"),
        (image.has_transparency_data, "transparent: the stored colours are used, without transparency"),
        (width * height >= HUGE, f"{width * height / 1e6:.0f} megapixels"),
    )
    return [text for holds, text in facts if holds]
