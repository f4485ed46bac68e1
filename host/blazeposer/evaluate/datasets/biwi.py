"""BIWI Kinect Head Pose Database (Fanelli et al., IJCV 2013): `hpdb/NN/frame_XXXXX_rgb.png` and `frame_XXXXX_pose.txt`
in 24 sequences, each with its `rgb.cal`. Protocol 1 measures on all of them, protocol 2 on 8.

A pose file holds the rotation R of the head (3 rows) and its centre in millimetres, seen by the depth camera: x to the
right, y down, z away from it. With F = diag(1, -1, -1), F R F is this project's rotation. Its angles are exactly those
of FSA-Net's reader (`TYY_create_db_biwi.py`, whose data 6DRepNet and others use): yaw = asin(R[0,2]), pitch =
atan2(R[1,2], R[2,2]), roll = -atan2(R[0,1], R[0,0]). Hopenet's (deep-head-pose) has the same signs but takes R apart in
another order, so its pitch and roll differ where two angles are large. Like both, this one leaves the turn of about one
degree between the two cameras out.

There are no boxes. The head's centre is projected into the colour image with `rgb.cal`, and a detection answers the
label if its middle lies within HEAD_RADIUS of that point; of several, the nearest does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from blazeposer.core.contract import MAX_ANGLE
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.rotation import Floats, angles_from_rotation
from blazeposer.evaluate.datasets.common import Dataset, LeftOut, Sample, load_image, subfolder
from blazeposer.evaluate.metrics import Rule, nearest

SEQUENCES = tuple(f"{number:02d}" for number in range(1, 25))
TEST_SEQUENCES = ("03", "06", "09", "12", "15", "16", "20", "24")
"""Protocol 2: these 8 test, the other 16 are for training. Published splits are unseeded draws (`randFlag` in FSA-Net's
`TYY_create_db_biwi_70_30.py`) and were never listed, so this one is the project's own: every third sequence, with 16
and 20 for 18 and 21, so that nobody is on both sides (02 and 21, 03 and 15, 05 and 18, 07 and 22 show one person each,
by the table of the Hugging Face reader `biwi_kinect_head_pose`). Figures under other splits compare roughly."""

HEAD_RADIUS = 120.0
"""Millimetres, half the height of a head: the middle of a face, however turned, is nearer to the head's centre."""

RULE = Rule(f"middle nearest to the projected centre of the head, at most {HEAD_RADIUS:.0f} mm from it", nearest)

_TO_PROJECT = np.diag([1.0, -1.0, -1.0])


def read(folder: Path, name: str = "biwi", sequences: Sequence[str] = SEQUENCES) -> Dataset:
    """Return the frames of some sequences, by default those of protocol 1. Raises BlazePoserError when one is not
    there."""
    folder = subfolder(folder, "hpdb")
    if missing := [sequence for sequence in sequences if not (folder / sequence / "rgb.cal").is_file()]:
        raise BlazePoserError(
            f"no BIWI in {folder}: {missing[0]}/rgb.cal, {missing[0]}/frame_00003_rgb.png, "
            f"{missing[0]}/frame_00003_pose.txt and so on are expected there: name the folder hpdb with --data"
        )
    samples, left_out = [], []
    for sequence in sequences:
        for path in sorted((folder / sequence).glob("frame_*_pose.txt")):
            try:
                samples += _sample(path, folder / sequence / "rgb.cal")
            except BlazePoserError as error:
                left_out.append(LeftOut(f"{sequence}/{path.name}", str(error)))
    return Dataset(name, samples, RULE, left_out)


def _sample(path: Path, calibration: Path) -> list[Sample]:
    """Return one frame, or none if an angle is beyond 99 degrees."""
    *rotation, centre = _rows(path, 4)
    angles = angles_from_rotation(_TO_PROJECT @ np.array(rotation) @ _TO_PROJECT)
    if np.abs(angles).max() > MAX_ANGLE:
        return []
    stem = path.name.removesuffix("_pose.txt")
    picture = path.with_name(f"{stem}_rgb.png")
    box = head_box(np.array(centre), calibration)
    name = f"{path.parent.name}/{stem}"
    return [Sample(name, partial(load_image, picture), box[np.newaxis], angles[np.newaxis], file=picture)]


def head_box(centre: Floats, calibration: Path) -> Floats:
    """Return x0, y0, x1, y1 in pixels of a square of twice HEAD_RADIUS around a head's centre (3,), given in
    millimetres of the depth camera. `rgb.cal`: intrinsics (3 rows), distortion (1, zeros), and the way from depth to
    colour camera, rotation (3 rows) and translation (1)."""
    rows = _rows(calibration, 8)
    intrinsics, rotation, translation = np.array(rows[:3]), np.array(rows[4:7]), np.array(rows[7])
    x, y, depth = intrinsics @ (rotation @ centre + translation)
    middle, half = np.array([x, y]) / depth, HEAD_RADIUS * np.array([intrinsics[0, 0], intrinsics[1, 1]]) / depth
    return np.concatenate([middle - half, middle + half])


def _rows(path: Path, count: int) -> list[list[float]]:
    """Return the first `count` lines that hold numbers."""
    try:
        rows = [[float(word) for word in line.split()] for line in path.read_text().splitlines() if line.strip()]
        if len(rows) < count or any(len(row) != 3 for row in (*rows[:3], rows[count - 1])):
            raise ValueError("too short")
        if not np.isfinite(np.concatenate(rows)).all():
            raise ValueError("a value is not a number")
    except (OSError, ValueError) as error:
        raise BlazePoserError(f"{path.name} is not what BIWI holds ({error}): unpack the data set anew") from error
    return rows[:count]
