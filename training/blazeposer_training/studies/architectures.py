"""`blazeposer compare-architectures` shows the cost and the error of each architecture that a recipe can name.

To find the costs, the command writes each architecture as an INT8 file with random weights. The command counts
parameters and multiply-accumulate operations. The command measures the size of the file, and the working memory (arena)
of TensorFlow Lite Micro on a 64-bit PC. The command also estimates cycles on the AE3's NPU (with Vela), and
instructions and time on a Cortex-M7. The errors of the architectures come from the logs of trainings that differ only
in architecture and seed.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from matplotlib.figure import Figure
from rich.progress import track

from blazeposer.core.boards import find
from blazeposer.core.console import Console
from blazeposer.core.errors import InputError
from blazeposer.evaluate.plots import FAINT, INK, styled
from blazeposer.evaluate.report import Table, show_table, with_notes
from blazeposer.media.output import write_figure, write_file
from blazeposer.tflite import cost
from blazeposer.tflite.arena import measure_arena
from blazeposer.tflite.graph import read_graph
from blazeposer.tflite.npu import ae3_cycles

from ..int8.export import activation_quantization, int8_layers
from ..int8.flatbuffer import write_tflite
from ..int8.quantized import QuantizedBlazePoser
from ..network.architecture import ARCHITECTURE, ARCHITECTURES, Architecture
from ..network.model import BlazePoser

KERNELS: cost.Kernels = "2026"
TIMED = (find("h7"), find("rt1062"))
"""Boards with a Cortex-M7 and no free space in their fast memory."""


class Cost(NamedTuple):
    """The cost of a network architecture on cameras."""

    parameters: int
    macs: int
    bytes: int
    """Size of the INT8 file."""
    arena: int
    cycles: int
    instructions: int
    times: tuple[float, ...]
    """Estimated milliseconds of a frame on each board of TIMED."""

    def cells(self) -> list[str]:
        """Return the costs as strings for a table row."""
        return [*(f"{count:,}" for count in self[:-1]), *(f"{time:.0f} ms" for time in self.times)]


class Result(NamedTuple):
    """The scores of a training at its final validation."""

    seed: int
    mae: float
    """Mean error of the float network's angles on `val`, in degrees."""
    recall: float


Results = dict[str, list[Result]]
"""The results for each architecture, by its name."""


def measure(architecture: Architecture) -> Cost:
    """Return the cost of a network architecture on cameras. Raises BlazePoserError."""
    noise = np.random.default_rng(0)
    torch.manual_seed(0)  # for the random weights
    model = QuantizedBlazePoser(BlazePoser(architecture)).eval()
    for name in {model.source[operation.output] for operation in model.operations}:
        if not model.quantizer(name).frozen:  # different ranges, as in a trained file
            model.quantizer(name).set_range(-noise.uniform(1, 9), noise.uniform(1, 9))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "candidate.tflite")
        path.write_bytes(write_tflite(int8_layers(model), activation_quantization(model), model.operations))
        graph, arena = read_graph(path.read_bytes(), path.name), measure_arena(path)
        times = (cost.estimate(graph, board, cost.camera_arena(arena), KERNELS) for board in TIMED)
        return Cost(
            sum(parameter.numel() for parameter in model.network.parameters()),
            sum(operation.macs for operation in model.operations),
            path.stat().st_size,
            arena.total,
            ae3_cycles(path),
            round(cost.total(cost.instructions(graph, KERNELS)) or 0),
            tuple(time.network if time else float("nan") for time in times),
        )


def read_results(folder: Path) -> Results:
    """Return the results of all training logs (.jsonl) in a folder and its subfolders.

    Raises InputError if there is no log, or if a file is not the log of a complete training. All trainings must have
    the same recipe, except for architecture and seed. Otherwise, the function raises InputError.
    """
    results: Results = defaultdict(list)
    recipes = []
    for path in sorted(folder.rglob("*.jsonl")):
        try:
            entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            recipe = next(entry["recipe"] for entry in entries if "recipe" in entry)
            last = [entry for entry in entries if "val" in entry][-1]
            name, seed, steps = recipe.pop("architecture"), recipe.pop("seed"), recipe["steps"]
            result = Result(seed, last["val"]["mae"]["mean"], last["val"]["recall"])
        except (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration) as error:
            raise InputError(f"{path}: not the log of a training: delete the file, or choose another --runs") from error
        if last["step"] != steps:
            raise InputError(
                f"{path}: the training stopped at step {last['step']} of {steps}: complete the training first"
            )
        recipes.append(recipe)
        if recipe != recipes[0]:
            raise InputError(f"{path}: the recipe differs in more than architecture and seed: remove one of the logs")
        results[name].append(result)
    if not results:
        raise InputError(f"{folder}: no log (.jsonl) of a training: choose another --runs")
    return results


@styled
def draw(costs: dict[str, Cost], results: Results) -> Figure:
    """Plot the error of each trained architecture, and the estimated time of a frame on the first board of `TIMED`."""
    figure = Figure(figsize=(6.4, 3.8))
    axes = figure.subplots()
    named = sorted((costs[name].times[0], name) for name in results)
    means = [np.mean([result.mae for result in results[name]]) for _, name in named]
    axes.plot([time for time, _ in named], means, "-", color=FAINT, label="mean over seeds")
    for (time, name), mean in zip(named, means, strict=True):
        ships = ARCHITECTURES[name] is ARCHITECTURE
        for result in results[name]:
            axes.plot(time, result.mae, "o", color="#0072b2" if ships else INK, markersize=5)
        first = time == named[0][0]  # the first name stands on the left, where there is always room
        axes.annotate(
            f"{name} (ships)" if ships else name, (time, float(mean)), (-8 if first else 8, 2),
            textcoords="offset points", ha="right" if first else "left", va="bottom",
        )  # fmt: skip
    axes.set(xlabel=f"estimated time of a frame, {TIMED[0].name}, ms", ylabel="mean error on val, degrees")
    axes.set_xlim(0, 1.2 * named[-1][0])
    axes.margins(y=0.1)
    axes.legend(loc="upper right", fontsize=8)
    return figure


def table(costs: dict[str, Cost], results: Results) -> Table:
    """Return a table with one row for each architecture. The row of a trained architecture also has the errors and
    recalls of its trainings, in the order of the seeds."""
    head = ["parameters", "MACs", "file", "arena", "cycles", "instructions", *(board.name for board in TIMED)]
    rows = []
    for name, found in costs.items():
        trained = sorted(results.get(name, []))
        errors, recalls = (", ".join(values) for values in (
            [f"{result.mae:.2f}" for result in trained], [f"{result.recall:.4f}" for result in trained],
        ))  # fmt: skip
        rows.append([name, *([errors, recalls] if results else []), *found.cells()])
    caption = "The table shows the costs of INT8 files with random weights"
    return Table(["", *(["MAE", "recall"] if results else []), *head], rows, caption)


def page(costs: dict[str, Cost], results: Results, runs: Path, image: Path) -> str:
    """Return the text of the page about the search for an architecture."""
    return f"""\
# The search for an architecture

The command `blazeposer compare-architectures --runs {runs.as_posix()} --output {image.with_suffix(".md").as_posix()}`
made this page. The page [the architecture](architecture.md) explains the columns of the table, for example "cycles" and
"instructions". All networks had the same short training, which started from BlazeFace's weights (recipe `search`). MAE
is the mean absolute error of the float network's angles in degrees, on the `val` split of the training data. If a cell
has two values, the values come from two trainings with different seeds. Only the MAE and the recall in the table come
from the trained float networks.

{with_notes(table(costs, results))}

![Error over time]({image.name})
"""


@click.command(short_help="Show the costs of each network architecture.")
@click.option("--runs", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder with logs of trainings. With --runs, the table also shows the errors.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              help="Write the table to this Markdown page, and a plot (.svg) into the page's folder. "
              "The option --output needs --runs.")  # fmt: skip
def command(runs: Path | None, output: Path | None) -> None:
    """Show the size, the memory and the estimated time of each network architecture on cameras.

    The command writes each architecture as an INT8 file with random weights.
    """
    if output and not runs:
        raise click.UsageError("--output needs --runs.")
    results = read_results(runs) if runs else {}
    if unknown := results.keys() - ARCHITECTURES.keys():
        raise InputError(f"{runs}: no architecture {', '.join(sorted(unknown))}: remove its logs")
    named = track(ARCHITECTURES.items(), "architectures", console=Console(stderr=True))
    costs = {name: measure(architecture) for name, architecture in named}
    show_table(table(costs, results), width=180)
    if runs and output:
        image = output.with_suffix(".svg")
        write_figure(image, draw(costs, results))
        write_file(output, page(costs, results, runs, image).encode(), "--output")
