"""The report of `blazeposer evaluate --report DIR`. It is the same for the same network and data: it holds no date and
no path of a machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from blazeposer.core.contract import INPUT_SIZE, SCORE_THRESHOLD
from blazeposer.evaluate import plots
from blazeposer.evaluate.datasets import Dataset
from blazeposer.evaluate.metrics import PRECISION_OVERLAP, Scores, rounded
from blazeposer.evaluate.page import write_report
from blazeposer.evaluate.report import Picture, Section, Table
from blazeposer.evaluate.sheet import Bin, draw_sheet, sheet_dict, sheet_table
from blazeposer.media.output import make_folder

CONVENTION = (
    "Degrees, in the convention of 300W-LP and AFLW2000: positive yaw points the face to the picture's left, positive "
    "pitch up, positive roll tilts it clockwise. Errors are means over the faces that were found."
)
ERROR_BY_YAW = "Mean absolute error of the faces within ten degrees of yaw, where there are at least five."
CUMULATIVE = "Share of all labelled faces whose error is at most so much; the curves end at the recall."
BIAS = "Signed bias by angle: median of prediction minus label over the label; the band holds 80 of 100 faces."
RELIABILITY = "Reliability of the predicted error: faces sorted by the error that the network predicts, in bins."
WORST = "Near 90 degrees of yaw a small turn changes pitch and roll much."
SHOWN = 12
"""Worst cases."""


@dataclass(frozen=True)
class Report:
    """The results, the data and the method of a measurement."""

    model: Path
    is_int8: bool
    runtime: str
    dataset: Dataset
    table: Table
    """What the command prints."""
    figures: Mapping[str, dict[str, Any]]
    """Input path -> the same for JSON."""
    scores: Mapping[str, Scores]
    """Input path -> every face; empty for a data set without poses."""
    twice: bool = False
    """Whether each figure is of two looks."""
    sheet: Sequence[Bin] = ()
    """The same faces in disturbed images."""

    def write(self, folder: Path) -> None:
        """Write report.json and report.html into a folder, which is made. Raises InputError."""
        make_folder(folder)  # before the work, not after it
        figures = self.as_dict()
        write_report(folder, f"{self.model.name} on {self.dataset.name}", _facts(figures), self._sections(), figures)

    def as_dict(self) -> dict[str, Any]:
        """Return what report.json holds."""
        matching = self.dataset.rule.text if self.scores else f"IoU of at least {PRECISION_OVERLAP}, one for a face"
        return {
            "file": self.model.name,
            "sha256": hashlib.sha256(self.model.read_bytes()).hexdigest(),
            "kind": "INT8" if self.is_int8 else "float",
            "dataset": self.dataset.name,
            "pictures": len(self.dataset.samples),
            "faces": len(self.dataset),
            "least_score": SCORE_THRESHOLD if self.scores else None,
            "matching": matching,
            "runtime": self.runtime,
            "looks": 2 if self.twice else 1,
            "command": self._command(),
            "inputs": {name: figures | self._more(name) for name, figures in self.figures.items()},
            "sheet": sheet_dict(self.sheet),
        }

    def _command(self) -> str:
        inputs = "".join(f" --input {name}" for name in self.figures)
        model = f" --model {self.model.name} --runtime {self.runtime}" + (" --looks 2" if self.twice else "")
        return f"blazeposer evaluate --dataset {self.dataset.name}{model}{inputs} --report DIR"

    def _more(self, name: str) -> dict[str, Any]:
        """Return what the page shows beside the table."""
        if not (scores := self.scores.get(name)):
            return {}
        bins = [(rounded(part.expected), rounded(part.actual), part.faces) for part in scores.reliability()]
        keys = ("expected", "actual", "faces")
        return {"reliability": [dict(zip(keys, values, strict=True)) for values in bins]}

    def _sections(self) -> list[Section]:
        sections = [Section("Accuracy", [CONVENTION, self.table] if self.scores else [self.table])]
        for name, scores in self.scores.items():
            drawn = (
                (plots.error_by_yaw(scores), "error against yaw", ERROR_BY_YAW),
                (plots.cumulative(scores), "cumulative error", CUMULATIVE),
                (plots.bias(scores), "signed bias by angle", BIAS),
                (plots.reliability(scores), "reliability of the predicted error", RELIABILITY),
            )
            pictures = [plots.picture_of(figure, f"{alt}, {name} input", text) for figure, alt, text in drawn]
            worst = worst_table(scores, self.dataset.names)
            sections.append(Section(f"Input path: {name}", [*pictures, worst]))
        if self.sheet:
            drawing = plots.picture_of(draw_sheet(self.sheet), "true and expected error of disturbed pictures")
            parts: list[Picture | Table] = [drawing, sheet_table(self.sheet, "Clean input")]
            sections.append(Section("Disturbed pictures", parts))
        return sections


def worst_table(scores: Scores, names: Sequence[str]) -> Table:
    """Return the faces with the largest geodesic errors, of images with these names, the worst first."""
    order = np.argsort(-np.where(scores.found, scores.geodesic, -1), kind="stable")[: min(SHOWN, scores.found.sum())]
    rows = []
    for face in order.tolist():
        poses = (" / ".join(f"{angle:+.0f}" for angle in row[face]) for row in (scores.labels, scores.predicted))
        rows.append([names[face], f"{scores.geodesic[face]:.0f}", *poses])
    head = ("picture", "geodesic error", "labelled yaw / pitch / roll", "predicted")
    return Table(head, rows, "Worst cases, degrees", WORST)


def _facts(figures: dict[str, Any]) -> dict[str, str]:
    score, runtime = figures["least_score"], figures["runtime"]
    return {
        "file": f"{figures['file']} ({figures['kind']})",
        "sha256": figures["sha256"],
        "data set": f"{figures['dataset']}: {figures['faces']} faces in {figures['pictures']} pictures",
        "a face is found by": (f"a score of at least {score}; " if score else "") + figures["matching"],
        "input": f"whole picture squeezed to {INPUT_SIZE} x {INPUT_SIZE}; {', '.join(figures['inputs'])}",
        "looks": str(figures["looks"]),
        "runtime": "TensorFlow Lite Micro" if runtime == "micro" else f"LiteRT, {runtime} kernels",
        "command": figures["command"],
    }
