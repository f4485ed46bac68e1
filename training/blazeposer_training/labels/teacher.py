"""Label the faces in photos. BlazeFace finds the faces in a photo, and MediaPipe's face mesh network gives the rotation
of each head.

The package `blazeposer.evaluate.peers` runs BlazeFace and the face mesh network, and computes a head's rotation from a
face mesh. The face mesh network does not say how uncertain a rotation is. To measure the uncertainty, the face mesh
network runs on four crops of each face, which differ in position, size and mirroring. The label of a face is the mean
of the rotations from the four crops. The uncertainty of a label is the mean angle between the label and the rotations
from the four crops.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import angles_from_rotation, geodesic_degrees
from blazeposer.evaluate.peers.canonical import load_canonical, nearest_rotation
from blazeposer.evaluate.peers.mediapipe import ENLARGED, LEAST_MESH_SCORE, Crop, FaceMesh, eye_tilt

Floats = NDArray[np.float64]

EYE_CORNERS = (33, 263)
"""Mesh points at the outer corners of the person's right and left eye."""
LOOKS = ((0.06, -0.06, 1.1, False), (-0.06, 0.06, 1.1, True), (-0.06, -0.06, 0.9, False), (0.06, 0.06, 0.9, True))
"""Changes of the crop for each of the four looks at a face: the shift to the right and the shift down (as fractions of
the crop's side), the factor on the side, and True if the crop is mirrored."""
MOST_FACES = 32


@dataclass(frozen=True)
class Labelled:
    """A labelled face in a photo. All positions and sizes of the face are in pixels of the photo."""

    face: Face
    """BlazeFace's score and keypoints, and the teacher's rotation.

    `err` is the mean angle in degrees between the rotations in the four looks and the teacher's rotation. The box is
    the tight box around the landmarks.
    """
    landmarks: Floats
    """Points (68, 2) in iBUG order. They are the mesh points that are nearest to the iBUG landmarks."""
    spread: Floats
    """Standard deviations (3,) of yaw, pitch and roll among the four looks, in degrees."""


def meshes(networks: FaceMesh, photo: Image, face: Face) -> Floats | None:
    """Return an array (4, 468, 3) with a face mesh for each of the four crops. The coordinates of the mesh points are
    in pixels: x points right, y points DOWN, and z points towards the viewer.

    In the returned mesh of a mirrored crop, the left and right points of the face are still exchanged. Return None if
    the face mesh network finds no face in one of the crops.
    """
    points, _ = networks.look(photo, Crop.of(face), fine=True)
    # As in MediaPipe's tracking, the mesh gives a better box than BlazeFace.
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    side = ENLARGED * float((high - low).max())
    right, left = points[list(EYE_CORNERS), :2]
    found = []
    for dx, dy, scale, mirrored in LOOKS:
        cx, cy = ((low + high) / 2 + side * np.array([dx, dy])).tolist()
        crop = Crop((cx, cy), side * scale, eye_tilt(left - right), mirrored)
        points, score = networks.look(photo, crop, fine=True)
        if score < LEAST_MESH_SCORE:
            return None
        found.append(points)
    return np.array(found)


class Teacher:
    """A callable object that finds and labels the faces in photos. A call with an RGB photo (height, width, 3) of type
    uint8 returns the labelled faces, with the highest score first."""

    def __init__(self) -> None:
        self._networks = FaceMesh()
        self._canonical = load_canonical()
        self._partner = partners(self._canonical.points)

    def __call__(self, photo: Image) -> list[Labelled]:
        faces = self._networks.faces(photo, MOST_FACES)
        found = [(face, meshes(self._networks, photo, face)) for face in faces]
        return [self._label(face, looks) for face, looks in found if looks is not None]

    def _label(self, face: Face, looks: Floats) -> Labelled:
        for mesh, (*_, mirrored) in zip(looks, LOOKS, strict=True):
            if mirrored:  # in a mirrored look, left and right are exchanged
                mesh[:] = mesh[self._partner]
        rotations = np.array([self._canonical.rotation(mesh * [1, -1, 1]) for mesh in looks])
        mean = nearest_rotation(rotations.mean(0))
        landmarks = looks[:, self._canonical.landmarks, :2].mean(0)
        (x, y), (width, height) = landmarks.min(0).tolist(), np.ptp(landmarks, axis=0).tolist()
        error = float(geodesic_degrees(rotations, mean).mean())
        return Labelled(
            replace(face.turned(mean), box=(x, y, width, height), err=error),
            landmarks,
            angles_from_rotation(rotations).std(0),
        )


def partners(points: Floats) -> NDArray[np.int64]:
    """Return, for each point of a face mesh, the index of the mesh point at the mirrored position. The array of indices
    has the shape (468,). `points` are the mesh points of a face that looks straight ahead."""
    return np.linalg.norm(points[:, None] - points * [-1, 1, 1], axis=-1).argmin(1)
