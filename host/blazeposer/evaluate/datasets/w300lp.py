"""300W-LP: the folders AFW, HELEN, IBUG and LFPW and the mirrored AFW_Flip to LFPW_Flip, in the folder 300W_LP; each
holds `NAME.jpg` with `NAME.mat` beside it, 122,450 images in all. The box is that of the 68 landmarks `pt2d`."""

from __future__ import annotations

from pathlib import Path

from blazeposer.core.errors import BlazePoserError
from blazeposer.evaluate.datasets.common import Dataset, subfolder
from blazeposer.evaluate.datasets.matlab import read_samples

PARTS = ("AFW", "HELEN", "IBUG", "LFPW")


def read(folder: Path) -> Dataset:
    """Every labelled face of every part that is there. Raises BlazePoserError when none is."""
    folder = subfolder(folder, "300W_LP")
    parts = [folder / f"{part}{mirrored}" for part in PARTS for mirrored in ("", "_Flip")]
    pictures, labels = ([path for part in parts for path in part.glob(kind)] for kind in ("*.jpg", "*.mat"))
    samples, left_out = read_samples(pictures, labels, folder, "pt2d")
    if not (samples or left_out):
        raise BlazePoserError(
            f"no 300W-LP in {folder}: the folders {', '.join(PARTS)} and theirs ending with _Flip, each with NAME.jpg "
            "and NAME.mat, are expected there: name the folder 300W_LP with --data"
        )
    return Dataset("300w-lp", samples, left_out=left_out)
