"""Our archives as data sets.

A pool (see `pool`) has the faces of its split `val`, or all of them where it is not split. `val` by itself names the
validation faces of all training pools, each placed as AFLW2000's faces are.

For detection alone there are MaskON scenes with all faces boxed, half of them masked: `maskon_boxes.csv` (a line a
face: file, x0, y0, x1, y1 in pixels, class) beside the pool `maskon.zip`. They are the images with an odd number: the
even ones are trained on.

`biwi_dev` is a part of BIWI as crops: `biwi_dev.zip` and `biwi_dev.csv`, every second frame of 13 of the 24 sequences.
The crops lie around a detector's box, and 1,334 frames of the whole set, in which no face was found, are not in their
source: heads that look up or down by 50 degrees on average. A figure here is a little kinder than one of `biwi`. A crop
is shown with its rim repeated. The columns yaw, pitch and roll are the Kinect's, in degrees, in the order and with the
signs of 300W-LP. Their zero is that of the depth camera's frame: a network that learned from other labels is off by a
constant, so `mean_after_offset` stands beside the MAE.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from blazeposer.core.contract import ANGLES
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import Floats
from blazeposer.core.table import Table
from blazeposer.evaluate.datasets.common import Dataset, Sample, image_given
from blazeposer.evaluate.datasets.pool import (
    CORNERS,
    TRAINING_POOLS,
    is_training_image,
    read_images,
    read_pool,
    read_pools,
)
from blazeposer.evaluate.metrics import Rule, surest

VALIDATION = "val"
BIWI_DEV = "biwi_dev"
SIDE = 240
"""Pixels of an image of `val`."""
SIZE = 0.38
"""Longer side of its face's box, of the image's: the middle of the sizes that AFLW2000's faces have."""
RIM = 0.25
"""Share of the longer side of a crop of BIWI_DEV that its rim is repeated by on every side."""


def is_pool(folder: Path, name: str) -> bool:
    """Return whether the folder has a pool of this name."""
    return (folder / f"{name}.csv").is_file()


def read(folder: Path, name: str) -> Dataset:
    """Return a pool as a data set. Raises BlazePoserError."""
    is_split = any(row.get("split") == VALIDATION for row in _table(folder / f"{name}.csv").rows)
    pool = read_pool(folder, name, VALIDATION if is_split else None)
    samples = []
    for index, (image, file) in enumerate(zip(pool.images, pool.files, strict=True)):
        faces = np.flatnonzero(pool.image_of == index)
        samples.append(Sample(file, image_given(image), pool.boxes[faces], pool.angles[faces]))
    return Dataset(name, samples)


def read_validation(folder: Path) -> Dataset:
    """Return the validation faces of all training pools, one in the middle of each image of SIDE pixels."""
    pool = read_pools(folder, TRAINING_POOLS, VALIDATION)
    samples = []
    for image, box, angles in zip(pool.image_of, pool.boxes, pool.angles, strict=True):
        scale = SIZE * SIDE / (box[2:] - box[:2]).max()
        half = (box[2:] - box[:2]) / 2 * scale
        placed_box = SIDE / 2 + np.concatenate([-half, half])
        load = partial(_placed, pool.images[image], box, scale)
        samples.append(Sample(pool.files[image], load, placed_box[None], angles[None]))
    return Dataset(VALIDATION, samples)


def _placed(image: Image, box: Floats, scale: float) -> Image:
    """Return a photo, scaled, with the middle of a box in the image's; beyond it lies its mean colour."""
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    photo = cv2.resize(image, None, fx=scale, fy=scale, interpolation=how)
    x, y = SIDE / 2 - (box[:2] + box[2:]) / 2 * (photo.shape[1::-1] / np.array(image.shape[1::-1]))
    shift = np.array([[1, 0, x], [0, 1, y]])
    return np.asarray(cv2.warpAffine(photo, shift, (SIDE, SIDE), borderValue=image.mean((0, 1)).tolist()), np.uint8)


def read_maskon_boxes(folder: Path) -> list[tuple[Image, Floats]]:
    """Return every boxed test image of MaskON, and its boxes (n, 4) in pixels. Raises BlazePoserError when the boxes or
    the images are not there."""
    table = _table(folder / "maskon_boxes.csv", ["file"])
    names, boxes = np.array(table.texts("file")), table.numbers(*CORNERS)
    files = [file for file in np.unique(names).tolist() if not is_training_image("maskon", file)]
    images = read_images(folder / "maskon.zip", files)
    return [(image, boxes[names == file]) for file, image in zip(files, images, strict=True)]


def read_biwi_dev(folder: Path) -> Dataset:
    """Return every crop of BIWI_DEV. Its box is where the crop lies: the face's own is not known. Raises
    BlazePoserError."""
    table = _table(folder / f"{BIWI_DEV}.csv", ["file"])
    files, samples = table.texts("file"), []
    images = read_images(folder / f"{BIWI_DEV}.zip", files)
    for file, image, angles in zip(files, images, table.numbers(*ANGLES), strict=True):
        height, width = image.shape[:2]
        rim = round(RIM * max(height, width))
        box = np.array([rim, rim, rim + width, rim + height], np.float64)
        samples.append(Sample(file, partial(_rimmed, image, rim), box[None], angles[None]))
    return Dataset(BIWI_DEV, samples, Rule("the highest score", surest))


def _rimmed(image: Image, rim: int) -> Image:
    return np.asarray(cv2.copyMakeBorder(image, rim, rim, rim, rim, cv2.BORDER_REPLICATE), np.uint8)


def _table(path: Path, columns: Sequence[str] = ()) -> Table:
    try:
        return Table(path, columns)
    except OSError as error:
        raise BlazePoserError(f"{path} cannot be read ({error.strerror}): name its folder with --data") from error
