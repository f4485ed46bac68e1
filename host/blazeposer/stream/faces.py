"""Faces as streamed, and as the decoder has them: the same in other clothes."""

from __future__ import annotations

import numpy as np

from blazeposer.core.decode import Face
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.stream.record import StreamedFace


def from_streamed(face: StreamedFace) -> Face:
    """The decoder's form, in the same pixels."""
    return Face(face.box, face.score, np.array(face.keypoints), rotation_from_angles(face.angles), face.err)


def to_streamed(face: Face, track: int | None = None) -> StreamedFace:
    """The streamed form, in the same pixels, rounded to hundredths."""
    x, y, w, h = (round(value, 2) for value in face.box)
    yaw, pitch, roll = (round(angle, 2) for angle in face.angles)
    points = tuple((x, y) for x, y in np.round(face.keypoints, 2).tolist())
    return StreamedFace((x, y, w, h), round(face.score, 3), points, yaw, pitch, roll, round(face.err, 2), track)
