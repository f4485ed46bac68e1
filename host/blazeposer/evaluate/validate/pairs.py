"""Report the difference of two stages: its size, the first layer that differs, and the layers that differ most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeposer.core.draw import draw
from blazeposer.core.face import Face
from blazeposer.core.prepare import square_pad
from blazeposer.evaluate.report import Picture, Section, Table
from blazeposer.evaluate.validate.compare import Difference
from blazeposer.evaluate.validate.layers import Layers, Trace
from blazeposer.evaluate.validate.pictures import Given
from blazeposer.evaluate.validate.stages import Pair, Stage

SHOWN = 0.01
"""Pixels or degrees by which a face has to differ for the pair to be drawn."""
HALF = 0.5
"""Of its values (RMS), by which a layer of a float and an INT8 network has to differ to be named: rounding alone makes
every layer differ a little."""
SMALLEST_PART = 1e-4
"""Layers of float stages part where they differ by this share of the layer's average value (RMS)."""
SIDE, GAP = 440, 12
"""Pixels: the side of each image in a pair, and the gap between them."""
_JPEG_QUALITY = 88


def pair_section(
    pair: Pair,
    stages: tuple[Stage, Stage],
    difference: Difference,
    given: Given,
    worst: tuple[Sequence[Face], Sequence[Face]],
    apart: dict[str, float] | None,
) -> Section:
    """Return the section of a pair. `given`: the image on which the two differ most; `worst`: their faces on it;
    `apart`: the layers that differ there and how much, None where layers cannot be had."""
    first, second = stages
    breaches = difference.breaches(pair.limits)
    same = bool(difference.values) and difference.equal == difference.values
    least = HALF if first.is_int8 != second.is_int8 else 0.0
    parted = next((name for name, value in (apart or {}).items() if value >= least), None)
    finding = "; ".join(breaches) if breaches else _good(difference, same)
    if breaches and parted:
        finding += f"; first layer to part: {parted}"
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
            "found_by_first_alone": len(difference.first_alone),
            "found_by_second_alone": len(difference.second_alone),
            "worst_picture": given.name,
        },
    )


def layers_apart(ours: Trace, theirs: Trace, layers: Layers, *, int8: tuple[bool, bool]) -> dict[str, float]:
    """Return the layers on which two traces differ, in their order, and how much.

    Two INT8 networks: the mean difference in levels, where any is half a level or more. Else the root mean square of
    the difference over that of the values. Between a float and an INT8 network the layers whose channels equalization
    rescales, a depthwise convolution and the one that reads it, are left out.
    """
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


def _good(difference: Difference, same: bool) -> str:
    faces = f"{len(difference.box)} faces found by both"
    if alone := len(difference.first_alone) + len(difference.second_alone):
        faces += f", {alone} by one alone"
    if same:
        return f"All {difference.values:,} raw outputs are equal; {faces}"
    box, angle = (float(np.median(values)) if len(values) else 0.0 for values in (difference.box, difference.degrees))
    return f"{faces}; boxes differ by {box:.2g} px and angles by {angle:.2g}° (median)"


def _measures(difference: Difference) -> list[tuple[str, NDArray[np.float64]]]:
    return [("box, px", difference.box), ("keypoints, px", difference.keypoints), ("angles, °", difference.degrees)]


def _figures(values: NDArray[np.float64]) -> dict[str, float] | None:
    if not len(values):
        return None
    median, high, worst = np.percentile(values, [50, 95, 100])
    return {"median": round(float(median), 4), "95": round(float(high), 4), "worst": round(float(worst), 4)}


def _table(difference: Difference) -> Table:
    rows = []
    for name, values in _measures(difference):
        figures = _figures(values)
        rows.append([name, *(f"{value:.3f}" for value in figures.values())] if figures else [name, "-", "-", "-"])
    caption = (
        f"Largest edge or coordinate of a face, and the turn between its rotations. Found by both "
        f"{len(difference.box)}, by the first alone {len(difference.first_alone)}, by the second alone "
        f"{len(difference.second_alone)}. px: of the network's input, 128 a side."
    )
    return Table(("difference", "median", "95 %", "worst"), rows, caption)


def _by_layer(apart: dict[str, float], parted: str | None, picture: str) -> str:
    if not apart:
        return f"Layer by layer on {picture}: none differs."
    most = max(apart, key=lambda name: apart[name])
    first = f"the first to part is {parted}" if parted else f"none is off by {HALF:g} of its values"
    return f"Layer by layer on {picture}: {first}; {most} differs most."


def _side_by_side(given: Given, faces: tuple[Sequence[Face], Sequence[Face]], titles: tuple[str, str]) -> Picture:
    """Return the image twice, each with the faces of one stage, in fractions of the padded square."""
    square = np.asarray(cv2.resize(square_pad(given.read())[0], (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    left, right = (draw(square, [face.moved(0, 0, SIDE, SIDE) for face in some]) for some in faces)
    canvas = np.hstack([left, np.full((SIDE, GAP, 3), 255, np.uint8), right])
    data = cv2.imencode(".jpg", canvas[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
    caption = f"Where they differ most: {given.name}. Left: {titles[0]}. Right: {titles[1]}."
    return Picture(data, f"the faces of both stages on {given.name}", caption)
