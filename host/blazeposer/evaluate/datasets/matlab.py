"""The labels of AFLW2000-3D and 300W-LP: one MATLAB file beside each image (Zhu et al., "Face Alignment Across Large
Poses: A 3D Solution", CVPR 2016).

`Pose_Para` (1, 7) begins with pitch, yaw and roll in radians, in the convention of `blazeposer.core.rotation`.
They are taken as they stand: beyond 90 degrees of yaw the files hold the solution with the smaller pitch and roll.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from rich.progress import track
from scipy.io import loadmat

from blazeposer.core.console import Console
from blazeposer.core.contract import MAX_ANGLE
from blazeposer.core.errors import BlazePoserError
from blazeposer.evaluate.datasets.common import Floats, LeftOut, Sample, image_reader


def read_samples(
    pictures: Iterable[Path], labels: Iterable[Path], folder: Path, landmarks: str
) -> tuple[list[Sample], list[LeftOut]]:
    """One face an image, but for those with an angle beyond 99 degrees; and what is missing, damaged or has no label.
    `landmarks` is the matrix (2 or 3, 68) whose first two rows are the pixels that the box is drawn around."""
    there, labelled = set(pictures), {path.with_suffix(".jpg") for path in labels}
    samples, left_out = [], []
    for path in track(sorted(there | labelled), "labels", console=Console(stderr=True), transient=True):
        name, label = path.relative_to(folder).as_posix(), path.with_suffix(".mat")
        if path not in there:
            left_out.append(LeftOut(name, f"missing, but {label.name} is there: unpack the data set anew"))
        elif path not in labelled:
            left_out.append(LeftOut(name, f"extra: there is no {label.name} beside it", is_damage=False))
        else:
            try:
                box, angles = _read(label, landmarks)
            except BlazePoserError as error:
                left_out.append(LeftOut(name, str(error)))
                continue
            if np.abs(angles).max() <= MAX_ANGLE:
                samples.append(Sample(name, image_reader(path), box[np.newaxis], angles[np.newaxis], file=path))
    return samples, left_out


def _read(path: Path, landmarks: str) -> tuple[Floats, Floats]:
    """Box (4,) in pixels and yaw, pitch, roll (3,) in degrees."""
    try:
        matrices = loadmat(str(path), variable_names=["Pose_Para", landmarks])
        pitch, yaw, roll = np.degrees(matrices["Pose_Para"].astype(np.float64).ravel()[:3])
        points = matrices[landmarks][:2].astype(np.float64)
        box = np.concatenate([points.min(axis=1), points.max(axis=1)])
    except Exception as error:  # scipy raises a dozen kinds on a damaged file
        raise BlazePoserError(f"{path.name}: no Pose_Para and {landmarks} can be read: unpack it anew") from error
    if not np.isfinite([yaw, pitch, roll, *box]).all():
        raise BlazePoserError(f"{path.name}: a label is not a number: unpack the data set anew")
    return box, np.array([yaw, pitch, roll])
