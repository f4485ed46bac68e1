"""Compute a head's rotation from a face mesh.

The result is the rotation that best fits the canonical face to the mesh (Kabsch, "A solution for the best rotation to
relate two sets of vectors", 1976). `canonical_face.npz` was made once by `python -m
blazeposer_training.labels.canonical` of commit 9134d69, from the `train` split of the data sets for training. The
labels of these data sets have the same zero pose as 300W-LP, and so has the canonical face. The file contains these
values:

    points      are the mean mesh of faces with reliable labels whose angles are all within 25 degrees. Each mesh was
                turned back by its label. The mean mesh was made symmetric
    landmarks   are the indices of the mesh points that are nearest to the iBUG landmarks in the image, on average over
                faces with reliable labels within 60 degrees. The points on the jaw are only approximate, because the
                jaw's landmarks have no fixed position on a face
    yaw_gain    is the median ratio of the labelled yaw to the yaw of the mesh, for faces with reliable labels that are
                turned by 15 to 60 degrees. The crop's perspective and the flat depth of the mesh make the mesh's yaw
                too small
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
    """The face at rotation zero."""

    points: Floats
    """Points (468, 3) of a symmetric face. x points to the right, y points up, and z points to the viewer. The mean
    square distance of the points from their middle is 1."""
    landmarks: NDArray[np.int64]
    """Indices (68,) of mesh points, one for each iBUG landmark."""
    yaw_gain: float
    """True yaw divided by the yaw of the mesh. The ratio is above 1, because the yaw of the mesh is too small."""

    def rotation(self, mesh: Floats) -> Floats:
        """Return the rotation (3, 3) of a head. `mesh` is (468, 3), in the axes of `points`. The fit uses only points
        above the tip of the nose, because jaw and lips can move without the head."""
        still = self.points[:, 1] > self.points[NOSE_TIP, 1]
        turned, straight = mesh[still], self.points[still]
        nearest = nearest_rotation((turned - turned.mean(0)).T @ (straight - straight.mean(0)))
        yaw, pitch, roll = angles_from_rotation(nearest)
        return rotation_from_angles([yaw * self.yaw_gain, pitch, roll])


def load_canonical() -> Canonical:
    """Return the canonical face from the file in this folder."""
    with np.load(CANONICAL_PATH) as file:
        return Canonical(file["points"].astype(np.float64), file["landmarks"].astype(np.int64), float(file["yaw_gain"]))


def nearest_rotation(matrix: Floats) -> Floats:
    """Return the rotation that is nearest to a matrix (3, 3). The result is never a reflection."""
    u, _, v = np.linalg.svd(matrix)
    return np.asarray(u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v)
