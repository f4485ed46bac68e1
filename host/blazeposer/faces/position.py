"""Compute a head's position in space and the head's angles relative to the camera's axis.

A point in space has the coordinates x, y and z in centimetres, with the camera at the origin. In the equations, x
points to the right of the image, y points up, and z points from the face to the camera. The function `position` returns
z with the opposite sign. In the image, the point has an offset in pixels from the image's centre. The offset is
`focal * (x, -y) / -z`, and `focal` is the camera's focal length in pixels. For a head of known size and rotation, each
keypoint of the face gives two linear equations for the head's position. The head's position is the least-squares
solution of the equations of all six keypoints.
"""

import math

import numpy as np

from blazeposer.core.face import Face
from blazeposer.core.rotation import Floats

FIELD_OF_VIEW = 55.0
"""Field of view of a camera's square window, in degrees. With OpenMV's standard lens, the width of a 4:3 image has a
field of view of about 70 degrees (see OpenMV's datasheets of lenses). The square window has the height of the 4:3
image."""
HEAD = np.array([
    (-3.15, 2.48, 3.14), (3.15, 2.48, 3.14), (0.0, -0.66, 6.8), (0.0, -3.86, 5.4), (-6.41, 0.72, -1.76),
    (6.41, 0.72, -1.76),
])  # fmt: skip
"""Positions of the keypoints of an average head, in centimetres, in the order of `contract.KEYPOINTS`. The origin is
the middle between the ears. The command `python -m blazeposer.tracking.head` of commit 9134d69 fitted the positions to
the keypoints that the network finds in the `train` split of the training data. If a head is 10 % larger than the
average head, its estimated position is 10 % too near."""


def position(face: Face, size: tuple[int, int], fov: float) -> tuple[float, float, float]:
    """Return the position (x, y, z) of the point between the ears, in centimetres from the camera. The x axis points to
    the right of the image, the y axis points up, and the z axis points away from the camera. The argument `size` is the
    width and height of the image in pixels, and `fov` is the image's horizontal field of view in degrees. The image
    should have no lens distortion."""
    offsets, focal = _seen(face, size, fov)
    head = HEAD @ to_camera(face, size, fov).rotation.T
    du, dv = offsets.T
    zero, one = np.zeros_like(du), np.full_like(du, focal)
    rows = np.vstack([np.column_stack([one, zero, du]), np.column_stack([zero, -one, dv])])
    known = np.concatenate([-focal * head[:, 0] - du * head[:, 2], focal * head[:, 1] - dv * head[:, 2]])
    x, y, z = np.linalg.lstsq(rows, known, rcond=None)[0].tolist()
    return x, y, -z


def to_camera(face: Face, size: tuple[int, int], fov: float) -> Face:
    """Return a copy of the face with angles relative to the camera's axis. For the arguments, see `position`. The
    network measures angles relative to the line from the camera to the face. For the network, a face that looks
    straight into the camera has yaw 0 and pitch 0 at any place in the image."""
    offsets, focal = _seen(face, size, fov)
    u, v = offsets.mean(0)
    back = np.array([-u, v, focal]) / math.sqrt(u * u + v * v + focal * focal)  # direction from the face to the camera
    return face.turned(_turn_from_z(back) @ face.rotation)


def _seen(face: Face, size: tuple[int, int], fov: float) -> tuple[Floats, float]:
    """Return the keypoints (6, 2) relative to the image's centre, and the focal length. All values are in pixels. The y
    axis of the keypoints points DOWN."""
    return face.points - np.divide(size, 2), size[0] / 2 / math.tan(math.radians(fov) / 2)


def _turn_from_z(direction: Floats) -> Floats:
    """Return the smallest rotation (3, 3) that turns the z axis to the unit vector `direction`, whose z is positive."""
    x, y, z = direction.tolist()
    cross = np.array([[0, 0, x], [0, 0, y], [-x, -y, 0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + z))
