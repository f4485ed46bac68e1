"""Compute a head's place in the room, and its angles to the camera's axis instead of the line of sight.

A camera that looks along its optical axis sees a point (x, y, z) of the room, x to the right, y up, z to the viewer, at
`focal * (x, -y) / -z` pixels from the image's middle. The keypoints of a head of known size and rotation so give two
linear equations each for its place; least squares over all six solves them.
"""

from __future__ import annotations

import math

import numpy as np

from blazeposer.core.face import Face
from blazeposer.core.rotation import Floats

FIELD_OF_VIEW = 55.0
"""Degrees that the side of a camera's square window sees: OpenMV's standard lens sees about 70 across the whole width
of a 4:3 image (OpenMV's datasheets of lenses), and the window is as high as that image."""
HEAD = np.array([
    (-3.15, 2.48, 3.14), (3.15, 2.48, 3.14), (0.0, -0.66, 6.8), (0.0, -3.86, 5.4), (-6.41, 0.72, -1.76),
    (6.41, 0.72, -1.76),
])  # fmt: skip
"""Places of a middling head's keypoints, centimetres, in the order of `contract.KEYPOINTS`; 0 is between the ears.

Fitted once to what the network saw on the `train` split of the pools, by `python -m blazeposer.tracking.head` of commit
9134d69. A head that is a tenth larger seems a tenth nearer."""


def position(
    face: Face, width: float, fov: float = FIELD_OF_VIEW, height: float | None = None
) -> tuple[float, float, float]:
    """Return centimetres of the middle of the head, between the ears, from the camera: x to the image's right, y up, z
    away from the camera.

    `width` and `height` (by default the same) are the image's in pixels; `fov` is the field of view of its width in
    degrees, without distortion.
    """
    offsets, focal = _seen(face, width, fov, height)
    head = HEAD @ to_camera(face, width, fov, height).rotation.T
    du, dv = offsets.T
    zero, one = np.zeros_like(du), np.full_like(du, focal)
    rows = np.vstack([np.column_stack([one, zero, du]), np.column_stack([zero, -one, dv])])
    known = np.concatenate([-focal * head[:, 0] - du * head[:, 2], focal * head[:, 1] - dv * head[:, 2]])
    x, y, z = np.linalg.lstsq(rows, known, rcond=None)[0].tolist()
    return x, y, -z


def to_camera(face: Face, width: float, fov: float = FIELD_OF_VIEW, height: float | None = None) -> Face:
    """Return the face with its rotation to the camera's axis; arguments as in `position`.

    The network sees which way a face turns from the line of sight: one that looks straight into the camera has yaw 0
    wherever it is in the image. To the camera's axis it then is turned by the angle between axis and line of sight.
    """
    offsets, focal = _seen(face, width, fov, height)
    u, v = offsets.mean(0)
    back = np.array([-u, v, focal]) / math.sqrt(u * u + v * v + focal * focal)  # from the face to the camera
    return face.turned(_turn_from_z(back) @ face.rotation)


def _seen(face: Face, width: float, fov: float, height: float | None) -> tuple[Floats, float]:
    """Return the keypoints (6, 2) from the image's middle, x right and y DOWN, and the focal length, in pixels."""
    middle = width / 2, (width if height is None else height) / 2
    return face.points - middle, width / 2 / math.tan(math.radians(fov) / 2)


def _turn_from_z(direction: Floats) -> Floats:
    """Return the least rotation (3, 3) that takes the z axis to a unit vector (3,) of z > 0."""
    x, y, z = direction.tolist()
    cross = np.array([[0, 0, x], [0, 0, y], [-x, -y, 0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + z))
