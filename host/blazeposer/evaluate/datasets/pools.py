"""Our pools: `NAME.zip`, `NAME.csv` and `NAME_landmarks68.npy`, as `pictures.data` reads them. Where a pool
is split, `val` is measured on."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from blazeposer.core.errors import BlazePoserError
from blazeposer.evaluate.datasets.common import Dataset, Sample, image_given
from blazeposer.evaluate.datasets.pool import read_pool


def is_pool(folder: Path, name: str) -> bool:
    """Whether the folder has a pool of this name."""
    return (folder / f"{name}.csv").is_file()


def read(folder: Path, name: str) -> Dataset:
    """A pool as a data set."""
    pool = read_pool(folder, name, "val" if _is_split(folder / f"{name}.csv") else None)
    samples = []
    for index, (image, file) in enumerate(zip(pool.images, pool.files, strict=True)):
        faces = np.flatnonzero(pool.image_of == index)
        samples.append(Sample(file, image_given(image), pool.boxes[faces], pool.angles[faces]))
    return Dataset(name, samples)


def _is_split(path: Path) -> bool:
    try:
        with open(path, newline="") as stream:
            return any(row.get("split") == "val" for row in csv.DictReader(stream))
    except OSError as error:
        raise BlazePoserError(f"{path} cannot be read ({error.strerror}): check --data") from error
