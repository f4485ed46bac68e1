"""Compute a head's rotation from a face mesh.

The rotation is the one that best lays the canonical face over the mesh (Kabsch, "A solution for the best rotation to
relate two sets of vectors", 1976). `canonical_face.npz` was made once, by `python -m
blazeposer_training.labels.canonical` of commit 9134d69, from the `train` split of the pools, so that its zero is that
of their labels, which is 300W-LP's:

    points      the mean mesh of faces whose labelled angles are all within 25 degrees and certain, each turned back by
                its label, made symmetric
    landmarks   for each iBUG landmark the mesh point that is on average nearest to it in the image, over certain
                faces within 60 degrees. An approximation: the jaw's landmarks have no fixed place on a face
    yaw_gain    the median ratio of labelled yaw to the yaw that the mesh shows, over certain faces turned by 15 to 60
                degrees: the crop's perspective and the flat depth of the mesh hide a part of every turn
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
    """(468, 3): x to the right, y up, z to the viewer; mean square distance from the middle 1; symmetric."""
    landmarks: NDArray[np.int64]
    """(68,) mesh points, one for each iBUG landmark."""
    yaw_gain: float
    """True yaw over the one that the mesh shows: it turns too little."""

    def rotation(self, mesh: Floats) -> Floats:
        """Return the rotation (3, 3) of a head, from its mesh (468, 3) in the axes of `points`. Jaw and lips move by
        themselves, so only points above the tip of the nose are laid over each other."""
        still = self.points[:, 1] > self.points[NOSE_TIP, 1]
        turned, straight = mesh[still], self.points[still]
        nearest = nearest_rotation((turned - turned.mean(0)).T @ (straight - straight.mean(0)))
        yaw, pitch, roll = angles_from_rotation(nearest)
        return rotation_from_angles([yaw * self.yaw_gain, pitch, roll])


def load_canonical() -> Canonical:
    """Return the committed canonical face."""
    with np.load(CANONICAL_PATH) as file:
        return Canonical(file["points"].astype(np.float64), file["landmarks"].astype(np.int64), float(file["yaw_gain"]))


def nearest_rotation(matrix: Floats) -> Floats:
    """Return the rotation, not a reflection, nearest to a matrix (3, 3)."""
    u, _, v = np.linalg.svd(matrix)
    return np.asarray(u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v)
