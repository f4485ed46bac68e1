"""Measure jitter and delay of smoothed numbers: sequences of the demo's turning head at 30 frames a second.

Images are as large as the window of `board/main.py`. On each, the sensor's noise is new, and the camera shakes by up
to half a pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from rich.progress import track

from blazeposer.camera.sensor import WINDOW
from blazeposer.core.console import Console
from blazeposer.core.errors import ModelError
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import Floats, geodesic_degrees
from blazeposer.evaluate.report import Table
from blazeposer.faces.detector import Detector
from blazeposer.faces.tracker import Tracker
from blazeposer.scene.portrait import load_portrait
from blazeposer.scene.sequence import room

RATE = 30.0
SIDE = WINDOW[2]
NOISE = 4.0
"""Standard deviation, grey levels."""
SHIFT = 0.5
"""Largest shift on each axis, pixels."""
FRAMES = 90
SETTLED = 15
"""Frames at the start that are left out: at rest the filter takes half a second to settle."""
NOD_HERTZ = 1.0
NOD = 15.0


@dataclass(frozen=True)
class Head:
    """The head's pose: yaw, pitch, roll in degrees, and pixels of the window per portrait pixel."""

    angles: tuple[float, float, float]
    scale: float


HEADS = (
    Head((0.0, 0.0, 0.0), 0.9),
    Head((-12.0, 4.0, 3.0), 0.7),
    Head((18.0, -6.0, -8.0), 0.9),
    Head((30.0, 0.0, 5.0), 1.05),
)
"""Those of the table. The filter's settings were chosen on others, with other noise."""


@dataclass(frozen=True)
class Run:
    """One sequence: the faces of each image, as they are and steadied."""

    raw: list[Face]
    steady: list[Face]


def sequence(head: Head, nod: float, seed: int) -> Iterator[Image]:
    """Pictures (240, 240, 3) of a head that nods by so many degrees (0 is at rest)."""
    rng, portrait = np.random.default_rng(seed), load_portrait()
    background = np.asarray(cv2.resize(room(), (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    middle = SIDE / 2, SIDE * 0.46
    yaw, pitch, roll = head.angles
    for number in range(FRAMES):
        x, y = middle + rng.uniform(-SHIFT, SHIFT, 2)
        turn = nod * np.sin(2 * np.pi * NOD_HERTZ * number / RATE)
        picture = background.copy()
        portrait.paste(picture, (yaw, pitch + turn, roll), head.scale, (x, y))
        yield noisy(picture, NOISE, rng)


def follow(pictures: Sequence[Image], detector: Detector) -> Run:
    """Track the face of a sequence. Raises ModelError where the face is not found."""
    tracker, run = Tracker(), Run([], [])
    for number, picture in enumerate(pictures):
        seen = detector(picture)[:1]
        steady = tracker.update(seen, number / RATE)
        if not steady or steady[0].id != 1:
            raise ModelError("the face of the demo's head is lost: make the model anew with `blazeposer quantize`")
        run.raw.extend(seen)
        run.steady.extend(steady)
    return run


def jitter(faces: Sequence[Face]) -> tuple[float, float]:
    """Return the jitter of a head at rest: root mean square of the angle to the mean rotation in degrees, and of the
    keypoints' distance to their mean place in pixels."""
    faces = faces[SETTLED:]
    rotations = np.array([face.rotation for face in faces])
    u, _, v = np.linalg.svd(rotations.mean(0))
    points = np.array([face.points for face in faces])
    away = np.linalg.norm(points - points.mean(0), axis=-1)
    return _rms(geodesic_degrees(rotations, np.broadcast_to(u @ v, rotations.shape))), _rms(away)


def nodding(faces: Sequence[Face]) -> tuple[float, float]:
    """Return the delay of a nod's pitch in milliseconds, and its amplitude in degrees: phase and size of the sine
    of the nod's frequency that fits best, beside a constant and a drift."""
    t = np.arange(SETTLED, len(faces)) / RATE
    phase = 2 * np.pi * NOD_HERTZ * t
    waves = np.column_stack([np.sin(phase), -np.cos(phase), np.ones_like(t), t])
    pitch = np.array([face.angles[1] for face in faces[SETTLED:]])
    a, b = np.linalg.lstsq(waves, pitch, rcond=None)[0][:2].tolist()
    return float(np.arctan2(b, a) / (2 * np.pi * NOD_HERTZ) * 1000), float(np.hypot(a, b))


def measure(detector: Detector, heads: Sequence[Head] = HEADS, seed: int = 1) -> Table:
    """A row a head: jitter at rest and lag of a nod, before and after smoothing."""
    rest = f"at rest: noise of {NOISE:g} grey levels, shifts up to {SHIFT} px; root mean squares"
    nods = f"nod: +-{NOD:g} degrees at {NOD_HERTZ:g} Hz; the lag is the pitch's, to the head's true one"
    rows = []
    for number, head in enumerate(track(heads, description="smoothing", console=Console(stderr=True))):
        still, nod = (
            follow(list(sequence(head, turn, seed * 1000 + 2 * number + (turn > 0))), detector) for turn in (0, NOD)
        )
        (degrees, pixels), (fewer, less) = jitter(still.raw), jitter(still.steady)
        (lag, size), (later, smaller) = nodding(nod.raw), nodding(nod.steady)
        rows.append([
            "/".join(f"{angle:g}" for angle in head.angles),
            f"{degrees:.2f}", f"{fewer:.2f}", f"{degrees / fewer:.1f}", f"{pixels:.2f}", f"{less:.2f}",
            f"{pixels / less:.1f}", str(round(lag)), str(round(later)), f"{size:.1f}", f"{smaller:.1f}",
        ])  # fmt: skip
    names = ("yaw/pitch/roll", "jitter, degrees", "steadied", "ratio", "keypoints, px", "steadied", "ratio",
            "nod's lag, ms", "steadied", "amplitude", "steadied")  # fmt: skip
    return Table(names, rows, f"Smoothing: {FRAMES} frames a sequence at {RATE:g} a second", f"{rest}\n{nods}")


def noisy(picture: Image, deviation: float, rng: np.random.Generator) -> Image:
    """The image with the noise of a sensor."""
    noise = rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(deviation)
    return (picture + noise).round().clip(0, 255).astype(np.uint8)


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.square(values).mean()))
