"""Networks that the user names as ONNX files: YuNet, known by its outputs, or a network that reads the pose of a face.

YuNet (Wu et al., "YuNet: a tiny millisecond-level face detector", 2023) runs in OpenCV's own class for it, and
solvePnP turns its five points into a rotation. A pose network gets each face that the INT8 BlazeFace finds and runs in
ONNX Runtime (extra `peers`): float RGB, normalised as ImageNet's pictures, one crop at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeposer.core.contract import SCORE_THRESHOLD
from blazeposer.core.decode import MAX_FACES, Face
from blazeposer.core.errors import MissingExtraError, ModelError
from blazeposer.core.prepare import Image, square_pad
from blazeposer.core.quiet import quiet_stderr
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.evaluate.peers import Peer
from blazeposer.evaluate.peers.blazeface import BlazeFace
from blazeposer.evaluate.peers.canonical import nearest_rotation
from blazeposer.evaluate.peers.pnp import with_pnp
from blazeposer.tflite.interpreter import Timed

Floats = NDArray[np.float64]

YUNET_OUTPUTS = {f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)}
YUNET_SIDE = 320
"""Side of YuNet's input, pixels: what its authors trained it and give its speed for."""
YUNET_POINTS = ("right_eye", "left_eye", "nose", "right_mouth_corner", "left_mouth_corner")
OVERLAP = 0.3
"""YuNet's boxes that overlap a better one by more are dropped (OpenCV's default)."""
CROP = 1.6
"""Side of the square that a pose network sees over the longer side of the face's box."""
USUAL_SIDE = 224
"""Side of that input where the file leaves it open, pixels."""
MEAN, DEVIATION = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], np.float32)
"""Of ImageNet's pictures, in [0, 1]."""
BINS, BIN_DEGREES, FIRST_BIN = 66, 3.0, -99.0


def rotation_of_angles(outputs: Sequence[NDArray[Any]]) -> Floats:
    """Yaw, pitch, roll in degrees, as 300W-LP labels them."""
    yaw, pitch, roll = np.concatenate([output.ravel() for output in outputs]).tolist()
    return rotation_from_angles([yaw, pitch, roll])


def rotation_of_bins(outputs: Sequence[NDArray[Any]]) -> Floats:
    """HopeNet (Ruiz et al., 2018): for yaw, pitch and roll the logits of 66 bins of 3 degrees from -99 on, 300W-LP."""
    logits = np.stack([output.reshape(BINS) for output in outputs]).astype(np.float64)
    weights = np.exp(logits - logits.max(1, keepdims=True))
    bins = (weights * np.arange(BINS)).sum(1) / weights.sum(1)
    return rotation_from_angles(bins * BIN_DEGREES + FIRST_BIN)


def rotation_of_matrix(outputs: Sequence[NDArray[Any]]) -> Floats:
    """6DRepNet (Hempel et al., 2022): the matrix Rz(roll) Ry(yaw) Rx(pitch) of right-handed turns by 300W-LP's angles
    (`get_R` in its utils.py), which is the transpose of ours."""
    (matrix,) = outputs
    return nearest_rotation(matrix.reshape(3, 3).astype(np.float64).T)


CONVENTIONS: dict[str, Callable[[Sequence[NDArray[Any]]], Floats]] = {
    "angles": rotation_of_angles,
    "hopenet": rotation_of_bins,
    "6drepnet": rotation_of_matrix,
}
"""What the outputs of a pose network mean."""


def open_onnx(path: Path, convention: str, max_faces: int = MAX_FACES) -> Peer:
    """The peer in a file; `convention` is a key of `CONVENTIONS`, for pose networks. Raises BlazePoserError."""
    session = _session(path)
    if {output.name for output in session.get_outputs()} >= YUNET_OUTPUTS:
        return YuNetPnP(path, max_faces)
    return PoseNetwork(path, session, convention, max_faces)


class YuNetPnP:
    """YuNet on the whole picture, solvePnP on its five points. Its time in the network has its decoding in it."""

    def __init__(self, path: Path, max_faces: int) -> None:
        self.name = f"{path.name} (YuNet), solvePnP"
        self.files = (path,)
        self._max_faces = max_faces
        try:
            with quiet_stderr():
                detector = cv2.FaceDetectorYN.create(str(path), "", (YUNET_SIDE,) * 2, SCORE_THRESHOLD, OVERLAP)
                detector.detect(np.zeros((YUNET_SIDE, YUNET_SIDE, 3), np.uint8))  # if it can
        except cv2.error as error:
            raise ModelError(f"{path}: OpenCV cannot run this YuNet: use another version of the file") from error
        self._detect = Timed(lambda picture: [detector.detect(picture)[1]])

    @property
    def seconds(self) -> float:
        return self._detect.seconds

    def __call__(self, picture: Image) -> list[Face]:
        square, (x, y, side) = square_pad(picture)
        resized = cv2.resize(square, (YUNET_SIDE, YUNET_SIDE), interpolation=cv2.INTER_AREA)
        (found,) = self._detect(cv2.cvtColor(resized, cv2.COLOR_RGB2BGR))
        rows = [] if found is None else sorted(found.astype(np.float64), key=lambda row: -row[-1])
        return [_yunet_face(row, x, y, side / YUNET_SIDE) for row in rows[: self._max_faces]]


def _yunet_face(row: Floats, x: float, y: float, scale: float) -> Face:
    """A face of YuNet's row: x, y, width, height, five points x, y, score."""
    left, top, width, height = (row[:4] * scale).tolist()
    points = row[4:14].reshape(5, 2) * scale + (x, y)
    unseen = np.full((2, 2), np.nan)  # the ears
    keypoints = np.vstack([points[:3], points[3:].mean(0), unseen])
    face = Face((x + left, y + top, width, height), float(row[14]), keypoints, np.eye(3), float("nan"))
    return with_pnp(face, points, YUNET_POINTS)


class PoseNetwork:
    """The INT8 BlazeFace and a network that reads the pose of the faces that it finds."""

    def __init__(self, path: Path, session: Any, convention: str, max_faces: int) -> None:
        self.name = f"BlazeFace INT8, {path.name}"
        self._path, self._convention = path, convention
        self._detector = BlazeFace(max_faces)
        self.files = (*self._detector.files, path)
        source, *others = session.get_inputs()
        if others or source.type != "tensor(float)" or len(source.shape) != 4 or source.shape[1] != 3:
            raise ModelError(f"{path}: not a pose network: name one with one float input of (1, 3, side, side)")
        self._side = source.shape[2] if isinstance(source.shape[2], int) else USUAL_SIDE
        self._network = Timed(lambda crop: session.run(None, {source.name: crop}))
        try:
            self._pose(np.zeros((USUAL_SIDE, USUAL_SIDE, 3), np.uint8), (0, 0, USUAL_SIDE, USUAL_SIDE))
        except ModelError:
            raise
        except Exception as error:  # ONNX Runtime's exceptions share no other base
            raise ModelError(
                f"{path}: cannot run on a crop of (1, 3, {self._side}, {self._side}): check --onnx"
            ) from error

    @property
    def seconds(self) -> float:
        return self._detector.seconds + self._network.seconds

    def __call__(self, picture: Image) -> list[Face]:
        faces = self._detector(picture)
        return [replace(face, rotation=self._pose(picture, face.box), error=float("nan")) for face in faces]

    def _pose(self, picture: Image, box: tuple[float, float, float, float]) -> Floats:
        x, y, width, height = box
        scale = self._side / (CROP * max(width, height, 1.0))
        middle = np.array([x + width / 2, y + height / 2])
        view = np.column_stack([np.eye(2) * scale, self._side / 2 - scale * middle])
        crop = cv2.warpAffine(picture, view, (self._side,) * 2, borderMode=cv2.BORDER_REPLICATE)
        values = (crop / np.float32(255) - MEAN) / DEVIATION
        outputs = self._network(np.ascontiguousarray(values.transpose(2, 0, 1)[np.newaxis]))
        try:
            return CONVENTIONS[self._convention](outputs)
        except ValueError as error:
            shapes = " and ".join(str(output.shape) for output in outputs)
            known = ", ".join(CONVENTIONS)
            raise ModelError(
                f"{self._path}: outputs of {shapes} are not {self._convention}: say which of {known} they are"
            ) from error


def _session(path: Path) -> Any:
    """The file in ONNX Runtime, on one thread."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "peers") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise ModelError(f"{path}: cannot read the network ({error.strerror}): check --onnx") from error
    except Exception as error:  # ONNX Runtime's exceptions share no other base
        raise ModelError(f"{path}: not a network that ONNX Runtime loads: check --onnx") from error
