"""Labelled faces to measure a network on: one module a layout, one table of names.

Official data sets are read as their authors publish them, unpacked and otherwise untouched; everything else that has a
name is one of our pools.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from blazeposer.errors import BlazePoserError

from . import aflw2000, biwi, maskon, pools, w300lp, wider
from .common import Dataset, Sample

READERS: dict[str, Callable[[Path], Dataset]] = {
    "aflw2000": aflw2000.read,
    "biwi": biwi.read_all,
    "biwi-2": biwi.read_test,
    "300w-lp": w300lp.read,
    "wider": wider.read,
    "maskon-boxes": maskon.read,
}

__all__ = ["READERS", "Dataset", "Sample", "read_dataset"]


def read_dataset(name: str, folder: Path) -> Dataset:
    """The data set or pool of a name, in the folder of --data. Raises BlazePoserError with what is expected where."""
    if reader := READERS.get(name):
        dataset = reader(folder)
    elif pools.is_pool(folder, name):
        dataset = pools.read(folder, name)
    else:
        known = ", ".join(READERS)
        raise BlazePoserError(f"no data set {name}: choose {known}, or a pool by its {name}.csv and .zip in {folder}")
    if not len(dataset):
        raise BlazePoserError(f"{name} in {folder} has no face to measure on: check --data and --dataset")
    return dataset
