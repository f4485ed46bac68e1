"""`blazeposer evaluate --report DIR`: the figures as report.json, and one self-contained page, report.html, with plots.

Both are the same for the same network and data: they hold no date and no path of a machine.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from blazeposer.core.contract import ANGLES, INPUT_SIZE, SCORE_THRESHOLD
from blazeposer.core.errors import InputError
from blazeposer.evaluate import plots
from blazeposer.evaluate.datasets import Dataset
from blazeposer.evaluate.metrics import PRECISION_OVERLAP, Scores, rounded
from blazeposer.evaluate.report import Table
from blazeposer.evaluate.sheet import Bin, draw_sheet, sheet_dict, sheet_table
from blazeposer.media.output import make_folder

CONVENTION = (
    "Degrees, in the convention of 300W-LP and AFLW2000: positive yaw points the face to the picture's left, positive "
    "pitch up, positive roll tilts it clockwise. Errors are means over the faces that were found."
)
_PLOTS = (
    ("Error against yaw", "Mean absolute error of the faces within ten degrees of yaw, where there are at least five."),
    ("Cumulative error", "Share of all labelled faces whose error is at most so much; the curves end at the recall."),
    ("Signed bias by angle", "Median of prediction minus label over the label; the band holds 80 of 100 faces."),
    ("Reliability of the predicted error", "Faces sorted by the error that the network predicts of itself, in bins."),
    ("Worst cases", "The largest geodesic errors. Near 90 degrees of yaw a small turn changes pitch and roll much."),
)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin-bottom: .5rem } h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem }
h3 { font-size: 1rem; margin: 1.5rem 0 0 } p { margin: .2rem 0 .6rem; color: #56616b }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; margin: .5rem 0 }
th, td { padding: .25rem .7rem .25rem 0; text-align: left; vertical-align: top } td code { overflow-wrap: anywhere }
th { font-weight: 600; color: #56616b; white-space: nowrap } table.figures td { white-space: nowrap }
table.figures th, table.figures td { text-align: right; padding: .25rem .5rem;
border-bottom: 1px solid #e8eaed } table.figures th { white-space: normal; vertical-align: bottom }
img { max-width: 100%; display: block } .wide { overflow-x: auto }
"""


@dataclass(frozen=True)
class Report:
    """What was measured on what, and how."""

    model: Path
    is_int8: bool
    runtime: str
    dataset: Dataset
    figures: Mapping[str, dict[str, Any]]
    """Input path -> what the command's table shows of it."""
    scores: Mapping[str, Scores]
    """Input path -> every face; empty for a data set without poses."""
    twice: bool = False
    """Whether each figure is of two looks."""
    sheet: Sequence[Bin] = ()
    """The same faces in disturbed pictures."""

    def as_dict(self) -> dict[str, Any]:
        """What report.json holds."""
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
        """What the page shows beside the table."""
        if not (scores := self.scores.get(name)):
            return {}
        bins = [(rounded(part.expected), rounded(part.actual), part.faces) for part in scores.reliability()]
        keys = ("expected", "actual", "faces")
        return {"reliability": [dict(zip(keys, values, strict=True)) for values in bins]}


def write_report(folder: Path, report: Report) -> None:
    """Write report.json and report.html into a folder, which is made. Raises InputError."""
    make_folder(folder)
    figures = report.as_dict()
    _write(folder / "report.json", (json.dumps(figures, indent=2) + "\n").encode())
    _write(folder / "report.html", _page(report, figures).encode())


def write_plot(path: Path, figure: Figure) -> None:
    """Write a plot alone, as .svg or .png. Raises InputError."""
    if path.suffix not in (".svg", ".png"):
        raise InputError(f"{path}: a plot is written as .svg or .png: choose one of them")
    make_folder(path.parent)
    _write(path, plots.render(figure, path.suffix))


def _page(report: Report, figures: dict[str, Any]) -> str:
    title = f"{figures['file']} on {figures['dataset']}"
    parts = [
        f"<!doctype html>\n<html lang=en><meta charset=utf-8><title>{escape(title)}</title><style>{_STYLE}</style>",
        f"<h1>{escape(title)}</h1>",
        _head(figures),
        f"<p>{CONVENTION}</p>" if report.scores else "",
        _table(figures["inputs"]),
    ]
    for name, scores in report.scores.items():
        parts.append(f"<h2>Input path: {escape(name)}</h2>")
        drawn = (
            plots.error_by_yaw(scores),
            plots.cumulative(scores),
            plots.bias(scores),
            plots.reliability(scores),
            plots.worst_cases(scores, report.dataset.names),
        )
        for (heading, text), figure in zip(_PLOTS, drawn, strict=True):
            parts.append(f"<h3>{heading}</h3><p>{text}</p>{_inline(figure, f'{heading}, {name} input')}")
    if report.sheet:
        table = sheet_table(report.sheet, "Disturbed pictures, clean input")
        parts += ["<h2>Disturbed pictures</h2>", _inline(draw_sheet(report.sheet), table.caption), _plain_table(table)]
    return "\n".join(parts) + "\n"


def _plain_table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}" for name in table.head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in table.rows)
    return f"<p>{escape(table.caption)}</p><div class=wide><table class=figures><tr>{head}{body}</table></div>"


def _head(figures: dict[str, Any]) -> str:
    score = figures["least_score"]
    facts = {
        "file": f"{figures['file']} ({figures['kind']})",
        "sha256": figures["sha256"],
        "data set": f"{figures['dataset']}: {figures['faces']} faces in {figures['pictures']} pictures",
        "a face is found by": (f"a score of at least {score}; " if score else "") + figures["matching"],
        "input": f"whole picture squeezed to {INPUT_SIZE} x {INPUT_SIZE}; {', '.join(figures['inputs'])}",
        "looks": str(figures["looks"]),
        "runtime": "TensorFlow Lite Micro"
        if figures["runtime"] == "micro"
        else f"LiteRT, {figures['runtime']} kernels",
        "command": figures["command"],
    }
    rows = (f"<tr><th>{escape(key)}<td><code>{escape(value)}</code>" for key, value in facts.items())
    return f"<table>{''.join(rows)}</table>"


def _table(inputs: dict[str, dict[str, Any]]) -> str:
    """The table that the command prints."""
    rows = {name: _flat(figures) for name, figures in inputs.items()}
    names = list(next(iter(rows.values())))
    head = "".join(f"<th>{escape(name)}" for name in ("input", *names))
    body = "".join(
        f"<tr><td>{escape(name)}" + "".join(f"<td>{escape(row[key])}" for key in names) for name, row in rows.items()
    )
    return f"<div class=wide><table class=figures><tr>{head}{body}</table></div>"


def _flat(figures: dict[str, Any]) -> dict[str, str]:
    """Heading -> value."""
    if "average_precision" in figures:
        values = figures["average_precision"].items()
        return {f">= {least} px (N {figures['faces'][least]})": _text(value) for least, value in values}
    low, high = figures["interval"]
    mae, by_yaw, half = figures["mae"], figures["mae_by_yaw"], figures["surest_half"]
    return {
        "N": str(figures["faces"]),
        "found": str(figures["found"]),
        "recall": _text(figures["recall"], 4),
        "MAE": _text(mae["mean"]),
        "95 %": f"{_text(low)}-{_text(high)}",
        **{angle: _text(mae[angle]) for angle in ANGLES},
        **{f"|yaw| {limits}": _text(value) for limits, value in by_yaw.items()},
        "bias": " / ".join(_text(value, 1) for value in figures["bias"].values()),
        "after offset": _text(figures["mae_after_offset"]),
        "pitch slope": _text(figures["pitch_slope"]),
        "geodesic": _text(figures["geodesic"]),
        "surest half / all": _text(half["ranking"]),
    }


def _text(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _inline(figure: Figure, text: str) -> str:
    """An image that is part of the page."""
    data = base64.b64encode(plots.render(figure)).decode()
    return f'<img alt="{escape(text)}" src="data:image/svg+xml;base64,{data}">'


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}): name another folder") from error
