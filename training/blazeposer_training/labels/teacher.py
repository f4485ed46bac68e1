"""Label the faces in photos. BlazeFace finds the faces, and MediaPipe's face mesh network gives the rotations.

The face mesh network does not say how uncertain a rotation is. Therefore, it runs on four crops of each face, which
differ in position, size and mirroring. The label is the mean of the four rotations, and the uncertainty is the mean
angle between the label and the four rotations.
"""

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
"""Settings of each crop: shift to the right, shift down, factor for the side, and True if the crop is mirrored. Each
shift is a fraction of the crop's side before the factor is applied."""
MOST_FACES = 32


@dataclass(frozen=True)
class Labelled:
    """A labelled face. All positions and sizes are in pixels of the photo."""

    face: Face
    """Face with BlazeFace's score and keypoints, and the teacher's rotation. `err` is the uncertainty of the rotation
    in degrees. The box is the tight box around the landmarks."""
    landmarks: Floats
    """Mesh points (68, 2) that are nearest to the 68 iBUG landmarks, in the order of the landmarks."""
    spread: Floats
    """Standard deviations (3,) of yaw, pitch and roll among the four crops, in degrees."""


def meshes(networks: FaceMesh, photo: Image, face: Face) -> Floats | None:
    """Return the face meshes (4, 468, 3) of the four crops in pixels: x points right, y points DOWN, and z points
    towards the viewer. In the mesh of a mirrored crop, the left and right points are exchanged. Return None if the
    face mesh network finds no face in one of the crops."""
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
    """A callable object that labels the faces in an RGB photo. The face with the highest score comes first."""

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
    """Return, for each point of a face mesh, the index (468,) of the point at the mirrored position. `points` are the
    points of a face that looks straight ahead."""
    return np.linalg.norm(points[:, None] - points * [-1, 1, 1], axis=-1).argmin(1)
