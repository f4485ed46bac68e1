"""Draw the plots of a report. The plots show only measured values, and no image of a data set."""

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from numpy.typing import NDArray

from blazeposer.core import draw
from blazeposer.core.rotation import Floats
from blazeposer.evaluate.metrics import Scores

ANGLE_COLORS = {name: draw.as_hex(color) for name, color in draw.ANGLE_COLORS.items()}
INK, FAINT = "#222222", "#b8bec4"
BIN = 10
"""Width of a bin of the labelled yaw, in degrees."""
FEWEST = 5
"""Smallest number of faces that a bin needs to become a point of the plot."""

STYLE: Any = {  # Any, because matplotlib's own type names 300 keys
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e8eaed",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "figure.constrained_layout.use": True,
}

styled = mpl.rc_context(STYLE)
"""Decorator for functions that draw figures in the style of the reports."""


@styled
def error_by_yaw(scores: Scores) -> Figure:
    """Draw the angle errors against the labelled yaw. Curves show mean errors, and each dot shows one face."""
    figure = Figure(figsize=(7.5, 4.2))
    above, axes = figure.subplots(2, 1, sharex=True, height_ratios=(1, 5))
    edges = np.arange(-100.0, 101.0, BIN)
    yaw = scores.labels[scores.found, 0]
    above.hist(scores.labels[:, 0], edges, color=FAINT, rwidth=0.9)
    above.set_ylabel("faces")
    above.grid(False)
    means = scores.errors.mean(axis=1)
    axes.plot(yaw, means, ".", color=FAINT, markersize=3, rasterized=True, label="one face (mean of three angles)")
    middles, bins = _bins(yaw, edges)
    for index, (angle, color) in enumerate(ANGLE_COLORS.items()):
        axes.plot(middles, [scores.errors[part, index].mean() for part in bins], color=color, label=angle)
    geodesic = scores.geodesic[scores.found]
    axes.plot(middles, [geodesic[part].mean() for part in bins], "--", color=INK, label="geodesic")
    drawn = np.concatenate([np.asarray(line.get_ydata(), np.float64) for line in axes.get_lines()[1:]])
    top = np.concatenate([drawn, [np.percentile(means, 99)]]).max()
    axes.set(xlim=(-100, 100), ylim=(0, 1.1 * top), xlabel="labelled yaw, degrees", ylabel="absolute error, degrees")
    axes.xaxis.set_major_locator(MultipleLocator(30))
    figure.legend(loc="outside upper center", ncols=5, fontsize=8)
    return figure


@styled
def reliability(scores: Scores) -> Figure:
    """Draw the actual error of the found faces against the expected error. Each point shows the means of one bin of
    faces. All bins contain about the same number of faces."""
    figure = Figure(figsize=(4.6, 4.2))
    axes = figure.subplots()
    bins = scores.reliability()
    expected, actual, _ = np.array(bins).T
    limit = 1.1 * max(expected.max(), actual.max())
    axes.plot((0, limit), (0, limit), color=FAINT, linewidth=1, label="actual = expected")
    axes.plot(expected, actual, "o-", color="#0072b2", markersize=5, label="measured")
    axes.legend(loc="lower right")
    axes.set(xlim=(0, limit), ylim=(0, limit), aspect="equal")
    axes.set(xlabel="expected error, degrees (mean of a bin)", ylabel="actual geodesic error, degrees (mean)")
    title = (
        f"about {bins[0].faces} faces per point\nerror of the most certain half: {scores.ranking:.2f} of the mean error"
    )
    axes.set_title(title, fontsize=8.5, weight="normal")
    return figure


def _bins(values: Floats, edges: Floats) -> tuple[list[float], list[NDArray[np.intp]]]:
    """Return the middle of each bin with at least `FEWEST` values, and the indices of these values."""
    number = np.digitize(values, edges)
    full = [index for index in range(1, len(edges)) if (number == index).sum() >= FEWEST]
    return [float(edges[i - 1] + edges[i]) / 2 for i in full], [np.flatnonzero(number == i) for i in full]
