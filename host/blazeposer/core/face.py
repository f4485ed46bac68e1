"""Define a face that was found by the network, streamed by a camera or followed by a tracker."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from blazeposer.core.rotation import Floats, angles_from_rotation, rotation_from_angles

Point = tuple[float, float]


class Keypoints(NamedTuple):
    """The six keypoints (x, y) of a face. Right and left are the person's right and left."""

    right_eye: Point
    left_eye: Point
    nose: Point
    mouth: Point
    right_ear: Point
    left_ear: Point


@dataclass(frozen=True)
class Face:
    """One face. Yaw, pitch and roll are in degrees, in the convention of `rotation.py`. The box and the keypoints are
    in pixels of the image. In some results, for example of the functions `decode` and `looks.look`, they are fractions
    of the side of the network's square input."""

    box: tuple[float, float, float, float]
    """x and y of the top left corner, then width and height."""
    score: float
    """Probability that the detection is a face, from 0 to 1."""
    keypoints: Keypoints
    """Eyes, nose, mouth and ears by name."""
    yaw: float
    """Yaw, positive to the image's left."""
    pitch: float
    """Pitch, positive up."""
    roll: float
    """Roll, positive clockwise."""
    err: float
    """Expected angle between this pose and the true pose, in degrees. The angle is above 0."""
    id: int | None = None
    """Number of the track, or None if faces are not tracked."""
    position: tuple[float, float, float] | None = None
    """Position of the middle of the head in centimetres from the camera (x right, y up, z away), or None if the
    position was not estimated.
    """

    @classmethod
    def of(cls, box: Sequence[float], score: float, points: ArrayLike, rotation: ArrayLike, err: float) -> "Face":
        """Return a face with keypoints `points` (6, 2), in the order of `Keypoints`, and a rotation matrix (3, 3)."""
        x, y, width, height = map(float, box)
        yaw, pitch, roll = angles_from_rotation(rotation).tolist()
        return cls((x, y, width, height), float(score), keypoints_of(points), yaw, pitch, roll, float(err))

    @property
    def angles(self) -> tuple[float, float, float]:
        """Return yaw, pitch and roll."""
        return self.yaw, self.pitch, self.roll

    @cached_property
    def rotation(self) -> Floats:
        """Return the rotation matrix (3, 3) of the head (see `rotation.py`)."""
        return rotation_from_angles(self.angles)

    @cached_property
    def points(self) -> Floats:
        """Return the keypoints as an array (6, 2)."""
        return np.array(self.keypoints)

    def turned(self, rotation: ArrayLike) -> "Face":
        """Return a copy of the face with the yaw, pitch and roll of the rotation matrix `rotation` (3, 3)."""
        yaw, pitch, roll = angles_from_rotation(rotation).tolist()
        return replace(self, yaw=yaw, pitch=pitch, roll=roll)

    def moved(self, x: float, y: float, width: float, height: float) -> "Face":
        """Return a copy of the face with the box and the keypoints in pixels. In the original face, the box and the
        keypoints are fractions of the image region (x, y, width, height)."""
        left, top, w, h = self.box
        return replace(
            self,
            box=(x + left * width, y + top * height, w * width, h * height),
            keypoints=keypoints_of(self.points * (width, height) + (x, y)),
        )


def keypoints_of(points: ArrayLike) -> Keypoints:
    return Keypoints(*((x, y) for x, y in np.asarray(points, np.float64).tolist()))
