"""AFLW2000-3D: `image00002.jpg` with `image00002.mat` beside it, 2,000 of each, in the folder AFLW2000. 1,969 faces are
within 99 degrees. The box is that of the 68 landmarks `pt3d_68`."""

from __future__ import annotations

from pathlib import Path

from blazeposer.core.errors import BlazePoserError
from blazeposer.evaluate.datasets.common import Dataset, subfolder
from blazeposer.evaluate.datasets.matlab import read_samples


def read(folder: Path) -> Dataset:
    """Every labelled face. Raises BlazePoserError when the files are not there."""
    folder = subfolder(folder, "AFLW2000")
    samples, left_out = read_samples(folder.glob("image*.jpg"), folder.glob("image*.mat"), folder, "pt3d_68")
    if not (samples or left_out):
        raise BlazePoserError(
            f"no AFLW2000-3D in {folder}: image00002.jpg with image00002.mat beside it, and so on, are expected there: "
            "name their folder with --data"
        )
    return Dataset("aflw2000", samples, left_out=left_out)
