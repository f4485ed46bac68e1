"""Report the accuracy of BlazePoser and its peers on the same labelled faces, matched by the same rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.progress import track

from blazeposer.core.console import Console
from blazeposer.core.contract import ANGLES, SCORE_THRESHOLD
from blazeposer.core.face import Face
from blazeposer.evaluate.bench import MOST_FACES, Times, size_text
from blazeposer.evaluate.datasets import Dataset
from blazeposer.evaluate.metrics import YAW_RANGES, Scores, score
from blazeposer.evaluate.peers import Peer
from blazeposer.evaluate.peers.mediapipe import LEAST_MESH_SCORE, MediaPipe
from blazeposer.evaluate.report import Section, Table

UNREFUSED = ", none refused"
REFUSING = ", as many refused"
NOTES = f"""\
Degrees, means of absolute differences on found faces. A face is found if the best overlapping detection with a score of
at least {SCORE_THRESHOLD} overlaps the label's box enough: one rule for all. Who finds fewer faces leaves out hard
ones: "shared" is on the faces that all found. MediaPipe refuses faces whose mesh it doubts (below {LEAST_MESH_SCORE});
its second row is without that. BlazePoser refuses none, but says how far it expects to be off: its second row keeps as
many faces as MediaPipe, those of which it is surest. BlazePoser's figures by the reference kernels (`blazeposer
evaluate`) differ by hundredths. Signs, axes and zero of each peer are converted by functions that tests/test_peers.py
tests."""


def compare(systems: Sequence[Peer], dataset: Dataset) -> dict[str, Scores]:
    """Scores of `systems` on every face of a data set with poses; each sees the whole image, padded to a square."""
    found: dict[str, list[Face | None]] = {system.name: [] for system in systems}
    for sample in track(dataset.samples, description=dataset.name, console=Console(stderr=True)):
        picture = sample.load()
        for system in systems:
            faces = system(picture)
            found[system.name] += [dataset.rule.choose(faces, box) for box in sample.boxes]
    return {name: score(faces, dataset.rotations, dataset.angles) for name, faces in found.items()}


def accuracy_section(systems: Sequence[Peer], times: Times, dataset: Dataset) -> Section:
    """Accuracy, recall, size and time side by side, then what the errors consist of; BlazePoser is the first system and
    MediaPipe the second."""
    unrefused = MediaPipe(MOST_FACES, least_score=0)
    unrefused.name += UNREFUSED
    comparison = compare([*systems, unrefused], dataset)
    by_all = np.all([scores.found for scores in comparison.values()], axis=0)

    head = ["", "networks", "time in all", "recall", "MAE", f"MAE, {by_all.sum()} shared", "geodesic"]
    rows = []
    for system, (in_all, _) in zip(systems, times.medians(), strict=True):
        scores = comparison[system.name]
        figures = (scores.mean, scores.of(by_all).mean, scores.mean_geodesic)
        row = [system.name, size_text(system), f"{in_all:.2f} ms", f"{scores.recall:.4f}"]
        rows.append(row + [_text(value) for value in figures])
    ours, mediapipe, *_ = comparison.items()
    surest = ours[1].refusing(int(mediapipe[1].found.sum()))
    detailed = {ours[0]: ours[1], ours[0] + REFUSING: surest, **comparison}
    return Section(
        f"Accuracy on {dataset.name}",
        [Table(head, rows, "Side by side"), _details(detailed), NOTES],
        data={name: scores.as_dict() for name, scores in detailed.items()},
    )


def _details(scores: dict[str, Scores]) -> Table:
    ranges = [f"|yaw| {low}-{high}" for low, high in YAW_RANGES]
    rows = []
    for name, row in scores.items():
        figures = [row.mean, *row.errors.mean(0).tolist(), *(row.within(*limits).mean for limits in YAW_RANGES)]
        found = f"{row.found.sum()} of {len(row.labels)}"
        rows.append([name, found, f"{row.recall:.4f}", *(_text(value) for value in (*figures, row.mean_geodesic))])
    return Table(["", "found", "recall", "MAE", *ANGLES, *ranges, "geodesic"], rows, "By angle and by |yaw|")


def _text(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"
