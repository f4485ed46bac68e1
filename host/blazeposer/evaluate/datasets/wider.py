"""WIDER FACE (Yang et al., CVPR 2016), validation: `wider_face_split/wider_face_val_bbx_gt.txt` and
`WIDER_val/images/EVENT/NAME.jpg`, 3,226 images. For detection alone: it has no poses.

The list names an image, then the number n of its faces, then n lines (one of zeros where n is 0) of x, y, width,
height, blur, expression, illumination, invalid, occlusion, pose. Invalid and empty boxes are ignored. The lists of
easy, medium and hard faces are not supported: they ask for images larger than this network's input.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from blazeposer.core.errors import BlazePoserError
from blazeposer.evaluate.datasets.common import Dataset, Sample, load_image

LIST = Path("wider_face_split", "wider_face_val_bbx_gt.txt")
IMAGES = Path("WIDER_val", "images")
INVALID = 7


def read(folder: Path) -> Dataset:
    """Return every image of the list. Raises BlazePoserError when the list or the images are not there."""
    path = folder / LIST if (folder / LIST).is_file() else folder / LIST.name
    if not path.is_file() or not (folder / IMAGES).is_dir():
        raise BlazePoserError(
            f"no WIDER FACE in {folder}: {LIST.as_posix()} and {IMAGES.as_posix()}/0--Parade and so on are expected "
            "there: name their folder with --data"
        )
    try:
        samples = list(_samples(path.read_text(), folder / IMAGES))
    except (ValueError, IndexError) as error:
        raise BlazePoserError(f"{path} is damaged: unpack WIDER FACE anew") from error
    return Dataset("wider", samples)


def _samples(text: str, images: Path) -> Iterator[Sample]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    at = 0
    while at < len(lines):
        name, count = lines[at], int(lines[at + 1])
        rows = lines[at + 2 : at + 2 + max(count, 1)]
        at += 2 + len(rows)
        values = np.array([row.split() for row in rows[:count]], np.float64).reshape(count, 10)
        corner, size = values[:, :2], values[:, 2:4]
        ignored = (values[:, INVALID] > 0) | (size <= 0).any(axis=1)
        yield Sample(name, partial(load_image, images / name), np.hstack([corner, corner + size]), None, ignored)
