"""Read the validation part of WIDER FACE (Yang et al., CVPR 2016), which has 3,226 images and no labelled angles.

The file `LIST` contains several lines for each image. The first line is the image's name, and the second line is the
number n of faces. Each of the next n lines contains x, y, width, height, blur, expression, illumination, invalid,
occlusion and pose (typical or not) of one face. For an image without faces, `LIST` contains one line of zeros in place
of the lines for faces. Boxes are ignored if they are empty or marked as invalid. WIDER FACE's subsets of easy, medium
and hard faces are not supported, because many of their faces are too small for the size of the network's input.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blazeposer.core.errors import BlazePoserError
from blazeposer.core.rotation import Floats

LIST = Path("wider_face_split", "wider_face_val_bbx_gt.txt")
IMAGES = Path("WIDER_val", "images")
INVALID = 7
"""Column of the flag `invalid`."""


BoxedImage = tuple[Path, Floats, NDArray[np.bool_]]
"""Image file, its boxes (n, 4) as x0, y0, x1, y1 in pixels, and flags (n,) of ignored boxes."""


def read_wider(folder: Path) -> list[BoxedImage]:
    """Return the file and the boxes of every validation image. Raises BlazePoserError."""
    path = folder / LIST
    if not path.is_file() or not (folder / IMAGES).is_dir():
        raise BlazePoserError(
            f"no WIDER FACE in {folder}: {LIST.as_posix()} and {IMAGES.as_posix()}/0--Parade and so on are expected "
            "there: give their folder with --wider"
        )
    try:
        images = list(_images(path.read_text(encoding="utf-8"), folder / IMAGES))
    except (OSError, ValueError, IndexError) as error:
        raise BlazePoserError(f"{path} is damaged: unpack WIDER FACE again") from error
    if all(ignored.all() for _, _, ignored in images):
        raise BlazePoserError(f"{path} has no face to measure on: unpack WIDER FACE again")
    return images


def _images(text: str, folder: Path) -> Iterator[BoxedImage]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    at = 0
    while at < len(lines):
        name, count = Path(lines[at]), int(lines[at + 1])
        if name.is_absolute() or ".." in name.parts or count < 0:
            raise ValueError(lines[at])
        rows = lines[at + 2 : at + 2 + max(count, 1)]
        at += 2 + len(rows)
        values = np.array([row.split() for row in rows[:count]], np.float64).reshape(count, 10)
        corner, size = values[:, :2], values[:, 2:4]
        ignored = (values[:, INVALID] > 0) | ~(size > 0).all(axis=1)
        yield folder / name, np.hstack([corner, corner + size]), ignored
