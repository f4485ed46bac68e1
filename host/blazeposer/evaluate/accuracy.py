"""Accuracy of a tflite file, INT8 or float, on labelled faces, every image squeezed whole into the input.

The figures come from the file itself, run by an interpreter. `datasets/` reads the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from blazeposer.core.console import Console
from blazeposer.core.contract import ANGLES, GRIDS, INPUT_SIZE, SCORE_THRESHOLD
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image, camera_input, clean_input
from blazeposer.evaluate.datasets import Dataset
from blazeposer.evaluate.metrics import (
    MOST_FACES,
    PRECISION_OVERLAP,
    PRECISION_SIZES,
    SLOPE_RANGE,
    YAW_RANGES,
    Detections,
    Floats,
    Scores,
    average_precision,
    count_labels,
    rounded,
    score,
)
from blazeposer.evaluate.report import Table
from blazeposer.faces.looks import look
from blazeposer.tflite.interpreter import Network

ANCHORS = sum(grid.count for grid in GRIDS)
INPUTS = {"clean": clean_input, "camera": camera_input}
LEAST_SCORE = 0.05
"""Detections below it are left out of the average precision: each of the network's 896 anchors would be one."""


def evaluate(network: Network, dataset: Dataset, input_path: str, *, twice: bool = False) -> Scores:
    """Scores of a network on every face of a data set with poses; `input_path` is a key of INPUTS, `twice` that of
    `look`."""
    found: list[Face | None] = []
    for tensor, boxes, _ in _inputs(dataset, input_path):
        faces = look(network, tensor, SCORE_THRESHOLD, MOST_FACES, twice=twice)
        found.extend(dataset.rule.choose(faces, box) for box in boxes)
    return score(found, dataset.rotations, dataset.angles)


def detect(network: Network, dataset: Dataset, input_path: str, *, twice: bool = False) -> list[Detections]:
    """Return the detections of a network in every image of a data set, for its average precision."""
    return [
        Detections(look(network, tensor, LEAST_SCORE, ANCHORS, twice=twice), boxes, ignored)
        for tensor, boxes, ignored in _inputs(dataset, input_path)
    ]


def _inputs(dataset: Dataset, input_path: str) -> Iterator[tuple[Image, Floats, NDArray[np.bool_]]]:
    """Each image as the network's input, its boxes as fractions of the input's side, and which of them to ignore."""
    for sample in track(dataset.samples, description=f"{input_path} input", console=Console(stderr=True)):
        image = sample.load()
        height, width = image.shape[:2]
        ignored = np.zeros(len(sample.boxes), bool) if sample.ignored is None else sample.ignored
        yield INPUTS[input_path](image), sample.boxes / (width, height, width, height), ignored


def precision_dict(pictures: list[Detections]) -> dict[str, Any]:
    """Average precision and how many faces it is of, by least size in the input's pixels, for JSON."""
    return {
        "pictures": len(pictures),
        "faces": {str(least): count_labels(pictures, least) for least in PRECISION_SIZES},
        "average_precision": {str(least): rounded(average_precision(pictures, least), 4) for least in PRECISION_SIZES},
    }


def pose_table(rows: Mapping[str, Scores], title: str, rule: str) -> Table:
    """Return a row for each set of scores: recall, errors by angle and by |yaw|, bootstrap interval of the mean, bias,
    geodesic error."""
    notes = (
        "Degrees on detected faces. Bias: mean of prediction minus label. After offset: MAE less one median offset an "
        f"angle. Slope: of predicted over true pitch within {SLOPE_RANGE} degrees of yaw. Surest half: its geodesic "
        f"error over that of all. Found: score >= {SCORE_THRESHOLD}, {rule}."
    )
    ranges = [f"|yaw| {low}-{high}" for low, high in YAW_RANGES]
    head = ("input", "N", "found", "recall", "MAE", "95 %", *ANGLES, *ranges, "bias", "after offset", "slope",
            "geodesic", "surest half")  # fmt: skip
    table = []
    for name, scores in rows.items():
        figures = scores.as_dict()
        low, high = scores.interval()
        table.append([
            name, str(figures["faces"]), str(figures["found"]), f"{scores.recall:.4f}", f"{scores.mean:.2f}",
            f"{low:.2f}-{high:.2f}", *(_shown(figures["mae"][angle]) for angle in ANGLES),
            *map(_shown, figures["mae_by_yaw"].values()), "/".join(f"{value:+.1f}" for value in scores.bias),
            _shown(figures["mae_after_offset"]), _shown(figures["pitch_slope"]), _shown(figures["geodesic"]),
            _shown(figures["surest_half"]["ranking"]),
        ])  # fmt: skip
    return Table(head, table, title, notes)


def precision_table(rows: Mapping[str, dict[str, Any]], title: str) -> Table:
    """Return a row for each input path: average precision by least size of the face."""
    notes = (
        f"Average precision at IoU {PRECISION_OVERLAP}, all-point interpolation, of faces of at least so many pixels: "
        f"the side of a square of the box's area in the {INPUT_SIZE} x {INPUT_SIZE} input."
    )
    faces = next(iter(rows.values()))["faces"]
    names = (f"{least} px and more" if least else "all faces" for least in PRECISION_SIZES)
    head = ["input", *(f"{name} ({count})" for name, count in zip(names, faces.values(), strict=True))]
    table = [
        [name, *(_shown(value, 4) for value in figures["average_precision"].values())] for name, figures in rows.items()
    ]
    return Table(head, table, title, notes)


def _shown(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
