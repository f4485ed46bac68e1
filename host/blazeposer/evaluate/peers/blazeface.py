"""BlazeFace in INT8, and a rotation from its six keypoints: a camera's way without BlazePoser.

`blazeface_int8.tflite` is MediaPipe's short-range BlazeFace (Apache-2.0) with all its channels, quantized and written
as BlazePoser is: once, by `python -m blazeposer_training.int8.blazeface` of commit 9134d69, with ranges of 300 images
of the training pools. Its outputs are the first four of the contract.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blazeposer.core.contract import OUTPUTS, SCORE_THRESHOLD
from blazeposer.core.decode import MAX_FACES, decode
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image, clean_input, square_pad
from blazeposer.evaluate.peers.pnp import with_pnp
from blazeposer.tflite.graph import read_graph
from blazeposer.tflite.interpreter import Network, litert

BLAZEFACE_INT8 = Path(__file__).with_name("blazeface_int8.tflite")
DETECTION = 4
"""Number of the contract's outputs that BlazeFace has."""
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
