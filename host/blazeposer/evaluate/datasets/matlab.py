"""Read AFLW2000-3D and 300W-LP (Zhu et al., "Face Alignment Across Large Poses: A 3D Solution", CVPR 2016), two data
sets with one MATLAB file for each image.

AFLW2000-3D has 2,000 images. For 1,969 of them, no angle is beyond 99 degrees. The data set 300W-LP has 122,450 images.
The array `Pose_Para` (1, 7) begins with pitch, yaw and roll in radians, in the convention of
`blazeposer.core.rotation`. Two different sets of angles can describe the same rotation. If |yaw| is beyond 90 degrees,
the MATLAB files contain the set of angles with the smaller pitch and roll. The box of a face is the smallest box around
its 68 landmarks (array `pt3d_68` or `pt2d`).
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import track
from scipy.io import loadmat

from blazeposer.core.console import Console
from blazeposer.core.contract import MAX_ANGLE
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.rotation import Floats
from blazeposer.evaluate.datasets.common import Dataset, LeftOut, Sample, load_image, subfolder

PARTS = tuple(f"{part}{mirrored}" for part in ("AFW", "HELEN", "IBUG", "LFPW") for mirrored in ("", "_Flip"))


def read_aflw2000(folder: Path) -> Dataset:
    folder = subfolder(folder, "AFLW2000")
    expected = "image00002.jpg, image00002.mat and so on"
    return _read("aflw2000", folder, [folder], "image*", "pt3d_68", expected)


def read_300w_lp(folder: Path) -> Dataset:
    """Return every labelled face in the existing folders of 300W-LP."""
    folder = subfolder(folder, "300W_LP")
    expected = f"NAME.jpg and NAME.mat in the folders {', '.join(PARTS)}"
    return _read("300w-lp", folder, [folder / part for part in PARTS], "*", "pt2d", expected)


def _read(name: str, folder: Path, parts: Sequence[Path], files: str, landmarks: str, expected: str) -> Dataset:
    """Return a data set with one face for each image, without faces that have an angle beyond 99 degrees."""
    there = {path for part in parts for path in part.glob(f"{files}.jpg")}
    labelled = {path.with_suffix(".jpg") for part in parts for path in part.glob(f"{files}.mat")}
    samples, left_out = [], []
    for path in track(sorted(there | labelled), "labels", console=Console(stderr=True), transient=True):
        image, label = path.relative_to(folder).as_posix(), path.with_suffix(".mat")
        if path not in there:
            left_out.append(LeftOut(image, f"missing, but {label.name} exists: unpack the data set again"))
        elif path not in labelled:
            left_out.append(LeftOut(image, f"extra: there is no {label.name} for this image", is_damage=False))
        else:
            try:
                box, angles = _label(label, landmarks)
            except BlazePoserError as error:
                left_out.append(LeftOut(image, str(error)))
                continue
            if np.abs(angles).max() <= MAX_ANGLE:
                samples.append(Sample(image, partial(load_image, path), box[np.newaxis], angles[np.newaxis], file=path))
    if not (samples or left_out):
        raise BlazePoserError(f"no {name} in {folder}: it must contain {expected}: give the right folder with --data")
    return Dataset(name, samples, left_out=left_out)


def _label(path: Path, landmarks: str) -> tuple[Floats, Floats]:
    """Return the box (4,) around a face's 68 landmarks in pixels, and its yaw, pitch and roll (3,) in degrees."""
    try:
        matrices = loadmat(str(path), variable_names=["Pose_Para", landmarks])
        pitch, yaw, roll = np.degrees(matrices["Pose_Para"].astype(np.float64).ravel()[:3])
        points = matrices[landmarks][:2].astype(np.float64)
        box = np.concatenate([points.min(axis=1), points.max(axis=1)])
    except Exception as error:  # for damaged files, scipy raises many types of errors
        raise BlazePoserError(
            f"{path.name}: Pose_Para and {landmarks} cannot be read: unpack the file again"
        ) from error
    if not np.isfinite([yaw, pitch, roll, *box]).all():
        raise BlazePoserError(f"{path.name}: a label is not a number: unpack the data set again")
    return box, np.array([yaw, pitch, roll])
