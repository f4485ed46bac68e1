"""The labels of AFLW2000-3D and 300W-LP: one MATLAB file beside each picture (Zhu et al., "Face Alignment Across Large
Poses: A 3D Solution", CVPR 2016).

`Pose_Para` (1, 7) begins with pitch, yaw and roll in radians, in this project's convention (`blazeposer.rotation`).
They are taken as they stand: beyond 90 degrees of yaw the files hold the solution with the smaller pitch and roll.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from scipy.io import loadmat

from blazeposer.contract import MAX_ANGLE
from blazeposer.errors import BlazePoserError

from .common import Floats, Sample, image_reader


def read_samples(pictures: Sequence[Path], folder: Path, landmarks: str) -> list[Sample]:
    """One face a picture; those with an angle beyond 99 degrees are left out. `landmarks` is the matrix (2 or 3, 68)
    whose first two rows are the pixels that the box is drawn around."""
    samples = []
    for path in track(pictures, "labels", console=Console(stderr=True), transient=True):
        box, angles = _read(path.with_suffix(".mat"), landmarks)
        if np.abs(angles).max() <= MAX_ANGLE:
            name = path.relative_to(folder).as_posix()
            samples.append(Sample(name, image_reader(path), box[np.newaxis], angles[np.newaxis]))
    return samples


def _read(path: Path, landmarks: str) -> tuple[Floats, Floats]:
    """Box (4,) in pixels and yaw, pitch, roll (3,) in degrees."""
    try:
        matrices = loadmat(str(path), variable_names=["Pose_Para", landmarks])
        pitch, yaw, roll = np.degrees(matrices["Pose_Para"].astype(np.float64).ravel()[:3])
        points = matrices[landmarks][:2].astype(np.float64)
        box = np.concatenate([points.min(axis=1), points.max(axis=1)])
    except Exception as error:  # scipy raises a dozen kinds on a damaged file
        raise BlazePoserError(f"{path}: no Pose_Para and {landmarks} can be read: unpack the data set anew") from error
    return box, np.array([yaw, pitch, roll])
