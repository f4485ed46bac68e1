"""`blazeposer inspect`: what each layer of a model costs, and its memory over time."""

from __future__ import annotations

from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from blazeposer.core.errors import BlazePoserError, InputError, ModelError
from blazeposer.core.resources import default_model
from blazeposer.tflite.arena import Arena, live_bytes, measure_arena, plan, planned_bytes
from blazeposer.tflite.firmware import ETHOS_U
from blazeposer.tflite.graph import Graph, read_graph
from blazeposer.tflite.layers import Layer, layers
from blazeposer.tflite.npu import layer_cycles
from blazeposer.tflite.picture import memory_picture


@click.command(short_help="Show what a model costs, and draw its memory over time.")
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option(
    "--picture", type=click.Path(path_type=Path), help="The SVG to draw (default: out/NAME-memory.svg of MODEL's name)."
)
def command(model: Path | None, picture: Path | None) -> None:
    """Show what each layer of MODEL (by default ours) costs, and draw where its tensors lie in the arena, and when.

    Weights include biases. Bytes in use are those of all tensors that are needed during an operation. Cycles are Vela's
    estimate for the AE3's NPU (extra `npu`); of operations that it joins, they stand at the last.
    """
    path = model or default_model()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model ({error.strerror}): check its path") from error
    graph = read_graph(data, str(path))
    if any(operation.name == ETHOS_U for operation in graph.operations):
        raise ModelError(f"{path}: compiled for an NPU, it shows no layers: inspect the file that it was made of")
    costs = layers(graph)
    cycles, cycles_note = _cycles(path)
    arena, arena_note = _arena(path)
    console = Console()
    console.print(_table(graph, costs, cycles))
    planned = planned_bytes(plan(graph))
    click.echo(f"File: {len(data):,} bytes, {sum(layer.parameters for layer in costs):,} parameters")
    click.echo(f"Work: {sum(layer.macs for layer in costs):,} multiply-accumulates; NPU cycles: {cycles_note}")
    click.echo(f"Memory: {planned:,} bytes of tensors; arena: {arena_note}")
    target = picture or Path("out") / f"{path.stem}-memory.svg"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(memory_picture(graph, path.name, arena), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{target}: cannot write the picture ({error.strerror}): check --picture") from error
    click.echo(f"Picture: {target}")


def _cycles(path: Path) -> tuple[list[int], str]:
    try:
        cycles = layer_cycles(path)
    except BlazePoserError as error:
        return [], f"not measured ({error})"
    return cycles, f"{sum(cycles):,}, as Vela estimates them for the AE3, not verified without a camera"


def _arena(path: Path) -> tuple[Arena | None, str]:
    try:
        arena = measure_arena(path)
    except BlazePoserError as error:
        return None, f"not measured ({str(error).removeprefix(f'{path}: ')})"
    return arena, f"{arena.total:,} bytes, as TFLite Micro counts it on this PC, an upper bound for a board"


def _table(graph: Graph, costs: tuple[Layer, ...], cycles: list[int]) -> Table:
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("#", justify="right")
    table.add_column("operation", no_wrap=True)
    table.add_column("output", no_wrap=True)
    for heading in ("MACs", "weights", "bytes\nmoved", "bytes\nin use", "NPU\ncycles"):
        table.add_column(heading, justify="right", no_wrap=True)
    placements = plan(graph)
    for step, layer in enumerate(costs):
        numbers = [layer.macs, layer.parameters, layer.moved, live_bytes(placements, step)]
        cells = [f"{number:,}" if number else "" for number in numbers]
        shape = "x".join(map(str, layer.shape[1:]))
        table.add_row(str(step), layer.name, shape, *cells, f"{cycles[step]:,}" if cycles and cycles[step] else "")
    return table
