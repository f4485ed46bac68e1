"""The One-Euro filter (Casiez, Roussel and Vogel, "1€ Filter", CHI 2012): steady at rest, quick in motion.

It is a low-pass filter of first order whose cutoff frequency rises with the speed of what it follows. As there, the
speed is itself low-pass filtered, and taken from the raw value's distance to the last filtered one. Unlike there, one
speed serves all axes of a point, so that turning the axes changes nothing; and a rotation is filtered where it lives:
the distance is the rotation vector from the filtered to the raw one, never a difference of angles.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OneEuro:
    """Settings of a filter; the unit is that of the value."""

    cutoff: float
    """At rest, hertz: lower is steadier."""
    slope: float
    """Hertz for each unit a second of speed: higher lags less in motion."""
    speed_cutoff: float
    """Of the speed's own filter, hertz."""


ROTATION = OneEuro(cutoff=0.4, slope=0.02, speed_cutoff=1.0)
"""Degrees. Chosen on other turns of the head and other noise than those that `blazeposer tracking` reports."""
POINTS = OneEuro(cutoff=0.4, slope=2.0, speed_cutoff=1.0)
"""Widths of the face's box. Chosen likewise."""


class Motion:
    """The filter's memory of how fast n values (n, axes) move."""

    def __init__(self, settings: OneEuro) -> None:
        self._settings = settings
        self._speed: Floats | float = 0.0

    def step(self, distance: Floats, seconds: float) -> Floats:
        """How far the filtered values go of their distances (n, axes) to the raw ones, `seconds` after the last."""
        if seconds <= 0:  # the same picture again, or an older one
            return np.zeros_like(distance)
        settings = self._settings
        self._speed += share(settings.speed_cutoff, seconds) * (distance / seconds - self._speed)
        speed = np.linalg.norm(self._speed, axis=-1, keepdims=True)
        return share(settings.cutoff + settings.slope * speed, seconds) * distance


class SteadyPoints:
    """Filtered points (n, 2) in pixels; `unit` is what their speed is measured in, pixels."""

    def __init__(self, points: Floats, settings: OneEuro = POINTS) -> None:
        self.value = points
        self._motion = Motion(settings)

    def update(self, points: Floats, unit: float, seconds: float) -> Floats:
        """The filtered points after raw ones."""
        distance = (points - self.value) / max(unit, 1e-6)
        self.value = self.value + self._motion.step(distance, seconds) * unit
        return self.value


class SteadyRotation:
    """A filtered rotation (3, 3)."""

    def __init__(self, rotation: Floats, settings: OneEuro = ROTATION) -> None:
        self.value = rotation
        self._motion = Motion(settings)

    def update(self, rotation: Floats, seconds: float) -> Floats:
        """The filtered rotation after a raw one."""
        distance = np.degrees(rotation_vector(rotation @ self.value.T))
        step = np.radians(self._motion.step(distance[None], seconds)[0])
        self.value = np.asarray(cv2.Rodrigues(step)[0], np.float64) @ self.value
        return self.value


def share(cutoff: Floats | float, seconds: float) -> Floats:
    """How much of its distance a low-pass filter of a cutoff in hertz goes in a step of `seconds`."""
    return np.asarray(1 / (1 + 1 / (2 * np.pi * np.asarray(cutoff) * seconds)))


def rotation_vector(rotation: Floats) -> Floats:
    """Axis times angle (3,) in radians of a rotation (3, 3)."""
    return np.asarray(cv2.Rodrigues(rotation)[0], np.float64)[:, 0]
