"""BlazeFace in INT8, and a rotation from its six keypoints: a camera's way without BlazePoser.

`blazeface_int8.tflite` is MediaPipe's short-range BlazeFace (Apache-2.0) with all its channels, quantized and written
as BlazePoser is: once, by `python -m blazeposer_training.int8.blazeface` of commit 9134d69, with ranges of 300 images
of the training pools. Its outputs are the first four of the contract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeposer.core.contract import KEYPOINTS, OUTPUTS, SCORE_THRESHOLD
from blazeposer.core.decode import MAX_FACES, decode
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image, clean_input, square_pad
from blazeposer.core.rotation import Floats
from blazeposer.tflite.graph import read_graph
from blazeposer.tflite.interpreter import Network, litert

BLAZEFACE_INT8 = Path(__file__).with_name("blazeface_int8.tflite")
DETECTION = 4
"""Number of the contract's outputs that BlazeFace has."""
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
_NO_POSE = [np.zeros(output.shape, np.float32) for output in OUTPUTS[DETECTION:]]


def without_pose(outputs: Sequence[NDArray[np.floating]]) -> list[NDArray[np.floating]]:
    """Return the contract's outputs from the first four of them; rotations and errors mean nothing."""
    return [*outputs, *_NO_POSE]


def decode_blazeface(outputs: Sequence[NDArray[np.floating]], max_faces: int) -> list[Face]:
    """Return the faces of a network with the contract's first four outputs."""
    return decode(without_pose(outputs), SCORE_THRESHOLD, max_faces)


class BlazeFace:
    """Finds faces in images (h, w, 3) uint8 RGB, prepared and decoded as BlazePoser's."""

    files = (BLAZEFACE_INT8,)

    def __init__(self, max_faces: int = MAX_FACES) -> None:
        data = BLAZEFACE_INT8.read_bytes()
        outputs = read_graph(data, BLAZEFACE_INT8.name).output_tensors
        self._network = Network(litert(data), tuple((tensor.scale, tensor.zero_point) for tensor in outputs))
        self._max_faces = max_faces

    @property
    def seconds(self) -> float:
        """Seconds spent in the network so far."""
        return self._network.seconds

    def __call__(self, picture: Image) -> list[Face]:
        square, (x, y, side) = square_pad(picture)
        faces = decode_blazeface(self._network.outputs(clean_input(square)), self._max_faces)
        return [face.moved(x, y, side, side) for face in faces]


class BlazeFacePnP(BlazeFace):
    """The peer."""

    name = "BlazeFace INT8, solvePnP"

    def __call__(self, picture: Image) -> list[Face]:
        return [with_pnp(face) for face in super().__call__(picture)]


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
