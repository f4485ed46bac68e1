"""Compute a head's rotation from a face mesh, which consists of 3D points on the face.

The canonical face is an average face mesh at rotation zero. The computed rotation turns the canonical face so that it
fits the given face mesh best. Kabsch described the method for the best fit ("A solution for the best rotation to relate
two sets of vectors", 1976). The file `canonical_face.npz` was made by `python -m blazeposer_training.labels.canonical`
of commit 9134d69, from the `train` split of the training data. Rotation zero means the same head pose for the canonical
face, for the training data and for 300W-LP. The file `canonical_face.npz` contains the values `points`, `landmarks` and
`yaw_gain`.

- `points` is the mean face mesh of faces that have reliable labels and no angle beyond 25 degrees. Before the meshes
  were averaged, the labelled rotation of each face was removed from its mesh. The mean face mesh was made symmetric.
- For each iBUG landmark, `landmarks` contains the index of one mesh point. Among all mesh points, this point has the
  smallest mean distance to the landmark in the images. The mean distances were measured on faces that have reliable
  labels and no angle beyond 60 degrees. The mesh points on the jaw are only approximate, because the jaw's landmarks
  have no fixed position on a face.
- `yaw_gain` is the median ratio of the labelled yaw to the yaw of the mesh. `yaw_gain` was computed from faces that
  have reliable labels and are turned by 15 to 60 degrees. The yaw of a face mesh is too small, because of the
  perspective of the cropped photo and because the mesh is too flat.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blazeposer.core.rotation import Floats, angles_from_rotation, rotation_from_angles

CANONICAL_PATH = Path(__file__).with_name("canonical_face.npz")
NOSE_TIP = 4


@dataclass(frozen=True)
class Canonical:
    """The canonical face, which is at rotation zero."""

    points: Floats
    """Points (468, 3) of a symmetric face. x points to the right, y points up, and z points to the viewer. The mean
    square distance of the points from their middle is 1."""
    landmarks: NDArray[np.int64]
    """Indices (68,) of mesh points, one for each iBUG landmark."""
    yaw_gain: float
    """True yaw divided by the yaw of the mesh. The ratio is above 1, because the yaw of the mesh is too small."""

    def rotation(self, mesh: Floats) -> Floats:
        """Compute the rotation (3, 3) of a head from its face mesh, and return the rotation. `mesh` (468, 3) contains
        the points of the face mesh, with the same axes as `points`. The rotation is fitted only to mesh points above
        the tip of the nose, because jaw and lips can move without the head."""
        still = self.points[:, 1] > self.points[NOSE_TIP, 1]
        turned, straight = mesh[still], self.points[still]
        nearest = nearest_rotation((turned - turned.mean(0)).T @ (straight - straight.mean(0)))
        yaw, pitch, roll = angles_from_rotation(nearest)
        return rotation_from_angles([yaw * self.yaw_gain, pitch, roll])


def load_canonical() -> Canonical:
    """Load the canonical face from the file `canonical_face.npz`, and return it."""
    with np.load(CANONICAL_PATH) as file:
        return Canonical(file["points"].astype(np.float64), file["landmarks"].astype(np.int64), float(file["yaw_gain"]))


def nearest_rotation(matrix: Floats) -> Floats:
    """Return the rotation that is nearest to a matrix (3, 3). The returned matrix is always a rotation and never a
    reflection."""
    u, _, v = np.linalg.svd(matrix)
    return np.asarray(u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v)
