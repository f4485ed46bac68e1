"""The robustness sheet: recall and error of BlazePoser and its peers as pictures get harder in one way at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from rich.progress import Progress

from blazeposer.core.console import Console
from blazeposer.core.contract import SCORE_THRESHOLD
from blazeposer.core.face import Face
from blazeposer.core.rotation import Floats, angles_from_rotation
from blazeposer.evaluate.bench import one_thread
from blazeposer.evaluate.datasets import Dataset, heads
from blazeposer.evaluate.disturb import CONDITIONS, SIDE, Condition, scene_of
from blazeposer.evaluate.metrics import Scores, score
from blazeposer.evaluate.peers import Peer
from blazeposer.evaluate.plots import INK, picture_of, styled
from blazeposer.evaluate.report import Picture, Section, Table
from blazeposer.media.output import render

LEAST_RECALL, MOST_ERROR = 0.9, 1.5
"""A system holds while its recall and its error are no worse than so many times those without a disturbance."""
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Of Okabe and Ito's palette."""
MARKS = "osD^vP"
NOTES = f"""\
Every picture is brought to {SIDE} pixels, a window of a camera, and disturbed in one way at a time; what is drawn by
lot is the same for all systems and levels. A face is found by a score of at least {SCORE_THRESHOLD} and the rule of
`blazeposer evaluate`. The error is the angle between the rotation that is read and the labelled one, the mean over the
faces that were found: a system that finds fewer leaves out hard ones, so read both curves. (Means of yaw, pitch and
roll would say nothing of heads that are upside down.) Masks and patches are drawn where the label has the face.
MediaPipe refuses faces whose mesh it doubts; they count as not found. Networks run in LiteRT with XNNPACK."""
EXAMPLE = f"What the systems see, here of {heads.NAME}: an easy, a middling and the hardest level of each condition."


class Trial(NamedTuple):
    """A condition at a level; None: pictures as they are."""

    condition: Condition | None = None
    level: float = 0.0


TRIALS = (Trial(), *(Trial(condition, level) for condition in CONDITIONS for level in condition.levels))
Results = dict[Trial, dict[str, Scores]]
"""By trial, then by the system's name."""


def measure(systems: Sequence[Peer], dataset: Dataset) -> Results:
    """Scores of `systems` on every face of a data set with poses, in every trial."""
    found: dict[Trial, dict[str, list[Face | None]]] = {trial: {s.name: [] for s in systems} for trial in TRIALS}
    rotations: dict[Trial, list[Floats]] = {trial: [] for trial in TRIALS}
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(f"robustness on {dataset.name}", total=len(dataset.samples) * len(TRIALS))
        for number, sample in enumerate(dataset.samples):
            plain = scene_of(sample)
            for trial in TRIALS:
                scene = plain
                if trial.condition:
                    scene = trial.condition.change(plain, trial.level, np.random.default_rng(number))
                rotations[trial].append(scene.rotations)
                for system in systems:
                    faces = system(scene.picture)
                    found[trial][system.name] += [dataset.rule.choose(faces, box) for box in scene.boxes]
                progress.advance(task)
    results: Results = {}
    for trial, by_system in found.items():
        known = np.concatenate(rotations[trial])
        results[trial] = {name: score(faces, known, angles_from_rotation(known)) for name, faces in by_system.items()}
    return results


def robustness_section(systems: Sequence[Peer], dataset: Dataset) -> Section:
    """The sheet for a report; `dataset` has poses. Takes about half a second a face on an idle core, for 55 pictures
    and three systems."""
    with one_thread():
        results = measure(systems, dataset)
    curves = [condition for condition in CONDITIONS if len(condition.levels) > 1]
    pictures = [Picture(examples(), "a drawn head under each condition", EXAMPLE)]
    for pair in zip(curves[::2], curves[1::2], strict=True):
        name = " and ".join(condition.name for condition in pair)
        pictures.append(
            picture_of(draw(results, pair), f"recall and error against {name}", f"{name[0].upper()}{name[1:]}")
        )
    parts: list[str | Table | Picture] = [
        f"{len(dataset)} faces of {dataset.name}, {len(systems)} systems, {len(TRIALS)} pictures of each.",
        _limits(results), *pictures, _single(results), NOTES,
    ]  # fmt: skip
    return Section("Robustness", parts, data=_as_dict(results))


@styled
def draw(results: Results, conditions: Sequence[Condition]) -> Figure:
    """Recall above, mean angle of error below, a column for each condition and a line for each system."""
    figure = Figure(figsize=(9, 4.4))
    panels = figure.subplots(2, len(conditions), sharex="col", squeeze=False)
    for (above, below), condition in zip(panels.T, conditions, strict=True):
        trials = trials_of(condition)
        labels = ["as it is" if trial.condition is None else f"{trial.level:g}" for trial in trials]
        for index, name in enumerate(results[Trial()]):
            look = {"color": COLORS[index % 6], "marker": MARKS[index % 6], "markersize": 4}
            scores = [results[trial][name] for trial in trials]
            above.plot([row.recall for row in scores], label=name, **look)
            below.plot([row.mean_geodesic for row in scores], **look)
        above.set(title=condition.name, ylim=(0, 1.05))
        above.yaxis.set_major_formatter(PercentFormatter(1))
        below.set(xlabel=condition.unit, ylim=(0, None))
        below.set_xticks(range(len(labels)), labels)
    panels[0, 0].set_ylabel("faces found")
    panels[1, 0].set_ylabel("error, degrees")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@styled
def examples_figure() -> Figure:
    """The demo's head under each condition: an easy, a middling and the hardest level."""
    scene = scene_of(heads.read().samples[0])
    figure = Figure(figsize=(9, 3.4))
    panels = figure.subplots(3, len(CONDITIONS))
    for column, condition in zip(panels.T, CONDITIONS, strict=True):
        column[0].set_title(condition.name, fontsize=7.5, loc="center", weight="bold")
        for panel in column:
            panel.set_axis_off()
        for panel, index in zip(
            column, sorted({0, len(condition.levels) // 2, len(condition.levels) - 1}), strict=False
        ):
            level = condition.levels[index]
            panel.imshow(condition.change(scene, level, np.random.default_rng(0)).picture)
            if len(condition.levels) > 1:
                panel.text(
                    0.5, -0.02, f"{level:g}", transform=panel.transAxes, ha="center", va="top", fontsize=7, color=INK
                )
    return figure


def examples() -> bytes:
    """A PNG file of `examples_figure`."""
    return render(examples_figure(), ".png")


def trials_of(condition: Condition) -> list[Trial]:
    """Return a condition's trials, from easy to hard."""
    plain = [Trial()] if condition.from_plain else []
    return plain + [Trial(condition, level) for level in condition.levels]


def holds_until(results: Results, condition: Condition, name: str) -> float | None:
    """The hardest level up to which a system holds, None if it does not at the easiest."""
    plain, last = results[Trial()][name], None
    for level in condition.levels:
        scores = results[Trial(condition, level)][name]
        # A mean of nothing is NaN, which compares as false.
        if not (
            scores.recall >= LEAST_RECALL * plain.recall and scores.mean_geodesic <= MOST_ERROR * plain.mean_geodesic
        ):
            break
        last = level
    return last


def _limits(results: Results) -> Table:
    """Return the strength at which each system fails."""
    rows = []
    for condition in CONDITIONS:
        if len(condition.levels) > 1:
            limits = [holds_until(results, condition, name) for name in results[Trial()]]
            shown = ("not at all" if limit is None else f"{limit:g}" for limit in limits)
            rows.append([f"{condition.name} ({condition.unit})", *shown, f"{condition.levels[-1]:g}"])
    caption = (
        f"The hardest level up to which recall stays above {LEAST_RECALL} times, and the mean error below {MOST_ERROR} "
        "times, what they are on pictures as they are"
    )
    return Table(["holds until", *results[Trial()], "hardest tried"], rows, caption)


def _single(results: Results) -> Table:
    """Recall and error where there is but one level, beside pictures as they are and upside down."""
    shown = {"as it is": Trial()}
    shown |= {c.name: Trial(c, c.levels[0]) for c in CONDITIONS if len(c.levels) == 1}
    upside_down = next(c for c in CONDITIONS if c.levels[-1] == 180)
    shown["upside down"] = Trial(upside_down, 180)
    rows = []
    for name in results[Trial()]:
        scores = [results[trial][name] for trial in shown.values()]
        rows.append([name, *(f"{s.recall:.3f} / {s.mean_geodesic:.1f}" if s.found.any() else "0 / -" for s in scores)])
    return Table(["found / error in degrees", *shown], rows)


def _as_dict(results: Results) -> dict[str, dict[str, dict[str, object]]]:
    """Condition -> level -> system -> figures."""
    plain = {name: _figures(scores) for name, scores in results[Trial()].items()}
    data: dict[str, dict[str, dict[str, object]]] = {"as it is": {"": dict(plain)}}
    for condition in CONDITIONS:
        data[condition.name] = {
            f"{level:g}": {name: _figures(scores) for name, scores in results[Trial(condition, level)].items()}
            for level in condition.levels
        }
    return data


def _figures(scores: Scores) -> dict[str, object]:
    figures = scores.as_dict()
    return {name: figures[name] for name in ("faces", "found", "recall", "geodesic")}
