"""Run an INT8 file of BlazeFace, and compute a head's rotation from its six keypoints. A camera could do the same.

`blazeface_int8.tflite` is MediaPipe's short-range BlazeFace (Apache-2.0), quantized in the same way as BlazePoser. This
network has all channels of the original BlazeFace, unlike BlazePoser's network. The value ranges were measured on 300
training images. The file was written by `python -m blazeposer_training.int8.blazeface` of commit 9134d69.
"""

from collections.abc import Callable, Sequence
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
"""Number of outputs of BlazeFace. They are the first outputs in `OUTPUTS`."""
FACE_POINTS = {
    "right_eye": (-3.151, 2.625, 3.466),
    "left_eye": (3.151, 2.625, 3.466),
    "nose": (0.0, -0.463, 7.587),
    "mouth": (0.0, -4.268, 5.312),
    "right_ear": (-7.664, 0.673, -2.436),
    "left_ear": (7.664, 0.673, -2.436),
}
"""Positions of a face's points in centimetres. The x axis points to the right of the image, the y axis points up, and
the z axis points out of the face. The positions come from MediaPipe's canonical face (Apache-2.0,
mediapipe/modules/face_geometry/data/canonical_face_model.obj). An eye is in the middle between the vertices 33 and 133,
the tip of the nose is vertex 4, the mouth is in the middle between the vertices 13 and 14, and the point in front of
the ear is vertex 234. The points of the other side are mirror images. On the `train` split of the training data, the
zero pose of these points differs from 300W-LP's zero pose by one degree of pitch, which is too little for a
correction."""
FOCAL = 3.0
"""Focal length of the assumed camera, as a multiple of the side of the face's box. Among the values from 2 to 14, this
value gives the smallest error on the `train` split of the training data (4.8 degrees). The other values give 4.9 to 5.1
degrees."""
Outputs = Sequence[NDArray[np.floating]]
Run = Callable[[Image], Outputs]
"""Function that runs a network on an image (128, 128, 3) and returns the dequantized outputs."""
_TO_UPWARD = np.diag([1.0, -1.0, -1.0])
_NO_POSE = [np.zeros(output.shape, np.float32) for output in OUTPUTS[DETECTION:]]


def without_pose(outputs: Outputs) -> Outputs:
    """Return the outputs of a network that computes no poses, followed by zeros for the missing rotations and
    errors."""
    return [*outputs, *_NO_POSE]


def find_faces(run: Run, picture: Image, max_faces: int) -> list[Face]:
    """Return the faces that a network finds in an image, which is padded to a square. Lengths are in pixels."""
    square, (x, y, side) = square_pad(picture)
    faces = decode(run(clean_input(square)), SCORE_THRESHOLD, max_faces)
    return [face.moved(x, y, side, side) for face in faces]


class BlazeFace:
    """A face detector that prepares images and decodes outputs in the same way as BlazePoser."""

    files = (BLAZEFACE_INT8,)

    def __init__(self, max_faces: int = MAX_FACES) -> None:
        data = BLAZEFACE_INT8.read_bytes()
        outputs = read_graph(data, BLAZEFACE_INT8.name).output_tensors
        self._network = Network(litert(data), tuple((tensor.scale, tensor.zero_point) for tensor in outputs))
        self._max_faces = max_faces

    @property
    def seconds(self) -> float:
        return self._network.seconds

    def __call__(self, picture: Image) -> list[Face]:
        return find_faces(lambda image: without_pose(self._network.outputs(image)), picture, self._max_faces)


class BlazeFacePnP(BlazeFace):
    """A detector that finds faces with BlazeFace, and computes their rotations with solvePnP."""

    name = "BlazeFace INT8, solvePnP"

    def __call__(self, picture: Image) -> list[Face]:
        return [with_pnp(face) for face in super().__call__(picture)]


def with_pnp(face: Face) -> Face:
    """Return a face with the rotation that solvePnP computes from its keypoints. The rotation is relative to the line
    of sight from the camera to the face, as in the labels of the data sets."""
    x, y, width, height = face.box
    focal = FOCAL * max(width, height, 1.0)
    camera = np.array([[focal, 0, x + width / 2], [0, focal, y + height / 2], [0, 0, 1]])
    model = np.array([FACE_POINTS[name] for name in KEYPOINTS])
    # SQPnP always finds the best rotation. OpenCV's default starts from a guess and may miss the best rotation.
    _, turn, _ = cv2.solvePnP(model, face.points, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    return replace(face.turned(from_opencv(np.asarray(cv2.Rodrigues(turn)[0], np.float64))), err=float("nan"))


def from_opencv(rotation: Floats) -> Floats:
    """Convert a rotation matrix (3, 3) from OpenCV's axes (x right, y DOWN, z away) to the axes of `rotation.py`."""
    return _TO_UPWARD @ rotation
