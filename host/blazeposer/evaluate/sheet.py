"""Measure how well a network works on disturbed images. The sheet of a network is a table with one row (called a bin)
for each level of each condition in `disturb.py`. The true error of a face is the angle between the predicted and the
labelled rotation. A bin is correct if the mean expected error of the found faces is near their mean true error."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from rich.progress import track

from blazeposer.core.console import Console
from blazeposer.core.face import Face
from blazeposer.core.rotation import Floats, angles_from_rotation
from blazeposer.evaluate.bench import one_thread
from blazeposer.evaluate.datasets import Dataset
from blazeposer.evaluate.disturb import CONDITIONS, Condition, scene_of
from blazeposer.evaluate.metrics import Scores, rounded, score
from blazeposer.evaluate.peers import Peer
from blazeposer.evaluate.plots import FAINT, INK, styled
from blazeposer.evaluate.report import Table, shown

MARGIN = 0.25
"""Largest allowed difference between the expected error and the true error, as a fraction of the true error."""
FEWEST = 20
"""Smallest number of found faces in a bin that is judged. If a bin has fewer found faces, its verdict is "few"."""
PLAIN = "as it is"
TRUE, STATED = "#0072b2", "#d55e00"
"""Colours of the true error and the expected error, from the palette of Okabe and Ito."""
TRIALS: Sequence[tuple[Condition | None, float]] = (
    (None, 0.0),
    *((condition, level) for condition in CONDITIONS for level in condition.levels),
)
"""Condition and level of each bin. The first bin has undisturbed images."""


class Bin(NamedTuple):
    """The results on a data set whose images are disturbed by one condition at one level."""

    condition: str
    level: str
    scores: Scores

    @property
    def ratio(self) -> float:
        """Mean expected error divided by the mean true error, or NaN if no face was found."""
        return self.scores.mean_expected / self.scores.mean_geodesic

    @property
    def verdict(self) -> str:
        """Text "yes" if the bin is correct, "NO" if it is not correct, or "few" if fewer than FEWEST faces were
        found."""
        if self.scores.found.sum() < FEWEST:
            return "few"
        return "yes" if is_true(self.scores.mean_expected, self.scores.mean_geodesic) else "NO"


def is_true(expected: float, true: float) -> bool:
    return abs(expected - true) <= MARGIN * true


def measure_sheet(system: Peer, dataset: Dataset) -> list[Bin]:
    """Run a face detector on disturbed images of a data set, and return one `Bin` for each condition and level. On an
    idle CPU core, this takes about a sixth of a second for each face of the data set. The random values for an image
    are the same in every bin and in every measurement."""
    found: list[list[Face | None]] = [[] for _ in TRIALS]
    rotations: list[list[Floats]] = [[] for _ in TRIALS]
    with one_thread():
        samples = track(dataset.samples, f"disturbed images of {dataset.name}", console=Console(stderr=True))
        for number, sample in enumerate(samples):
            plain = scene_of(sample)
            for (condition, level), faces, known in zip(TRIALS, found, rotations, strict=True):
                rng = np.random.default_rng(number)
                scene = condition.change(plain, level, rng) if condition else plain
                seen = system(scene.picture)
                faces += [dataset.rule.choose(seen, box) for box in scene.boxes]
                known.append(scene.rotations)
    bins = []
    for trial, faces, known in zip(TRIALS, found, rotations, strict=True):
        truth = np.concatenate(known)
        bins.append(Bin(*_key(*trial), score(faces, truth, angles_from_rotation(truth))))
    return bins


def sheet_table(bins: Sequence[Bin], title: str) -> Table:
    head = ("images", "level", "N", "found", "recall", "MAE", "true error", "expected", "ratio", "true")
    rows = []
    for one in bins:
        scores = one.scores
        counts = (str(len(scores.labels)), str(scores.found.sum()), f"{scores.recall:.4f}")
        values = (scores.mean, scores.mean_geodesic, scores.mean_expected, one.ratio)
        rows.append((one.condition, one.level, *counts, *map(shown, values), one.verdict))
    wrong = sum(one.verdict == "NO" for one in bins)
    caption = (
        f"{title}: means over the found faces, in degrees. True error: the angle between the predicted and the "
        f'labelled rotation. Column "true": the mean expected error is within {MARGIN:.0%} of the mean true error '
        f"(few: fewer than {FEWEST} faces found). In {wrong} of {len(bins)} rows the answer is NO. Kernels: XNNPACK"
    )
    return Table(head, rows, caption)


def sheet_dict(bins: Sequence[Bin]) -> dict[str, Any]:
    """Return a dictionary for JSON that maps each condition to its levels, and each level to its results."""
    data: dict[str, Any] = {}
    for one in bins:
        scores = one.scores
        data.setdefault(one.condition, {})[one.level] = {
            "faces": len(scores.labels),
            "found": int(scores.found.sum()),
            "recall": rounded(scores.recall, 4),
            "mae": rounded(scores.mean),
            "geodesic": rounded(scores.mean_geodesic),
            "expected": rounded(scores.mean_expected),
        }
    return data


@styled
def draw_sheet(bins: Sequence[Bin]) -> Figure:
    """Draw the errors and the fraction of found faces for each condition with several levels."""
    by_bin = {(one.condition, one.level): one.scores for one in bins}
    curves = [condition for condition in CONDITIONS if len(condition.levels) > 1]
    columns, rows = 5, -(-len(curves) // 5)
    figure = Figure(figsize=(11, 2.6 * rows))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, condition in zip(grid, curves, strict=False):
        keys = [_key()] * condition.from_plain + [_key(condition, level) for level in condition.levels]
        found = [by_bin[key] for key in keys]
        true, stated = np.array([(scores.mean_geodesic, scores.mean_expected) for scores in found]).T
        places = np.arange(len(keys))
        axes.fill_between(places, (1 - MARGIN) * true, (1 + MARGIN) * true, color=TRUE, alpha=0.15, linewidth=0)
        axes.plot(places, true, "o-", color=TRUE, markersize=4, label=f"true error (band: ±{MARGIN:.0%})")
        axes.plot(places, stated, "s--", color=STATED, markersize=4, label="expected error")
        axes.set(title=condition.name, ylim=(0, None))
        axes.set_xlabel(condition.unit, fontsize=7)
        names = zip((level or "plain" for _, level in keys), found, strict=True)
        labels = [f"{name}\n{100 * scores.recall:.0f}" for name, scores in names]
        axes.set_xticks(places, labels, fontsize=7, color=INK)
    for axes in grid[len(curves) :]:
        axes.set_axis_off()
    for axes in grid[::columns]:
        axes.set_ylabel("degrees")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    figure.supxlabel("numbers below the levels: found faces in percent", fontsize=8, color=FAINT)
    return figure


def _key(condition: Condition | None = None, level: float = 0.0) -> tuple[str, str]:
    return (condition.name, f"{level:g}") if condition else (PLAIN, "")
