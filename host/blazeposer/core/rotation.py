"""Convert between rotations and angles, in the convention of the data sets 300W-LP and AFLW2000.

The rotation of a head is the matrix `R = Rx(pitch) Ry(yaw) Rz(roll)`. The matrices Rx, Ry and Rz have the following
rows, separated by semicolons:

    Rx = [1 0 0; 0 c s; 0 -s c]   Ry = [c 0 -s; 0 1 0; s 0 c]   Rz = [c s 0; -s c 0; 0 0 1]
    c = cos(angle)   s = sin(angle)

The matrix R converts a point from the head's axes to the camera's axes. In the camera's axes, x points to the right of
the image, y points up, and z points out of the image towards the viewer. Positive yaw turns the face to the image's
left, positive pitch turns the face up, and positive roll tilts the head clockwise. Arrays of angles have the shape
(..., 3), with yaw, pitch and roll in degrees.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
_MIRROR = np.diag([-1.0, 1.0, 1.0])


def rotation_from_angles(angles: ArrayLike) -> Floats:
    """Convert yaw, pitch and roll (..., 3) in degrees to rotation matrices (..., 3, 3)."""
    yaw, pitch, roll = np.moveaxis(np.radians(np.asarray(angles, np.float64)), -1, 0)
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    rows = [
        [cy * cr, cy * sr, -sy],
        [sp * sy * cr - cp * sr, sp * sy * sr + cp * cr, sp * cy],
        [cp * sy * cr + sp * sr, cp * sy * sr - sp * cr, cp * cy],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def angles_from_rotation(rotation: ArrayLike) -> Floats:
    """Convert rotation matrices (..., 3, 3) to yaw, pitch and roll (..., 3), from -180 to 180 degrees. Two different
    sets of yaw, pitch and roll describe the same rotation. In one of the two sets, |yaw| is above 90 degrees. By the
    evaluation rule of 300W-LP, the function returns the set with the smaller |pitch| + |roll|."""
    r = np.asarray(rotation, np.float64)
    yaw = -np.arcsin(np.clip(r[..., 0, 2], -1, 1))
    pitch = np.arctan2(r[..., 1, 2], r[..., 2, 2])
    roll = np.arctan2(r[..., 0, 1], r[..., 0, 0])
    first = np.stack([yaw, pitch, roll], axis=-1)
    second = np.stack([_half_turn(yaw) - yaw, pitch - _half_turn(pitch), roll - _half_turn(roll)], axis=-1)
    keep_first = np.abs(first[..., 1:]).sum(-1) <= np.abs(second[..., 1:]).sum(-1)
    return np.degrees(np.where(keep_first[..., None], first, second))


def _half_turn(angle: Floats) -> Floats:
    """Return pi with the sign of `angle`."""
    return np.where(angle >= 0, np.pi, -np.pi)


def rotation_from_six(six: ArrayLike) -> Floats:
    """Convert groups of six values (..., 6) to rotation matrices (..., 3, 3). The Gram-Schmidt method computes the
    first two rows. The third row is their cross product."""
    values = np.asarray(six, np.float64)
    a, b = values[..., :3], values[..., 3:]
    first = a / np.maximum(np.linalg.norm(a, axis=-1, keepdims=True), 1e-6)
    rest = b - (first * b).sum(-1, keepdims=True) * first
    second = rest / np.maximum(np.linalg.norm(rest, axis=-1, keepdims=True), 1e-6)
    return np.stack([first, second, np.cross(first, second)], axis=-2)


def mirror_rotation(rotation: ArrayLike) -> Floats:
    """Return the rotation that a head with the rotation R has in the mirror image. The formula is `F R F` with
    `F = diag(-1, 1, 1)`."""
    return np.asarray(_MIRROR @ np.asarray(rotation, np.float64) @ _MIRROR)


def turn_rotation(rotation: ArrayLike, clockwise: ArrayLike) -> Floats:
    """Return the rotations of heads in an image that was turned clockwise. The formula is `Rz(t) R`. `rotation`
    (..., 3, 3) contains the rotations R in the original image, and `clockwise` (...) contains the angles t in
    degrees."""
    turn = rotation_from_angles(np.multiply.outer(clockwise, [0, 0, 1]))
    return np.asarray(turn @ np.asarray(rotation, np.float64))


def geodesic_degrees(first: ArrayLike, second: ArrayLike) -> Floats:
    """Return the angles (...) between pairs of rotations (..., 3, 3), in degrees from 0 to 180."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    trace = np.einsum("...ij,...ij->...", a, b)
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))
