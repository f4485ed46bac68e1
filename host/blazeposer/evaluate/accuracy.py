"""blazeposer evaluate --data DIR [--dataset aflw2000_dev] [--looks 2] [--sheet] [--report DIR] [--record]

Accuracy of a tflite file, INT8 or float, on labelled faces, every picture squeezed whole into the input. The figures
come from the file itself, run by an interpreter. `datasets/` reads the data, `report.py` draws them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from rich.table import Table

from blazeposer.core.console import Console
from blazeposer.core.contract import ANGLES, GRIDS, INPUT_SIZE, SCORE_THRESHOLD
from blazeposer.core.errors import ModelError
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image, camera_input, clean_input
from blazeposer.core.resources import default_model, refuse_installed
from blazeposer.evaluate import plots, text
from blazeposer.evaluate.accuracy_report import Report, write_plot, write_report
from blazeposer.evaluate.bench import Ours, machine
from blazeposer.evaluate.datasets import READERS, Dataset, read_dataset
from blazeposer.evaluate.datasets.pool import TEST_POOL, data_folder
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
from blazeposer.evaluate.report import Section
from blazeposer.evaluate.sheet import draw_sheet, measure_sheet, sheet_dict, sheet_table
from blazeposer.faces.looks import look
from blazeposer.tflite.interpreter import RUNTIMES, Network, Runtime, open_network
from blazeposer.tflite.manifest import record_figures

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
    """What a network finds in every picture of a data set, for its average precision."""
    return [
        Detections(look(network, tensor, LEAST_SCORE, ANCHORS, twice=twice), boxes, ignored)
        for tensor, boxes, ignored in _inputs(dataset, input_path)
    ]


def _inputs(dataset: Dataset, input_path: str) -> Iterator[tuple[Image, Floats, NDArray[np.bool_]]]:
    """Each picture as the network's input, its boxes as fractions of the input's side, and which of them to ignore."""
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
    """One row a set of scores: recall, MAE by angle and by |yaw|, bootstrap interval of the mean, bias, geodesic
    error."""
    notes = (
        "degrees on detected faces; bias: mean of prediction minus label; after offset: MAE less one median offset an "
        f"angle; slope: of predicted over true pitch within {SLOPE_RANGE} degrees of yaw",
        "surest half: its geodesic error over that of all",
        f"found: score >= {SCORE_THRESHOLD}, {rule}",
    )
    view = Table(title=title, caption="\n".join(notes))
    ranges = [f"|yaw| {low}-{high}" for low, high in YAW_RANGES]
    names = ("input", "N", "found", "recall", "MAE", "95 %", "yaw", "pitch", "roll", *ranges, "bias", "after offset",
             "slope", "geodesic", "surest half")  # fmt: skip
    for name in names:
        view.add_column(name, justify="right")
    for name, scores in rows.items():
        figures = scores.as_dict()
        low, high = scores.interval()
        values = (
            *(figures["mae"][angle] for angle in ANGLES),
            *figures["mae_by_yaw"].values(),
            figures["mae_after_offset"],
            figures["pitch_slope"],
            figures["geodesic"],
            figures["surest_half"]["ranking"],
        )
        counts = (str(figures["faces"]), str(figures["found"]), f"{scores.recall:.4f}")
        shown = ["-" if value is None else f"{value:.2f}" for value in values]
        shown.insert(len(ANGLES) + len(ranges), "/".join(f"{value:+.1f}" for value in scores.bias))
        view.add_row(name, *counts, f"{scores.mean:.2f}", f"{low:.2f}-{high:.2f}", *shown)
    return view


def precision_table(rows: Mapping[str, dict[str, Any]], title: str) -> Table:
    """One row an input path: average precision by least size of the face."""
    rule = (
        f"average precision at IoU {PRECISION_OVERLAP}, all-point interpolation, of faces of at least so many pixels:"
    )
    size = f"the side of a square of the box's area in the {INPUT_SIZE} x {INPUT_SIZE} input"
    view = Table(title=title, caption=f"{rule}\n{size}")
    view.add_column("input")
    faces = next(iter(rows.values()))["faces"]
    for least in PRECISION_SIZES:
        name = f"{least} px and more" if least else "all faces"
        view.add_column(f"{name} ({faces[str(least)]})", justify="right")
    for name, figures in rows.items():
        values = figures["average_precision"].values()
        view.add_row(name, *("-" if value is None else f"{value:.4f}" for value in values))
    return view


@click.command(short_help="Measure a network on labelled faces.")
@click.option("--dataset", "name", default=TEST_POOL, show_default=True,
              help=f"{', '.join(READERS)}, or the name of a pool.")  # fmt: skip
@click.option("--data", "folder", help="Folder of the data set or of the pools (default: BLAZEPOSER_DATA).")
@click.option("--model", type=click.Path(path_type=Path), help="tflite file (default: the INT8 one of models/).")
@click.option("--input", "inputs", multiple=True, type=click.Choice(list(INPUTS)), default=tuple(INPUTS),
              show_default=True, help="How pictures reach the network.")  # fmt: skip
@click.option("--runtime", type=click.Choice(RUNTIMES), default="reference", show_default=True)
@click.option("--looks", type=click.Choice(["1", "2"]), default="1", show_default=True,
              help="2: the mean of a look and one at the mirror image.")  # fmt: skip
@click.option("--sheet", is_flag=True, help="Disturb the pictures, too; a report does so by itself.")
@click.option("--report", "report_folder", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for report.json and report.html, a page with plots.")  # fmt: skip
@click.option(
    "--record",
    is_flag=True,
    help="Write the figures into the manifest beside the model, and there the plots of its expected error.",
)
def command(
    name: str, folder: str | None, model: Path | None, inputs: tuple[str, ...], runtime: Runtime, looks: str,
    sheet: bool, report_folder: Path | None, record: bool,
) -> None:  # fmt: skip
    """Measure a network on labelled faces: angles where the data set has them, else average precision.

    Official data sets are read as they unpack: aflw2000 (AFLW2000-3D), biwi (protocol 1: every sequence), biwi-2
    (protocol 2: the 8 test sequences), 300w-lp, wider (WIDER FACE, validation). A pool is NAME.zip, NAME.csv and
    NAME_landmarks68.npy; val is the validation split of all training pools.

    The sheet is measured on the clean input alone: recall, error and expected error on turned, cut, near, blurred,
    dark, covered and small faces. That is 55 pictures a face, so XNNPACK's kernels look at them whatever --runtime
    says.
    """
    path = model or default_model()
    if record:
        refuse_installed(path)
    network = open_network(path, runtime)
    dataset = read_dataset(name, data_folder(folder))
    twice = looks == "2"
    of = f"{path.name} ({'INT8' if network.is_int8 else 'float'}, {runtime} kernels) on {name}"
    title = of + (", two looks" if twice else "")
    scores: dict[str, Scores] = {}
    if dataset.has_poses:
        scores = {key: evaluate(network, dataset, key, twice=twice) for key in inputs}
        if not all(row.found.any() for row in scores.values()):
            raise ModelError(f"{path} found none of {len(dataset)} faces: make it anew with `blazeposer quantize`")
        figures = {key: row.as_dict() for key, row in scores.items()}
        view = pose_table(scores, title, dataset.rule.text)
    else:
        figures = {key: precision_dict(detect(network, dataset, key, twice=twice)) for key in inputs}
        view = precision_table(figures, title)
    each = 1e3 * network.seconds / (len(inputs) * len(dataset.samples))
    view.caption = f"{view.caption}\n{each:.1f} ms of processor time a picture in the network; {machine()}"
    Console(width=180).print(view)
    bins = []
    if scores and (sheet or report_folder):
        bins = measure_sheet(Ours(path, MOST_FACES, careful=twice), dataset)
        text.show(Section(title, [sheet_table(bins, title)]))
    if record:
        recorded = name + ("_two_looks" if twice else "")
        record_figures(path, {recorded: {"runtime": runtime, **figures}})
        if bins:
            record_figures(path, {f"{recorded}_sheet": {"runtime": "xnnpack", "bins": sheet_dict(bins)}})
        if recorded == TEST_POOL and network.is_int8:
            write_plot(path.with_name(f"{path.stem}_reliability.svg"), plots.reliability(next(iter(scores.values()))))
            if bins:
                write_plot(path.with_name(f"{path.stem}_sheet.svg"), draw_sheet(bins))
    if report_folder:
        write_report(report_folder, Report(path, network.is_int8, runtime, dataset, figures, scores, twice, bins))
