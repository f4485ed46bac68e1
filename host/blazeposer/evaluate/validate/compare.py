"""Compare two stages on the same images: raw outputs and faces, held against a stated tolerance.

Lengths are pixels of the network's input (128 a side), so that they do not depend on the size of an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeposer.core.contract import INPUT_SIZE, OUTPUTS
from blazeposer.core.decode import centred_boxes, overlaps
from blazeposer.core.face import Face
from blazeposer.core.rotation import geodesic_degrees, rotation_from_angles

Raw = list[NDArray[Any]]
"""The eight outputs of one image, int8 or float32."""
SAME_FACE = 0.4
"""Least intersection over union of two boxes of one face."""
SIZES = [int(np.prod(output.shape)) for output in OUTPUTS]
"""Values of each output."""
_SHARES = {"median": 50, "95 %": 95, "worst": 100}


@dataclass(frozen=True)
class Seen:
    """The results of a stage for every image."""

    raw: list[Raw]
    faces: list[list[Face]]
    """In fractions of the input's side, best first."""


@dataclass(frozen=True)
class Limits:
    """A tolerance and its reason. Median, 95th percentile and worst over faces; None is not judged."""

    reason: str
    equal: bool = False
    """True if all raw outputs must be the same."""
    largest: float | None = None
    """Largest difference of raw outputs, in their units (float stages)."""
    pixels: tuple[float, float, float] | None = None
    """Differences of boxes and of keypoints."""
    degrees: tuple[float, float, float] | None = None
    alone: float = 0.0
    """Share of the faces that one stage may find and the other not; above 0, one face may always differ."""

    def __str__(self) -> str:
        parts = ["all bytes equal"] if self.equal else []
        if self.largest is not None:
            parts.append(f"outputs within {self.largest:g}")
        if self.pixels:
            parts.append(f"boxes and keypoints within {_told(self.pixels, ' px')}")
        if self.degrees:
            parts.append(f"angles within {_told(self.degrees, '°')}")
        parts.append(
            f"at most {self.alone:.0%} of the faces (or one) found by one alone" if self.alone else "same faces"
        )
        return ", ".join(parts)


@dataclass(frozen=True)
class Difference:
    """The difference of two stages; arrays have one value for each face that both found."""

    values: int = 0
    equal: int = 0
    largest: float = 0.0
    """Largest difference of raw outputs: levels of int8 ones, else their units."""
    box: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    keypoints: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    degrees: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """Angle between the two rotations."""
    first_alone: Sequence[int] = ()
    """Image of each face that only the first stage found."""
    second_alone: Sequence[int] = ()
    order: Sequence[int] = ()
    """Numbers of the images, the one on which the two differ most first."""

    def shows(self, least: float) -> bool:
        """Return whether any face differs by at least so many pixels or degrees, or is found by one stage alone."""
        measured = np.concatenate([self.box, self.keypoints, self.degrees])
        return bool(self.first_alone or self.second_alone or (measured >= least).any())

    def breaches(self, limits: Limits) -> list[str]:
        """Return in words the values that exceed the tolerance."""
        found = []
        if limits.equal and self.equal < self.values:
            found.append(
                f"{self.values - self.equal:,} of {self.values:,} raw outputs differ, by up to {self.largest:g}"
            )
        if limits.largest is not None and not self.largest <= limits.largest:
            found.append(f"raw outputs differ by up to {self.largest:.3g}")
        judged = [("boxes", self.box, limits.pixels, "px"), ("keypoints", self.keypoints, limits.pixels, "px")]
        for name, values, limit, unit in [*judged, ("angles", self.degrees, limits.degrees, "°")]:
            if limit is None or not len(values):
                continue
            for (word, share), most in zip(_SHARES.items(), limit, strict=True):
                if not (value := float(np.percentile(values, share))) <= most:
                    found.append(f"{name} differ by {value:.3g} {unit} ({word})")
        alone = len(self.first_alone) + len(self.second_alone)
        if alone > (max(1.0, limits.alone * (alone + len(self.box))) if limits.alone else 0):
            found.append(f"{alone} of {alone + len(self.box)} faces are found by one alone")
        return found


def raw_outputs(data: bytes) -> list[NDArray[np.int8]]:
    """Return the eight int8 outputs of one image from their bytes in contract order. Raises ValueError."""
    if len(data) != sum(SIZES):
        raise ValueError("a part is missing")
    parts = np.split(np.frombuffer(data, np.int8), np.cumsum(SIZES)[:-1])
    return [part.reshape(output.shape) for part, output in zip(parts, OUTPUTS, strict=True)]


def compare(first: Seen, second: Seen) -> Difference:
    """Hold two stages together, image by image. Raw outputs are compared where both are int8, or both float."""
    comparable = bool(first.raw and second.raw) and first.raw[0][0].dtype == second.raw[0][0].dtype
    values = equal = 0
    largest = 0.0
    rows: list[tuple[float, float, float]] = []
    alone: tuple[list[int], list[int]] = ([], [])
    badness = []
    for number, (ours, theirs) in enumerate(zip(first.faces, second.faces, strict=True)):
        for a, b in zip(first.raw[number], second.raw[number], strict=True) if comparable else ():
            difference = np.abs(a.astype(np.float32) - b.astype(np.float32))
            values, equal = values + difference.size, equal + int((difference == 0).sum())
            largest = max(largest, float(difference.max()))
        pairs, unmatched = same_faces(ours, theirs)
        found = [difference_of(*pair) for pair in pairs]
        rows += found
        for many, here in zip(alone, unmatched, strict=True):
            many += [number] * here
        badness.append((sum(unmatched), max((sum(row) for row in found), default=0.0)))
    box, keypoints, degrees = np.array(rows, np.float64).reshape(-1, 3).T
    order = sorted(range(len(badness)), key=lambda number: badness[number], reverse=True)
    return Difference(values, equal, largest, box, keypoints, degrees, *alone, order)


def same_faces(first: Sequence[Face], second: Sequence[Face]) -> tuple[list[tuple[Face, Face]], tuple[int, int]]:
    """Return pairs of faces that are the same, best first, and the number of others in each list."""
    left = list(second)
    pairs = []
    for face in first:
        shared = overlaps(centred_boxes([face])[0], centred_boxes(left)) if left else np.zeros(0)
        if len(shared) and shared.max() >= SAME_FACE:
            pairs.append((face, left.pop(int(shared.argmax()))))
    return pairs, (len(first) - len(pairs), len(left))


def difference_of(first: Face, second: Face) -> tuple[float, float, float]:
    """Return the largest difference of an edge and of a keypoint's coordinate in pixels of the input, and the degrees
    between the rotations."""
    edges = [np.array([x, y, x + w, y + h]) for x, y, w, h in (first.box, second.box)]
    rotations = [rotation_from_angles(face.angles) for face in (first, second)]
    return (
        float(np.abs(edges[0] - edges[1]).max() * INPUT_SIZE),
        float(np.abs(first.points - second.points).max() * INPUT_SIZE),
        float(geodesic_degrees(*rotations)),
    )


def _told(limits: tuple[float, ...], unit: str) -> str:
    """Return limits in words; those that are all alike are one."""
    if len(set(limits)) == 1:
        return f"{limits[0]:g}{unit}"
    return ", ".join(f"{most:g}{unit} ({word})" for word, most in zip(_SHARES, limits, strict=True) if most < np.inf)
