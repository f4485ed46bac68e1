"""Compute a head's rotation from a face mesh, which consists of 3D points on the face.

The computed rotation turns the canonical face, an average face mesh at rotation zero, so that it fits the given face
mesh best (Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976). The file
`canonical_face.npz` was made by `python -m blazeposer_training.labels.canonical` of commit 9134d69, from the `train`
split of the training data.

- `points` is the symmetric mean face mesh of faces that have reliable labels and no angle beyond 25 degrees. Before the
  mean was computed, the labelled rotation of each face was removed from its mesh.
- `landmarks` contains, for each iBUG landmark, the index of the mesh point with the smallest mean distance to the
  landmark. The mean is over faces that have reliable labels and no angle beyond 60 degrees. On the jaw, the mesh points
  are only approximate, because the jaw's landmarks have no fixed position on a face.
- `yaw_gain` is the median ratio of the labelled yaw to the yaw of the mesh, on faces that have reliable labels and are
  turned by 15 to 60 degrees. The yaw of a face mesh is too small, because of the perspective of the cropped photo and
  because the mesh is too flat.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blazeposer.core.rotation import Floats, angles_from_rotation, rotation_from_angles

CANONICAL_PATH = Path(__file__).with_name("canonical_face.npz")
NOSE_TIP = 4


@dataclass(frozen=True)
class Canonical:
    points: Floats
    """Points (468, 3). The x axis points to the right, the y axis points up, and the z axis points to the viewer. The
    mean square distance of the points to their middle is about 1."""
    landmarks: NDArray[np.int64]
    """Indices (68,) of mesh points."""
    yaw_gain: float

    def rotation(self, mesh: Floats) -> Floats:
        """Return the rotation (3, 3) of a head. `mesh` (468, 3) has the axes of `points`. Only mesh points above the
        tip of the nose are used, because jaw and lips can move without the head."""
        still = self.points[:, 1] > self.points[NOSE_TIP, 1]
        turned, straight = mesh[still], self.points[still]
        nearest = nearest_rotation((turned - turned.mean(0)).T @ (straight - straight.mean(0)))
        yaw, pitch, roll = angles_from_rotation(nearest)
        return rotation_from_angles([yaw * self.yaw_gain, pitch, roll])


def load_canonical() -> Canonical:
    with np.load(CANONICAL_PATH) as file:
        return Canonical(file["points"].astype(np.float64), file["landmarks"].astype(np.int64), float(file["yaw_gain"]))


def nearest_rotation(matrix: Floats) -> Floats:
    """Return the rotation that is nearest to a matrix (3, 3), and never a reflection."""
    u, _, v = np.linalg.svd(matrix)
    return np.asarray(u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v)
