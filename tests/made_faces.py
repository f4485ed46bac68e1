"""Make faces for tests of trackers, without a network."""

from collections.abc import Sequence

import numpy as np

from blazeposer.core.face import Face
from blazeposer.core.rotation import rotation_from_angles


def face(
    x: float = 100, y: float = 100, side: float = 40, score: float = 0.9, angles: Sequence[float] = (0, 0, 0)
) -> Face:
    """Return a face whose middle is at x, y."""
    points = np.array([x, y]) + np.linspace(-side / 3, side / 3, 12).reshape(6, 2)
    box = (x - side / 2, y - side / 2, side, side)
    return Face.of(box, score, points, rotation_from_angles(angles), 4.0)
