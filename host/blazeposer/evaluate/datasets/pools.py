"""Read pools for evaluation. If a pool has a split `val` (see `pool.py`), only this split is used.

The data set `val` contains the validation faces of all training pools. The faces in the images of `val` have about the
same place and size as the faces in the data set AFLW2000.

Each line of `maskon_boxes.csv` contains the name of an image file of the pool MaskON, the box (x0, y0, x1, y1 in
pixels) and the class of one face. The class is not used. All faces in these images have boxes.

`models/README.md` describes the data set `biwi_dev`. The columns yaw, pitch and roll of `biwi_dev.csv` are in degrees,
with the order and the signs of 300W-LP, but relative to the axes of a Kinect's depth camera. `biwi_dev` lacks 1,334
frames of BIWI. In these frames, the heads look up or down by 50 degrees on average.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from blazeposer.core.contract import ANGLES
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import Floats
from blazeposer.core.table import CsvTable
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
"""Side of an image of `val`, in pixels."""
SIZE = 0.38
"""Longer side of the face's box in an image of `val`, as a fraction of the image's side. The fraction is about the
same in AFLW2000."""
RIM = 0.25
"""Width of the padding on each side of a crop of `biwi_dev`, as a fraction of the crop's longer side."""


def read(folder: Path, name: str) -> Dataset:
    is_split = any(row.get("split") == VALIDATION for row in _table(folder / f"{name}.csv").rows)
    pool = read_pool(folder, name, VALIDATION if is_split else None)
    samples = []
    for index, (image, file) in enumerate(zip(pool.images, pool.files, strict=True)):
        faces = np.flatnonzero(pool.image_of == index)
        samples.append(Sample(file, image_given(image), pool.boxes[faces], pool.angles[faces]))
    return Dataset(name, samples)


def read_validation(folder: Path) -> Dataset:
    """Return the data set `val`. Each image is a square of SIDE x SIDE pixels, with one face in the middle."""
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
    """Return a square image with the middle of the face's box at its centre. The padding has the mean colour of the
    photo `image`."""
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    photo = cv2.resize(image, None, fx=scale, fy=scale, interpolation=how)
    x, y = SIDE / 2 - (box[:2] + box[2:]) / 2 * (photo.shape[1::-1] / np.array(image.shape[1::-1]))
    shift = np.array([[1, 0, x], [0, 1, y]])
    return np.asarray(cv2.warpAffine(photo, shift, (SIDE, SIDE), borderValue=image.mean((0, 1)).tolist()), np.uint8)


def read_maskon_boxes(folder: Path) -> list[tuple[Image, Floats]]:
    """Return the test images of MaskON with their boxes (n, 4) in pixels. Raises BlazePoserError."""
    table = _table(folder / "maskon_boxes.csv", ["file"])
    names, boxes = np.array(table.texts("file")), table.numbers(*CORNERS)
    files = [file for file in np.unique(names).tolist() if not is_training_image("maskon", file)]
    images = read_images(folder / "maskon.zip", files)
    return [(image, boxes[names == file]) for file, image in zip(files, images, strict=True)]


def read_biwi_dev(folder: Path) -> Dataset:
    """Return the data set `biwi_dev`. The box of a face is the whole crop without its padding."""
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


def _table(path: Path, columns: Sequence[str] = ()) -> CsvTable:
    try:
        return CsvTable(path, columns)
    except OSError as error:
        raise BlazePoserError(f"{path} cannot be read ({error.strerror}): give its folder with --data") from error
