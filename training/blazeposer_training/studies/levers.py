"""blazeposer levers --data DIR --output docs/architecture.md

What each lever on the network's size costs and gains. Every candidate is written as a file with made-up weights and
measured: parameters, multiply-accumulates, bytes, arena (TensorFlow Lite Micro, 64 bit), cycles on the AE3's NPU
(Vela). Those that differ in what they compute go through the same short training, judged on the pools' `val` split.
Results are kept beside the output, as JSON: the same command goes on where it was stopped.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from blazeposer.core.boards import BOARDS
from blazeposer.core.contract import MAX_ARENA_BYTES, MAX_FILE_BYTES
from blazeposer.evaluate.datasets import pool as data
from blazeposer.tflite import cost
from blazeposer.tflite.arena import measure_arena
from blazeposer.tflite.graph import read_graph
from blazeposer.tflite.npu import run_vela, total_cycles

from ..images.bank import Bank, read_bank
from ..images.batches import Batch, Teacher, training_batches, validation_batches
from ..int8.export import activation_quantization, int8_layers
from ..int8.flatbuffer import Layer, write_tflite
from ..int8.quantized import QuantizedBlazePoser
from ..learning.distil import distil_features
from ..learning.learner import Learner, console, progress
from ..learning.processes import Processes, join, share_cores
from ..learning.recipe import Recipe, read_recipe
from ..learning.train import Trainer, score_network, train_heads
from ..network.architecture import ARCHITECTURE, ARCHITECTURES, ORIGINAL, Architecture, Block, stages
from ..network.graph import Operation
from ..network.model import BlazePoser

RECIPE = replace(
    read_recipe("quick"),
    steps=500, batch=64, rate=1.5e-3, warmup=100, decay=1e-4, average=0.99, distil_steps=400, distil_rate=1e-2,
    cached_batches=60, cached_epochs=6, cached_rate=3e-3, seed=0,
)  # fmt: skip

KERNELS: cost.Kernels = "2026"
TIMED = tuple(board for board in BOARDS if board.key in ("h7", "rt1062"))
"""Those that have a Cortex-M7 and no room to spare in their fast memory."""

Graph = tuple[Operation, ...]


@dataclass(frozen=True)
class Candidate:
    """One line of the table."""

    name: str
    architecture: Architecture
    change: Callable[[Graph], Graph] = lambda graph: graph
    """What is done to the architecture's operations; the weights of what changes are made up."""
    biases: bool = False
    """Whether depthwise convolutions keep a bias of their own."""
    converter: bool = False
    """Whether TensorFlow's converter writes the file."""
    train: bool = True
    """Whether training tells anything: not where the lever is exact in float."""


def branch_first(graph: Graph) -> Graph:
    """TensorFlow's order: in each block depthwise and pointwise before pool and pad."""
    order = {"depthwise": 0, "pointwise": 1, "pool": 2, "pad": 3}
    blocks: dict[str, int] = {}
    keys = []
    for position, operation in enumerate(graph):
        block, _, part = operation.output.rpartition(".")
        inner = block.startswith("backbone.blocks") and part in order
        keys.append((blocks.setdefault(block, position) if inner else position, order.get(part, 0) if inner else 0))
    return tuple(graph[i] for i in sorted(range(len(graph)), key=keys.__getitem__))


def folded(graph: Graph) -> Graph:
    """Each 64x64 block as the one dense 3x3 convolution that it is exactly: identity added at the centre tap."""
    result = []
    for operation in graph:
        if not operation.output.startswith("backbone.blocks") or operation.shape[1] < 64:
            result.append(operation)
        elif operation.kind == "add":
            first = next(other for other in graph if other.output == f"{operation.output}.depthwise")
            result.append(replace(operation, kind="conv", inputs=first.inputs, kernel=3, channels_in=first.channels_in))
    return tuple(result)


S2, S3 = (32, 36, 42), (48, 56, 64, 72, 80, 88)
NARROW = Architecture(16, stages((16, 16), S2, S3, (96,) * 5), (10, 15))
LATE = replace(NARROW, blocks=stages((16, 16), S2, S3, (88,) * 5))
SHORT = Architecture(16, stages((16, 16), S2, S3, (96,) * 4), (10, 14), (0, 24))
EVEN = Architecture(16, stages((16, 16), (32, 32, 32), (48, 48, 64, 64, 80, 80), (80,) * 5), (10, 15), (0, 24))
ONE_BLOCK = Architecture(16, (Block(16, 1, 0), *LATE.blocks[2:]), (9, 14), (0, 24))

CANDIDATES = (
    Candidate("the original's channels, TensorFlow's converter", ORIGINAL, biases=True, converter=True, train=False),
    Candidate("our writer: vectors shared, names and bias quantization left out", ORIGINAL, branch_first, True,
              train=False),
    Candidate("pool and pad before depthwise and pointwise", ORIGINAL, biases=True, train=False),
    Candidate("depthwise bias folded into the pointwise one", ORIGINAL),
    Candidate("64x64 blocks folded to dense convolutions", ORIGINAL, folded, train=False),
    Candidate("16 channels at 64x64", NARROW),
    Candidate("16 channels at 64x64, 88 at 8x8", LATE),
    Candidate("**16 channels at 64x64, 88 at 8x8, 8x8 regressors of rank 24**", ARCHITECTURE),
    Candidate("16 channels at 64x64, one block of 96 less, 8x8 regressors of rank 24", SHORT),
    Candidate("16 channels at 64x64 in one block, 88 at 8x8, 8x8 regressors of rank 24", ONE_BLOCK),
    Candidate("multiples of 16 throughout, at most 80, 8x8 regressors of rank 24", EVEN),
    *(Candidate(f"`{name}`", found, train=False) for name, found in ARCHITECTURES.items() if found.folds),
)  # fmt: skip


def sizes(candidate: Candidate) -> dict[str, Any]:
    """Parameters, multiply-accumulates, bytes of the file, arena, Vela's cycles, and estimated instructions and
    milliseconds on the boards in TIMED of a candidate."""
    noise = np.random.default_rng(0)
    model = QuantizedBlazePoser(BlazePoser(candidate.architecture)).eval()
    for name in {model.source[operation.output] for operation in model.operations}:
        if not model.quantizer(name).frozen:  # no two ranges alike, as in a trained file
            model.quantizer(name).set_range(-noise.uniform(1, 9), noise.uniform(1, 9))
    graph, layers = candidate.change(model.operations), int8_layers(model)
    for operation in filter(lambda operation: operation.has_weights, graph):
        channels = operation.shape[3]
        bias = noise.integers(-99, 99, channels, np.int32)
        if operation.output not in layers:
            shape = (channels, operation.kernel, operation.kernel, operation.channels_in)
            weight = noise.integers(-127, 128, shape, np.int8)
            layers[operation.output] = Layer(weight, bias, np.ones(channels, np.float32))
        elif operation.kind == "depthwise" and candidate.biases:
            layers[operation.output] = replace(layers[operation.output], bias=bias)
    used = [layers[operation.output] for operation in graph if operation.has_weights]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "candidate.tflite"
        path.write_bytes(
            converted(model) if candidate.converter else write_tflite(layers, activation_quantization(model), graph)
        )
        graph_written, arena = read_graph(path.read_bytes(), path.name), measure_arena(path)
        times = (cost.estimate(graph_written, board, cost.camera_arena(arena), KERNELS) for board in TIMED)
        return {
            "parameters": sum(layer.weight.size + (0 if layer.bias is None else layer.bias.size) for layer in used),
            "macs": sum(operation.macs for operation in graph),
            "file": path.stat().st_size,
            "arena": arena.total,
            "cycles": vela_cycles(path),
            "instructions": cost.total(cost.instructions(graph_written, KERNELS)),
            "milliseconds": [time and round(time.network) for time in times],
        }


def converted(model: QuantizedBlazePoser) -> bytes:
    """The file that TensorFlow's converter writes."""
    from ..int8.converter import convert  # seconds to import

    return convert(model)


def vela_cycles(path: Path) -> int:
    """Return the cycles of one inference on the AE3's NPU as Vela estimates them. Raises BlazePoserError."""
    run_vela(path, path.parent)
    return total_cycles(path.parent)


def short_training(
    architecture: Architecture, bank: Bank, checks: list[Batch], workers: int, processes: Processes, recipe: Recipe
) -> float:
    """Mean absolute error of the angles on `checks`, degrees, after the three stages of `recipe`."""
    learner = Learner(recipe, None, processes.device, architecture)

    def batches(steps: range, teacher: Teacher) -> Iterator[Batch]:
        """Return batches; those of the last stage come first."""
        return training_batches(bank, recipe.batch, steps, recipe.seed, recipe.images, workers=workers, teacher=teacher)

    def first_batches(steps: range, teacher: Teacher) -> Iterator[Batch]:
        return batches(range(recipe.steps + steps.start, recipe.steps + steps.stop), teacher)

    distil_features(learner, first_batches, recipe, processes)
    cached = range(recipe.distil_steps, recipe.distil_steps + recipe.cached_batches)
    train_heads(learner, first_batches(cached, learner.teach_detection), recipe, processes)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(learner, recipe, Path(folder), processes)
        lessons = batches(range(recipe.steps), learner.teach_detection)
        for batch in progress(lessons, recipe.steps, "whole network"):
            trainer.train(batch)
    return score_network(learner.average, checks).mean


def page(results: dict[str, dict[str, Any]]) -> str:
    """The table in Markdown."""
    lines = [
        "# The architecture",
        "",
        "Made by `blazeposer levers`. File, arena (TensorFlow Lite Micro on a 64-bit PC) and cycles (Vela, for the",
        "AE3, as `blazeposer inspect`) are of INT8 files with made-up weights. MAE is of the float network after the",
        f"same short training ({RECIPE.distil_steps} steps on feature maps, {RECIPE.steps} of the whole network, one",
        "seed), in degrees on the pools' `val` split; where a line computes exactly what another does, it has none.",
        "",
        f"A file may have {MAX_FILE_BYTES:,} bytes, an arena {MAX_ARENA_BYTES:,}: what the OpenMV H7 and the Nicla",
        "Vision hold. The line in bold ships. With its trained weights, which Vela packs smaller, it takes fewer",
        "cycles.",
        "",
        "Instructions are estimates for a Cortex-M7 with the kernels of 2026; milliseconds on the H7 and the RT1062",
        "follow from them, within 20 to 30 % ([boards](boards.md)). The last lines are `plain` networks, which",
        "a recipe may name ([below](#plain-networks)); none is trained to its end yet.",
        "",
        "| | parameters | MACs | file | arena | cycles | instructions | H7 | RT1062 | MAE |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for candidate in CANDIDATES:
        row = results.get(candidate.name)
        if row is None or "instructions" not in row:
            lines.append(f"| {candidate.name} |" + " not run |" * 9)
            continue
        mae = f"{row['mae']:.2f}" if row.get("mae") else ("not run" if candidate.train else "")
        cells = [f"{row['parameters']:,}", f"{row['macs'] / 1e6:.1f} M"]
        cells += [f"{row[name]:,}" for name in ("file", "arena", "cycles")]
        cells.append(f"{row['instructions'] / 1e6:.1f} M" if row["instructions"] else "")
        cells += [f"{time} ms" if time else "" for time in row["milliseconds"]]
        lines.append(f"| {candidate.name} | {' | '.join(cells)} | {mae} |")
    return "\n".join(lines) + "\n\n" + DECISION


DECISION = """\
What an arena holds at its peak are three tensors of a 64x64 block, so their channels decide: 24 to 28 are too many for
the smallest cameras, 16 fit. Folding these blocks to dense convolutions would keep all channels, and more than doubles
the arithmetic. The converter's file is over a third larger, for vectors that no runtime needs twice.

The original's channels start as they were trained, fewer have to learn its maps again first: a training as short as
this one shows that above all, and does not say where they end. At full length the line in bold comes to 2.7 degrees
([what the recipes reach](training.md#what-the-recipes-reach)). One block instead of two at 64x64 did better in as many
steps; it was not trained at full length.

Tensors are numbered from the last to the first: TFLite Micro's planner places equal sizes by falling number, and only
in the order of execution does it get by with three at a time (with 16 channels; unequal sizes gain nothing from it).

## Plain networks

On a camera's CPU an operation costs by the values that it writes more than by its arithmetic. A quarter of the time of
the network that ships goes into ADD, and 40 % into its 64x64 maps. A `plain` block is depthwise 3x3, pointwise, and a
clamp, and nothing else. In training each of the two convolutions has a shortcut around it, and branches with a batch
norm if the recipe asks for them (`parallel`); all of these fold into the two filters when training ends, exactly. The
clamp is at 60 in training. The folded network's maps are a tenth as large, so that there it is tflite's RELU6, in the
float file and in the INT8 one. Without ADD no shortcut waits in memory: the arena fits the RT1062's fast memory.

The start is BlazeFace's weights: the depthwise filter d is copied; the pointwise one gets e on its diagonal, e = centre
of d / sum of d squared, the multiple of d that is nearest to the shortcut that it replaces; the 3x3 stem is the middle
of the 5x5 one. `plain-65` keeps the widths of the network that ships and one block at 64x64, `plain-57` and `plain-48`
have none there, `dense-47` goes from the image to 32x32 by two dense 3x3 convolutions. The number is the estimate of
instructions in millions. `blazeposer train --recipe search` trains one of them for a comparison; change `architecture`
in a copy of its file for the others.
"""


@click.command()
@click.option("--data", "folder", help="Folder of the pools (default: BLAZEPOSER_DATA).")
@click.option("--output", type=click.Path(path_type=Path), default=Path("docs/architecture.md"), show_default=True)
@click.option("--sizes-only", is_flag=True, help="Do not train.")
def command(folder: str | None, output: Path, sizes_only: bool) -> None:
    """Weigh the levers on the network's size."""
    store = output.with_suffix(".json")
    results: dict[str, dict[str, Any]] = json.loads(store.read_text()) if store.exists() else {}

    def keep(candidate: Candidate, values: dict[str, Any]) -> None:
        results.setdefault(candidate.name, {}).update(values)
        store.write_text(json.dumps(results, indent=1) + "\n")
        output.write_text(page(results))

    for candidate in progress(iter(CANDIDATES), len(CANDIDATES), "sizes"):
        keep(candidate, sizes(candidate))
    left = [candidate for candidate in CANDIDATES if candidate.train and "mae" not in results[candidate.name]]
    if sizes_only or not left:
        return
    where = data.data_folder(folder)
    with join() as processes:
        workers = 0 if processes.device.type == "cuda" else 1
        share_cores(workers)
        bank, validation = (
            read_bank(where, data.TRAINING_POOLS, split, processes.device, console.print) for split in ("train", "val")
        )
        checks = list(validation_batches(validation, RECIPE.batch))
        for number, candidate in enumerate(left, 1):
            console.print(f"{number} of {len(left)}: {candidate.name}")
            mae = short_training(candidate.architecture, bank, checks, workers, processes, RECIPE)
            keep(candidate, {"mae": round(mae, 3)})
