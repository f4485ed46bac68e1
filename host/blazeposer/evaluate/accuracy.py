"""Measure how accurately a tflite file (INT8 or float) computes poses. A report contains no date and no path of a
folder, so two measurements of a network on the same data give equal reports."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from blazeposer.core.console import Console
from blazeposer.core.contract import ANGLES, INPUT_SIZE, SCORE_THRESHOLD
from blazeposer.core.face import Face
from blazeposer.core.prepare import camera_input, clean_input
from blazeposer.evaluate import plots
from blazeposer.evaluate.datasets import Dataset
from blazeposer.evaluate.metrics import MOST_FACES, SLOPE_RANGE, YAW_RANGES, Reliability, Scores, rounded, score
from blazeposer.evaluate.page import write_report
from blazeposer.evaluate.report import Picture, Section, Table, shown
from blazeposer.evaluate.sheet import Bin, draw_sheet, sheet_dict, sheet_table
from blazeposer.faces.looks import look
from blazeposer.media.output import render
from blazeposer.tflite.interpreter import Network

INPUTS = {"clean": clean_input, "camera": camera_input}
CONVENTION = (
    "Angles are in degrees, in the convention of 300W-LP and AFLW2000: positive yaw points the face to the image's "
    "left, positive pitch up, positive roll tilts it clockwise. Errors are means over the found faces."
)
ERROR_BY_YAW = (
    "The curves show the mean absolute errors of all faces in each range of ten degrees of yaw. Ranges with fewer than "
    "five faces are left out."
)
RELIABILITY = (
    "The faces are sorted by the error that the network predicts, and divided into bins. Each point shows the mean "
    "expected error and the mean actual error of the faces in one bin."
)
WORST = "Near a yaw of 90 degrees, a small rotation of the head changes pitch and roll by many degrees."
SHOWN = 12
"""Number of faces in the table of the worst cases."""


def evaluate(network: Network, dataset: Dataset, input_path: str, *, twice: bool = False) -> Scores:
    """Return the scores of a network on every face of a data set. `input_path` is a key of INPUTS, which contains
    functions that prepare an image for the network. If `twice` is true, the results for each image and its mirror image
    are averaged."""
    found: list[Face | None] = []
    for sample in track(dataset.samples, description=f"{input_path} input", console=Console(stderr=True)):
        image = sample.load()
        height, width = image.shape[:2]
        faces = look(network, INPUTS[input_path](image), SCORE_THRESHOLD, MOST_FACES, twice=twice)
        found.extend(dataset.rule.choose(faces, box) for box in sample.boxes / (width, height, width, height))
    return score(found, dataset.rotations, dataset.angles)


def pose_table(rows: Mapping[str, Scores], title: str, rule: str) -> Table:
    notes = (
        "Errors are in degrees, on the found faces. Bias: mean of prediction minus label. After offset: MAE after the "
        "median offset of each angle is subtracted. Slope: slope of the predicted pitch against the true pitch, within "
        f"{SLOPE_RANGE} degrees of yaw. Surest half: geodesic error of the half of the faces with the smaller "
        "expected errors, divided by the geodesic error of all faces. A face counts as found if its "
        f"detection has a score of at least {SCORE_THRESHOLD}; rule: {rule}."
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
            f"{low:.2f}-{high:.2f}", *(shown(figures["mae"][angle]) for angle in ANGLES),
            *map(shown, figures["mae_by_yaw"].values()), "/".join(f"{value:+.1f}" for value in scores.bias),
            shown(figures["mae_after_offset"]), shown(figures["pitch_slope"]), shown(figures["geodesic"]),
            shown(figures["surest_half"]["ranking"]),
        ])  # fmt: skip
    return Table(head, table, title, notes)


@dataclass(frozen=True)
class Report:
    model: Path
    is_int8: bool
    runtime: str
    dataset: Dataset
    table: Table
    scores: Mapping[str, Scores]
    """Scores for each measured key of INPUTS."""
    twice: bool = False
    """True if the results for each image and its mirror image were averaged."""
    sheet: Sequence[Bin] = ()

    def write(self, folder: Path) -> None:
        """Write report.json and report.html into a folder. Raises InputError."""
        values = self._values()
        write_report(folder, f"{self.model.name} on {self.dataset.name}", _facts(values), [*self._sections()], values)

    def _values(self) -> dict[str, Any]:
        looks, inputs = 2 if self.twice else 1, "".join(f" --input {name}" for name in self.scores)
        return {
            "file": self.model.name,
            "sha256": hashlib.sha256(self.model.read_bytes()).hexdigest(),
            "kind": "INT8" if self.is_int8 else "float",
            "dataset": self.dataset.name,
            "pictures": len(self.dataset.samples),
            "faces": len(self.dataset),
            "least_score": SCORE_THRESHOLD,
            "matching": self.dataset.rule.text,
            "runtime": self.runtime,
            "looks": looks,
            "command": f"blazeposer evaluate --dataset {self.dataset.name} --model {self.model.name} --runtime "
            f"{self.runtime} --looks {looks}{inputs} --report DIR",
            "inputs": {name: scores.as_dict() | _reliability(scores) for name, scores in self.scores.items()},
            "sheet": sheet_dict(self.sheet),
        }

    def _sections(self) -> Iterator[Section]:
        yield Section("Accuracy", [CONVENTION, self.table])
        for name, scores in self.scores.items():
            drawn = (
                (plots.error_by_yaw(scores), "errors for each yaw", ERROR_BY_YAW),
                (plots.reliability(scores), "reliability of the expected error", RELIABILITY),
            )
            pictures = [Picture(render(figure), f"{alt}, {name} input", text) for figure, alt, text in drawn]
            yield Section(f"Input path: {name}", [*pictures, worst_table(scores, self.dataset.names)])
        if self.sheet:
            drawing = Picture(render(draw_sheet(self.sheet)), "true and expected error of disturbed images")
            yield Section("Disturbed images", [drawing, sheet_table(self.sheet, "Clean input")])


def _reliability(scores: Scores) -> dict[str, Any]:
    bins = scores.reliability()
    values = [(rounded(part.expected), rounded(part.actual), part.faces) for part in bins]
    return {"reliability": [dict(zip(Reliability._fields, row, strict=True)) for row in values]}


def worst_table(scores: Scores, names: Sequence[str]) -> Table:
    """Return a table of the faces with the largest geodesic errors. `names` contains the image name of each face."""
    order = np.argsort(-np.where(scores.found, scores.geodesic, -1), kind="stable")[: min(SHOWN, scores.found.sum())]
    rows = []
    for face in order.tolist():
        poses = (" / ".join(f"{angle:+.0f}" for angle in row[face]) for row in (scores.labels, scores.predicted))
        rows.append([names[face], f"{scores.geodesic[face]:.0f}", *poses])
    head = ("image", "geodesic error", "labelled yaw / pitch / roll", "predicted")
    return Table(head, rows, "Faces with the largest errors, in degrees", WORST)


def _facts(values: dict[str, Any]) -> dict[str, str]:
    runtime = values["runtime"]
    return {
        "file": f"{values['file']} ({values['kind']})",
        "sha256": values["sha256"],
        "data set": f"{values['dataset']}: {values['faces']} faces in {values['pictures']} images",
        "a face is found by": f"a score of at least {values['least_score']}; {values['matching']}",
        "input": f"whole image squeezed to {INPUT_SIZE} x {INPUT_SIZE}; {', '.join(values['inputs'])}",
        "looks": str(values["looks"]),
        "runtime": "TensorFlow Lite Micro" if runtime == "micro" else f"LiteRT, {runtime} kernels",
        "command": values["command"],
    }
