"""Measure the error of `blazeposer.faces.position`, on the demo's head drawn at known places before a pinhole camera.

The head is scaled so that its eyes are as far apart as those of the assumed head: what people's heads differ in size
comes on top, in proportion to the distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.progress import track

from blazeposer.core.console import Console
from blazeposer.core.errors import ModelError
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import Floats, angles_from_rotation, rotation_from_angles
from blazeposer.evaluate.peers import pnp
from blazeposer.evaluate.report import Table
from blazeposer.evaluate.tracking.steady import NOISE, noisy
from blazeposer.faces.closer import CloserLook
from blazeposer.faces.detector import Detector
from blazeposer.faces.position import FIELD_OF_VIEW, position, to_camera
from blazeposer.scene.portrait import HEAD_MIDDLE, load_portrait
from blazeposer.scene.sequence import room

SIDE = 480
FOCAL = SIDE / 2 / np.tan(np.radians(FIELD_OF_VIEW) / 2)
DISTANCES = ((35.0, 55.0), (55.0, 85.0), (85.0, 130.0))
"""Centimetres."""
PLACES = 40
"""In each range."""
TURNS = (35.0, 15.0, 15.0)
"""Largest yaw, pitch and roll to the camera's axis, degrees."""
LOOKS = 3
"""Images of each place, the last of which counts."""
VERTICES = {"right_eye": (33, 133), "left_eye": (263, 362), "nose": (4,), "right_ear": (234,), "left_ear": (454,)}
"""Of the face mesh: what `pnp.FACE_POINTS` says of its points."""


@dataclass(frozen=True)
class Place:
    """A head's place in centimetres (x right, y up, z to the viewer), and its rotation to the camera's axis."""

    at: Floats
    rotation: Floats


class Studio:
    """Draws the demo's head at a place."""

    def __init__(self) -> None:
        self._portrait = load_portrait()
        points = self._portrait.points.astype(np.float64)
        own = np.array([points[list(vertices)].mean(0) for vertices in VERTICES.values()])
        assumed = np.array([pnp.FACE_POINTS[name] for name in VERTICES])
        centimetre = np.linalg.norm(own[1] - own[0]) / np.linalg.norm(assumed[1] - assumed[0])
        self._head = (points - own.mean(0)) / centimetre + assumed.mean(0)
        self._scale = 1 / centimetre

    def draw(self, place: Place, rng: np.random.Generator) -> Image:
        """(480, 480, 3) with the sensor's noise."""
        mesh = self._head @ place.rotation.T + place.at
        near = FOCAL / -mesh[:, 2:]
        pixels = np.hstack([mesh[:, :2] * near * [1, -1] + SIDE / 2, mesh[:, 2:] * FOCAL / -place.at[2]])
        scale = FOCAL / -place.at[2] * self._scale
        middle = self._neck(pixels, scale)
        picture = room().copy()
        self._portrait.draw(picture, pixels, scale, middle)
        return noisy(picture, NOISE, rng)

    def _neck(self, pixels: Floats, scale: float) -> tuple[float, float]:
        """Return the place at which the body has to be drawn under the head."""
        straight = self._portrait.turned(angles_from_rotation(self._portrait.rotation))
        x, y = (pixels[:, :2].mean(0) - (straight[:, :2].mean(0) - HEAD_MIDDLE) * scale).tolist()
        return x, y


def places(rng: np.random.Generator, low: float, high: float) -> list[Place]:
    """Random places where the whole face is in the image."""
    chosen = []
    for _ in range(PLACES):
        distance = rng.uniform(low, high)
        room_beside = distance * SIDE / 2 / FOCAL - 13  # half of a head and its hair
        x, y = rng.uniform(-1, 1, 2) * room_beside
        chosen.append(Place(np.array([x, y, -distance]), rotation_from_angles(rng.uniform(-1, 1, 3) * TURNS)))
    return chosen


def measure(detector: Detector, seed: int = 1) -> Table:
    """A row a range of distances: mean absolute errors of the position, and of yaw and pitch before and after they are
    corrected for where the face is."""
    rng, studio = np.random.default_rng(seed), Studio()
    table = []
    for low, high in DISTANCES:
        rows = []
        for place in track(places(rng, low, high), description=f"{high:g} cm", console=Console(stderr=True)):
            if face := _last(studio, place, detector, rng):
                rows.append(_errors(face, place))
        if not rows:
            raise ModelError("none of the demo's heads was found: make the model anew with `blazeposer quantize`")
        signed, errors = np.mean(rows, axis=0), np.abs(rows).mean(axis=0)
        x, y, z, share, *angles = errors.tolist()
        centimetres = (f"{value:.1f}" for value in (x, y, z))
        table.append([f"{low:g}-{high:g} cm", str(PLACES), str(len(rows)), *centimetres, f"{share:.1f}",
                      f"{signed[3]:+.1f}", *(f"{angle:.1f}" for angle in angles)])  # fmt: skip
    head = ("distance", "N", "found", "x, cm", "y, cm", "z, cm", "z, %", "bias of z, %", "yaw", "corrected", "pitch",
            "corrected")  # fmt: skip
    title = f"Position: field of view {FIELD_OF_VIEW:g} degrees, pictures of {SIDE}x{SIDE}"
    return Table(head, table, title, "mean absolute errors on a head of the assumed size; angles to the camera's axis")


def _last(studio: Studio, place: Place, detector: Detector, rng: np.random.Generator) -> Face | None:
    """The face as it is seen after a few images."""
    look = CloserLook(detector)
    faces: list[Face] = []
    for _ in range(LOOKS):
        faces = look(studio.draw(place, rng))
    return faces[0] if faces else None


def _errors(face: Face, place: Place) -> Floats:
    """Return the errors of x, y, z in cm, of z in per cent, of yaw, corrected yaw, pitch, corrected pitch."""
    x, y, z = place.at
    offsets = np.array(position(face, SIDE)) - (x, y, -z)
    known = angles_from_rotation(place.rotation)
    plain, corrected = (np.array(angles) - known for angles in (face.angles, to_camera(face, SIDE).angles))
    return np.array([*offsets, 100 * offsets[2] / -z, plain[0], corrected[0], plain[1], corrected[1]])
