"""Read the data sets of labelled faces with which networks are measured. Every name that is not in READERS is the name
of a pool, a data set in this project's own format."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from blazeposer.core.errors import BlazePoserError
from blazeposer.evaluate.datasets import biwi, matlab, pools
from blazeposer.evaluate.datasets.common import Dataset, Sample
from blazeposer.evaluate.datasets.pool import data_folder

READERS: dict[str, Callable[[Path], Dataset]] = {
    "aflw2000": matlab.read_aflw2000,
    "biwi": biwi.read,
    "biwi-2": partial(biwi.read, name="biwi-2", sequences=biwi.TEST_SEQUENCES),
    "300w-lp": matlab.read_300w_lp,
    pools.BIWI_DEV: pools.read_biwi_dev,
    pools.VALIDATION: pools.read_validation,
}

__all__ = ["READERS", "Dataset", "Sample", "labelled", "read_dataset"]


def read_dataset(name: str, folder: Path, *, damaged: bool = False) -> Dataset:
    """Return the data set or the pool with the given name. If a file is missing or damaged, the function raises
    BlazePoserError. If `damaged` is True, it leaves out such files instead. Raises BlazePoserError also if there is no
    face."""
    if reader := READERS.get(name):
        dataset = reader(folder)
    elif (folder / f"{name}.csv").is_file():
        dataset = pools.read(folder, name)
    else:
        known = ", ".join(READERS)
        raise BlazePoserError(f"no data set {name}: choose {known}, or put {name}.csv and {name}.zip into {folder}")
    if not damaged and (lost := next((item for item in dataset.left_out if item.is_damage), None)):
        raise BlazePoserError(f"{lost.name}: {lost.why}")
    if not len(dataset):
        raise BlazePoserError(f"{name} in {folder} has no face to measure on: check --data and --dataset")
    return dataset


def labelled(name: str, folder: str | None, limit: int | None = None, *, damaged: bool = False) -> Dataset:
    """Return the data set `name`. `folder` is the value of the option --data. For `damaged`, see `read_dataset`. If
    `limit` is given, the result has at most `limit` images, which are evenly spread over the data set. Raises
    BlazePoserError."""
    dataset = read_dataset(name, data_folder(folder), damaged=damaged)
    if limit is None or len(dataset.samples) <= limit:
        return dataset
    chosen = np.linspace(0, len(dataset.samples) - 1, limit).round().astype(int)
    return replace(dataset, samples=[dataset.samples[index] for index in chosen.tolist()])
