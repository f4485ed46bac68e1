"""Compute a head's rotation from points in the image, by perspective-n-point (OpenCV's solvePnP)."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from blazeposer.core.contract import KEYPOINTS
from blazeposer.core.face import Face
from blazeposer.core.rotation import Floats

FACE_POINTS = {
    "right_eye": (-3.151, 2.625, 3.466),
    "left_eye": (3.151, 2.625, 3.466),
    "nose": (0.0, -0.463, 7.587),
    "mouth": (0.0, -4.268, 5.312),
    "right_ear": (-7.664, 0.673, -2.436),
    "left_ear": (7.664, 0.673, -2.436),
}
"""The places of a face's points in centimetres: x to the right of the image, y up, z out of the face.

From MediaPipe's canonical face (Apache-2.0, mediapipe/modules/face_geometry/data/canonical_face_model.obj): vertices 33
and 133 (the middle between the corners of an eye), 4 (tip of the nose), 13 and 14 (the middle between the lips), 234
(before the ear), and those that mirror them. Its zero is that of 300W-LP: the best
correction, fitted on the pools' `train` split, is one degree of pitch and makes no difference, so there is none."""
FOCAL = 3.0
"""Focal length of the assumed camera in sides of the face's box. Of 2 to 14 the best on the pools' `train` split, by
little: 4.8 degrees instead of 4.9 to 5.1."""
_TO_UPWARD = np.diag([1.0, -1.0, -1.0])


def with_pnp(face: Face) -> Face:
    """Return the face with the rotation that its keypoints tell.

    The camera looks straight at the face, so that the rotation is the one to the line of sight, as labels have it.
    """
    x, y, width, height = face.box
    focal = FOCAL * max(width, height, 1.0)
    camera = np.array([[focal, 0, x + width / 2], [0, focal, y + height / 2], [0, 0, 1]])
    model = np.array([FACE_POINTS[name] for name in KEYPOINTS])
    # Unlike OpenCV's default, which starts from a guess, SQPnP finds the best rotation wherever it is.
    _, turn, _ = cv2.solvePnP(model, face.points, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    return replace(face.turned(from_opencv(np.asarray(cv2.Rodrigues(turn)[0], np.float64))), err=float("nan"))


def from_opencv(rotation: Floats) -> Floats:
    """Return a rotation (3, 3) to OpenCV's camera (x right, y DOWN, z away from the viewer) as `rotation.py` has it."""
    return _TO_UPWARD @ rotation
