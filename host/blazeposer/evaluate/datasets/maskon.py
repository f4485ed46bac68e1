"""MaskON scenes with all faces boxed, half of them masked: `maskon_boxes.csv` (a line a face: file, x0, y0, x1, y1 in
pixels, class) beside the pool `maskon.zip`. For detection alone, and of the images those with an odd number: the even
ones are trained on."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from blazeposer.core.errors import BlazePoserError
from blazeposer.evaluate.datasets.common import Dataset, Sample, image_given
from blazeposer.evaluate.datasets.pool import is_training_image, read_images

POOL = "maskon"


def read(folder: Path) -> Dataset:
    """Every boxed test image. Raises BlazePoserError when the boxes or the images are not there."""
    path = folder / f"{POOL}_boxes.csv"
    boxes: defaultdict[str, list[list[float]]] = defaultdict(list)
    try:
        with open(path, newline="") as stream:
            for row in csv.DictReader(stream):
                boxes[row["file"]].append([float(row[key]) for key in ("x0", "y0", "x1", "y1")])
    except (OSError, KeyError, ValueError) as error:
        raise BlazePoserError(f"{path} cannot be read: name its folder with --data") from error
    files = [file for file in sorted(boxes) if not is_training_image(POOL, file)]
    images = read_images(folder / f"{POOL}.zip", files)
    return Dataset(
        "maskon-boxes",
        [
            Sample(file, image_given(image), np.array(boxes[file]), None)
            for file, image in zip(files, images, strict=True)
        ],
    )
