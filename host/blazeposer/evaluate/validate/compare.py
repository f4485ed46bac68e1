"""Compare two forms of a network (stages) on the same images, and check the differences against limits. Differences of
lengths are in pixels of the network's input, so they do not depend on the size of the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeposer.core.contract import INPUT_SIZE, OUTPUTS
from blazeposer.core.decode import centred_boxes, overlaps
from blazeposer.core.draw import draw
from blazeposer.core.face import Face
from blazeposer.core.prepare import square_pad
from blazeposer.core.rotation import Floats, geodesic_degrees, rotation_from_angles
from blazeposer.evaluate.report import Picture, Section, Table
from blazeposer.evaluate.validate.layers import Layers, Trace
from blazeposer.evaluate.validate.pictures import Given

if TYPE_CHECKING:
    from blazeposer.evaluate.validate.stages import Pair, Stage

Raw = list[NDArray[Any]]
"""The eight outputs of one image, int8 or float32."""
SAME_FACE = 0.4
"""Smallest overlap (intersection over union) of two boxes that count as the same face."""
SIZES = [int(np.prod(output.shape)) for output in OUTPUTS]
SHOWN = 0.01
"""Smallest difference, in pixels or degrees, for which the report shows an image of the faces."""
HALF = 0.5
"""Smallest relative RMS (see `layers_apart`) for which the report names a layer, if a float network is compared with an
INT8 network. Rounding causes smaller differences in every layer."""
SMALLEST_PART = 1e-4
"""Smallest relative RMS (see `layers_apart`) with which the outputs of a layer count as different."""
SIDE, GAP = 440, 12
"""Side of each image in a pair, and the gap between the images, in pixels."""
_JPEG_QUALITY = 88
_SHARES = {"median": 50, "95 %": 95, "worst": 100}


@dataclass(frozen=True)
class Seen:
    raw: list[Raw]
    faces: list[list[Face]]
    """Faces of each image, with the best face first. Lengths are fractions of the input's side."""


@dataclass(frozen=True)
class Limits:
    """Limits for the differences between two stages. `pixels` (for boxes and keypoints) and `degrees` contain limits
    for the median, the 95th percentile and the worst face. A difference is not checked if its limit is None."""

    reason: str
    equal: bool = False
    """True if the comparison fails when any raw output differs."""
    largest: float | None = None
    """Largest allowed difference of raw outputs of float stages, in the units of the outputs."""
    pixels: tuple[float, float, float] | None = None
    degrees: tuple[float, float, float] | None = None
    alone: float = 0.0
    """Allowed fraction of faces that only one of the two stages finds. If the fraction is above 0, one such face is
    always allowed."""

    def __str__(self) -> str:
        parts = ["all bytes equal"] if self.equal else []
        if self.largest is not None:
            parts.append(f"outputs within {self.largest:g}")
        if self.pixels:
            parts.append(f"boxes and keypoints within {_told(self.pixels, ' px')}")
        if self.degrees:
            parts.append(f"angles within {_told(self.degrees, '°')}")
        parts.append(
            f"at most {self.alone:.0%} of the faces (or one face) found by only one stage"
            if self.alone
            else "same faces"
        )
        return ", ".join(parts)


@dataclass(frozen=True)
class Difference:
    """The differences between two stages. The arrays contain one value for each face that both stages found."""

    values: int
    """Number of raw outputs that were compared."""
    equal: int
    largest: float
    """Largest difference of raw outputs, in levels for int8 and in the units of the outputs for float."""
    box: Floats
    keypoints: Floats
    degrees: Floats
    """Angle between the two rotations of each face."""
    first_alone: int
    """Number of faces that only the first stage found."""
    second_alone: int
    order: list[int]
    """Indices of the images. The image with the largest difference is first."""

    def shows(self, least: float) -> bool:
        """Return True if a difference in pixels or degrees is at least `least`, or if only one stage found a face."""
        measured = np.concatenate([self.box, self.keypoints, self.degrees])
        return bool(self.first_alone or self.second_alone or (measured >= least).any())

    def breaches(self, limits: Limits) -> list[str]:
        """Return a text for each difference that is larger than its limit."""
        found = []
        if limits.equal and self.equal < self.values:
            other = self.values - self.equal
            found.append(f"{other:,} of {self.values:,} raw outputs differ, by up to {self.largest:g}")
        if limits.largest is not None and not self.largest <= limits.largest:
            found.append(f"raw outputs differ by up to {self.largest:.3g}")
        judged = [("boxes", self.box, limits.pixels, "px"), ("keypoints", self.keypoints, limits.pixels, "px")]
        for name, values, limit, unit in [*judged, ("angles", self.degrees, limits.degrees, "°")]:
            if limit is None or not len(values):
                continue
            for (word, share), most in zip(_SHARES.items(), limit, strict=True):
                if not (value := float(np.percentile(values, share))) <= most:
                    found.append(f"{name} differ by {value:.3g} {unit} ({word})")
        alone = self.first_alone + self.second_alone
        if alone > (max(1.0, limits.alone * (alone + len(self.box))) if limits.alone else 0):
            found.append(f"{alone} of {alone + len(self.box)} faces are found by only one stage")
        return found


def raw_outputs(data: bytes) -> list[NDArray[np.int8]]:
    """Split the bytes of an image's outputs into the eight int8 outputs. Raises ValueError if the number of bytes is
    wrong."""
    if len(data) != sum(SIZES):
        raise ValueError("a part is missing")
    parts = np.split(np.frombuffer(data, np.int8), np.cumsum(SIZES)[:-1])
    return [part.reshape(output.shape) for part, output in zip(parts, OUTPUTS, strict=True)]


def compare(first: Seen, second: Seen) -> Difference:
    """Compare the results of two stages. Raw outputs are compared only if both stages are INT8 or both are float."""
    comparable = bool(first.raw and second.raw) and first.raw[0][0].dtype == second.raw[0][0].dtype
    values = equal = 0
    largest = 0.0
    rows: list[tuple[float, float, float]] = []
    alone = np.zeros(2, int)
    badness = []
    for number, (ours, theirs) in enumerate(zip(first.faces, second.faces, strict=True)):
        for a, b in zip(first.raw[number], second.raw[number], strict=True) if comparable else ():
            difference = np.abs(a.astype(np.float32) - b.astype(np.float32))
            values, equal = values + difference.size, equal + int((difference == 0).sum())
            largest = max(largest, float(difference.max()))
        pairs, unmatched = same_faces(ours, theirs)
        found = [difference_of(*pair) for pair in pairs]
        rows += found
        alone += unmatched
        badness.append((sum(unmatched), max((sum(row) for row in found), default=0.0)))
    box, keypoints, degrees = np.array(rows, np.float64).reshape(-1, 3).T
    order = sorted(range(len(badness)), key=lambda number: badness[number], reverse=True)
    return Difference(values, equal, largest, box, keypoints, degrees, int(alone[0]), int(alone[1]), order)


def same_faces(first: Sequence[Face], second: Sequence[Face]) -> tuple[list[tuple[Face, Face]], tuple[int, int]]:
    """Return the pairs of matching faces in the order of `first`, and the number of unmatched faces in each list."""
    left = list(second)
    pairs = []
    for face in first:
        shared = overlaps(centred_boxes([face])[0], centred_boxes(left)) if left else np.zeros(0)
        if len(shared) and shared.max() >= SAME_FACE:
            pairs.append((face, left.pop(int(shared.argmax()))))
    return pairs, (len(first) - len(pairs), len(left))


def difference_of(first: Face, second: Face) -> tuple[float, float, float]:
    """Return the differences between the boxes, the keypoints and the rotations of two faces. For the boxes, the value
    is the largest difference of an edge. For the keypoints, the value is the largest difference of a coordinate. Both
    values are in pixels of the network's input. For the rotations, the value is the angle between them in degrees."""
    edges = [np.array([x, y, x + w, y + h]) for x, y, w, h in (first.box, second.box)]
    rotations = [rotation_from_angles(face.angles) for face in (first, second)]
    return (
        float(np.abs(edges[0] - edges[1]).max() * INPUT_SIZE),
        float(np.abs(first.points - second.points).max() * INPUT_SIZE),
        float(geodesic_degrees(*rotations)),
    )


def _told(limits: tuple[float, ...], unit: str) -> str:
    if len(set(limits)) == 1:
        return f"{limits[0]:g}{unit}"
    return ", ".join(f"{most:g}{unit} ({word})" for word, most in zip(_SHARES, limits, strict=True) if most < np.inf)


def pair_section(
    pair: Pair,
    stages: tuple[Stage, Stage],
    difference: Difference,
    given: Given,
    worst: tuple[Sequence[Face], Sequence[Face]],
    apart: dict[str, float] | None,
) -> Section:
    """Return the section of the report that compares two stages. `given` is the image with the largest difference.
    `worst` contains the faces that each stage found in this image. `apart` contains the difference of each layer for
    this image. If the layers' outputs are not available, `apart` is None."""
    first, second = stages
    breaches = difference.breaches(pair.limits)
    least = HALF if first.is_int8 != second.is_int8 else 0.0
    parted = next((name for name, value in (apart or {}).items() if value >= least), None)
    finding = "; ".join(breaches) or _good(difference)
    if breaches and parted:
        finding += f"; first layer that differs: {parted}"
    rule = f"Tolerance: {pair.limits}. {pair.limits.reason}"
    parts: list[str | Table | Picture] = [f"{finding}.", rule, _table(difference)]
    if apart is not None:
        parts.append(_by_layer(apart, parted, given.name))
    if difference.shows(SHOWN):
        parts.append(_side_by_side(given, worst, (first.title, second.title)))
    return Section(
        f"{first.title} / {second.title}",
        parts,
        "failed" if breaches else "passed",
        {
            "first": pair.first,
            "second": pair.second,
            "breaches": breaches,
            "first_layer": parted,
            "raw_outputs": {"values": difference.values, "equal": difference.equal, "largest": difference.largest},
            "differences": {name: _figures(values) for name, values in _measures(difference)},
            "found_by_both": len(difference.box),
            "found_by_first_alone": difference.first_alone,
            "found_by_second_alone": difference.second_alone,
            "worst_picture": given.name,
        },
    )


def layers_apart(ours: Trace, theirs: Trace, layers: Layers, *, int8: tuple[bool, bool]) -> dict[str, float]:
    """Return the difference of each layer whose outputs differ, in the order of execution. For two INT8 networks, the
    difference is the mean absolute difference in quantization steps. A layer is left out if all its values differ by
    less than half a step. For other pairs of networks, the difference is the RMS of the differences divided by the RMS
    of the layer's values. If only one network is INT8, the layers in `Layers.rescaled` are also left out."""
    found = {}
    rescaled = layers.rescaled if int8[0] != int8[1] else set()
    for name, values in ours.items():
        if name not in theirs or name in rescaled:
            continue
        difference = np.abs(values - theirs[name])
        if all(int8):
            step = layers.steps[name]
            if difference.max() >= step / 2:
                found[name] = float(difference.mean() / step)
        elif (share := _rms(difference) / max(_rms(values), 1e-12)) >= SMALLEST_PART:
            found[name] = share
    return found


def _rms(values: NDArray[Any]) -> float:
    return float(np.sqrt(np.square(values, dtype=np.float64).mean()))


def _good(difference: Difference) -> str:
    faces = f"{len(difference.box)} faces found by both"
    if alone := difference.first_alone + difference.second_alone:
        faces += f", {alone} found by only one stage"
    if difference.values and difference.equal == difference.values:
        return f"All {difference.values:,} raw outputs are equal; {faces}"
    box, angle = (float(np.median(values)) if len(values) else 0.0 for values in (difference.box, difference.degrees))
    return f"{faces}; boxes differ by {box:.2g} px and angles by {angle:.2g}° (median)"


def _measures(difference: Difference) -> list[tuple[str, NDArray[np.float64]]]:
    return [("box, px", difference.box), ("keypoints, px", difference.keypoints), ("angles, °", difference.degrees)]


def _figures(values: NDArray[np.float64]) -> dict[str, float] | None:
    if not len(values):
        return None
    return {word.removesuffix(" %"): round(float(np.percentile(values, share)), 4) for word, share in _SHARES.items()}


def _table(difference: Difference) -> Table:
    rows = []
    for name, values in _measures(difference):
        figures = _figures(values)
        rows.append([name, *(f"{value:.3f}" for value in figures.values())] if figures else [name, "-", "-", "-"])
    caption = (
        f"For each face: the largest difference of an edge or a coordinate, and the angle between the two rotations. "
        f"Faces found by both stages: {len(difference.box)}; by only the first stage: {difference.first_alone}; by "
        f"only the second stage: {difference.second_alone}. px: pixels of the network's input (128 x 128)."
    )
    return Table(("difference", *_SHARES), rows, caption)


def _by_layer(apart: dict[str, float], parted: str | None, picture: str) -> str:
    if not apart:
        return f"Layer by layer on {picture}: no layer differs."
    most = max(apart, key=lambda name: apart[name])
    first = f"the first layer that differs is {parted}" if parted else f"no layer differs by {HALF:g} of its values"
    return f"Layer by layer on {picture}: {first}; {most} has the largest difference."


def _side_by_side(given: Given, faces: tuple[Sequence[Face], Sequence[Face]], titles: tuple[str, str]) -> Picture:
    """Return an image with the faces of the first stage on the left and the faces of the second stage on the right."""
    square = np.asarray(cv2.resize(square_pad(given.read())[0], (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    left, right = (draw(square, [face.moved(0, 0, SIDE, SIDE) for face in some]) for some in faces)
    canvas = np.hstack([left, np.full((SIDE, GAP, 3), 255, np.uint8), right])
    data = cv2.imencode(".jpg", canvas[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
    caption = f"Image with the largest difference: {given.name}. Left: {titles[0]}. Right: {titles[1]}."
    return Picture(data, f"the faces of both stages on {given.name}", caption)
