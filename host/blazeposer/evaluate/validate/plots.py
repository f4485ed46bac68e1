"""The report's drawings: error by angle, two stages side by side on one image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from matplotlib.figure import Figure

from blazeposer.core.draw import draw
from blazeposer.core.face import Face
from blazeposer.core.prepare import square_pad
from blazeposer.evaluate.metrics import Scores
from blazeposer.evaluate.plots import BIN, styled
from blazeposer.evaluate.report import Picture
from blazeposer.evaluate.validate.pictures import Given

SIDE = 440
"""The side of each image in a pair, in pixels."""
GAP = 12
_JPEG_QUALITY = 88
_MARKS = ("o", "s", "^", "v", "D", "x")
"""So that lines are told apart on paper without colour."""


def side_by_side(given: Given, left: Sequence[Face], right: Sequence[Face], titles: tuple[str, str]) -> Picture:
    """The worst image twice, each with the faces (in fractions of the padded square) of one stage."""
    square = np.asarray(cv2.resize(square_pad(given.read())[0], (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    drawn = [draw(square, [face.moved(0, 0, SIDE, SIDE) for face in faces]) for faces in (left, right)]
    canvas = np.hstack([drawn[0], np.full((SIDE, GAP, 3), 255, np.uint8), drawn[1]])
    data = cv2.imencode(".jpg", canvas[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
    caption = f"Where they differ most: {given.name}. Left: {titles[0]}. Right: {titles[1]}."
    return Picture(data, f"the faces of both stages on {given.name}", caption)


@styled
def by_angle(scores: Mapping[str, Scores]) -> Figure:
    """Mean absolute error of the faces within some degrees of yaw, one line a stage."""
    figure = Figure(figsize=(9, 3.6))
    axes = figure.add_subplot(xlabel="labelled |yaw|, degrees", ylabel="mean absolute error, degrees")
    for mark, (name, found) in zip(_MARKS * len(scores), scores.items(), strict=False):
        parts = [(low, found.within(low, low + BIN)) for low in range(0, 100, BIN)]
        points = [(low + BIN / 2, part.mean) for low, part in parts if part.found.any()]
        axes.plot(*zip(*points, strict=True), marker=mark, markersize=4, label=name)
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside upper center", ncols=4)
    return figure
