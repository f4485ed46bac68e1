"""An image of a model's arena, which tensor lies where and how long, above bars of each operation's time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from blazeposer.core.boards import BOARDS, KB
from blazeposer.core.text import plain
from blazeposer.tflite.arena import Arena, Placement, live_bytes, plan, planned_bytes
from blazeposer.tflite.graph import Graph, Tensor

COLOURS = {
    "input": "#7f8c99", "CONV_2D": "#4c78a8", "DEPTHWISE_CONV_2D": "#f2a04a", "ADD": "#59a86b", "PAD": "#c9b458",
    "MAX_POOL_2D": "#9d7bb8", "RESHAPE": "#8dbfd9",
}  # fmt: skip
OTHER = "#b5aaa2"
PEAK = "#c0392b"
LETTERS = 8
"""Size of a tensor's shape, points; its letters are 0.58 of this wide."""


def memory_picture(graph: Graph, title: str, arena: Arena | None, times: Sequence[float | None] = ()) -> Figure:
    """Return a figure: operations from left to right, KB upwards, each tensor a box as long as it is needed.

    Boxes are where TFLite Micro's planner puts them. With a measured arena, what it keeps beside tensors lies on top.
    times: milliseconds of each operation, for the bars below; an operation whose time is not known has none.
    """
    placements, steps = plan(graph), len(graph.operations)
    figure = Figure(figsize=(12, 7.6), layout="constrained")
    if any(times):
        memory, bars = figure.subplots(2, sharex=True, height_ratios=(5, 1))
        _draw_times(bars, graph, times)
        bars.set_xlabel("operation, in the order of execution")
    else:
        memory = figure.subplots()
        memory.set_xlabel("operation, in the order of execution")
    figure.suptitle(f"{_label(title)}: memory over time; colours: the operation that writes", weight="bold")
    smallest = min(BOARDS, key=lambda board: board.arena)
    planned = planned_bytes(placements)
    highest = 1.06 * max(smallest.arena, planned, arena.total if arena else 0) / KB
    memory.set(xlim=(-1.5, steps + 0.5), ylim=(0, highest), ylabel="KB")
    memory.xaxis.set_major_locator(MaxNLocator(16, integer=True))
    memory.grid(axis="y", color="#e3e3e3")
    memory.set_axisbelow(True)

    kinds = _draw_tensors(memory, graph, placements)
    if arena:
        memory.axhspan(planned / KB, arena.total / KB, color="#dcdcdc")
        text = f"{arena.persistent / KB:.0f} KB that TFLite Micro keeps about operations and channels, on this PC"
        memory.text(steps + 0.3, (planned + arena.total) / 2 / KB, text, ha="right", va="center", color="#555555")
    text = f"{smallest.arena / KB:.0f} KB: what the {smallest.name}, the smallest board, has for an arena"
    memory.axhline(smallest.arena / KB, color="black", linestyle="--", linewidth=1)
    memory.text(steps + 0.3, smallest.arena / KB, text, ha="right", va="bottom")
    _mark_peak(memory, placements, steps)
    handles = [Patch(color=COLOURS.get(kind, OTHER), label=_label(kind)) for kind in kinds]
    figure.legend(handles=handles, loc="outside lower center", ncols=8, frameon=False)
    return figure


def _draw_tensors(axes: Axes, graph: Graph, placements: Sequence[Placement]) -> Iterable[str]:
    """Draw a box for each tensor, and return what writes them."""
    writers = {index: operation.name for operation in graph.operations for index in operation.outputs}
    kinds = dict[str, None]()
    low, high = axes.transData.transform([(0, 0), (1, 1)])
    (width, height), scale = (high - low).tolist(), axes.figure.dpi / 72  # pixels of an operation, of a KB, of a point
    for place in placements:
        kind = writers.get(place.tensor, "input")
        kinds[kind] = None
        left, life, size = place.first - 0.5, place.last - place.first + 1, place.bytes / KB
        axes.bar(left, size, life, place.offset / KB, align="edge", color=COLOURS.get(kind, OTHER), edgecolor="white",
                 linewidth=0.6)  # fmt: skip
        label = _shape(graph.tensors[place.tensor])
        room = (len(label) + 1) * 0.58 * LETTERS * scale
        across, upward = life * width, size * height
        upright = across < room
        if min(across, upward) >= LETTERS * 1.5 * scale and max(across, upward) >= room:
            axes.text(left + life / 2, (place.offset + place.bytes / 2) / KB, label, color="white", fontsize=LETTERS,
                      ha="center", va="center", rotation=90 if upright else 0)  # fmt: skip
    return kinds


def _mark_peak(axes: Axes, placements: Sequence[Placement], steps: int) -> None:
    """Mark all operations during which the highest address is in use."""
    planned = planned_bytes(placements)
    highest = [place for place in placements if place.end == planned]
    peak = [step for step in range(steps) if any(place.first <= step <= place.last for place in highest)]
    axes.plot(peak, [planned / KB] * len(peak), "v", color=PEAK)
    text = f"peak: {planned / KB:.0f} KB during operation {', '.join(map(str, peak[:8]))}{', ...' * (len(peak) > 8)}"
    used = max(live_bytes(placements, step) for step in range(steps))
    if used < planned:
        text += f"; without gaps, {used / KB:.0f} KB would do"
    axes.set_title(text, color=PEAK, fontsize=10, loc="left")


def _draw_times(axes: Axes, graph: Graph, times: Sequence[float | None]) -> None:
    colours = [COLOURS.get(operation.name, OTHER) for operation in graph.operations]
    axes.bar(range(len(times)), [time or 0 for time in times], 1, color=colours, edgecolor="white", linewidth=0.6)
    axes.set_ylabel("ms, estimated")


def _label(name: str) -> str:
    """Return a name that a file gives, as plain text: between two dollars matplotlib sees formulas."""
    return plain(name).replace("$", r"\$")


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape[1:] or tensor.shape))
