"""Our pools: `NAME.zip`, `NAME.csv` and `NAME_landmarks68.npy`, as `pool` reads them. Where a pool is split, `val` is
measured on. `val` by itself names the validation faces of all training pools, each placed as AFLW2000's faces are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from blazeposer.core.errors import BlazePoserError
from blazeposer.core.prepare import Image
from blazeposer.core.table import Table
from blazeposer.evaluate.datasets.common import Dataset, Floats, Sample, image_given
from blazeposer.evaluate.datasets.pool import TRAINING_POOLS, read_pool, read_pools

VALIDATION = "val"
SIDE = 240
"""Pixels of an image of `val`."""
SIZE = 0.38
"""Longer side of its face's box, of the image's: the middle of the sizes that AFLW2000's faces have."""


def is_pool(folder: Path, name: str) -> bool:
    """Return whether the folder has a pool of this name."""
    return (folder / f"{name}.csv").is_file()


def read(folder: Path, name: str) -> Dataset:
    """A pool as a data set."""
    pool = read_pool(folder, name, VALIDATION if _is_split(folder / f"{name}.csv") else None)
    samples = []
    for index, (image, file) in enumerate(zip(pool.images, pool.files, strict=True)):
        faces = np.flatnonzero(pool.image_of == index)
        samples.append(Sample(file, image_given(image), pool.boxes[faces], pool.angles[faces]))
    return Dataset(name, samples)


def read_validation(folder: Path) -> Dataset:
    """The validation faces of all training pools, one in the middle of each image of SIDE pixels."""
    pool = read_pools(folder, TRAINING_POOLS, VALIDATION)
    samples = []
    for image, box, angles in zip(pool.image_of, pool.boxes, pool.angles, strict=True):
        scale = SIZE * SIDE / (box[2:] - box[:2]).max()
        half = (box[2:] - box[:2]) / 2 * scale
        placed_box = SIDE / 2 + np.concatenate([-half, half])
        samples.append(
            Sample(pool.files[image], _placed(pool.images[image], box, scale), placed_box[None], angles[None])
        )
    return Dataset(VALIDATION, samples)


def _placed(image: Image, box: Floats, scale: float) -> Callable[[], Image]:
    """A `Sample.load` of a photo, scaled, with the middle of a box in the image's; beyond it lies its mean colour."""

    def load() -> Image:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        photo = cv2.resize(image, None, fx=scale, fy=scale, interpolation=how)
        x, y = SIDE / 2 - (box[:2] + box[2:]) / 2 * (photo.shape[1::-1] / np.array(image.shape[1::-1]))
        shift = np.array([[1, 0, x], [0, 1, y]])
        mean = image.mean((0, 1)).tolist()
        return np.asarray(cv2.warpAffine(photo, shift, (SIDE, SIDE), borderValue=mean), np.uint8)

    return load


def _is_split(path: Path) -> bool:
    try:
        return any(row.get("split") == VALIDATION for row in Table(path, ()).rows)
    except OSError as error:
        raise BlazePoserError(f"{path} cannot be read ({error.strerror}): check --data") from error
