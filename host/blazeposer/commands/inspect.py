"""`blazeposer inspect`: what each layer of a model costs, its time by kind of layer, and its memory over time."""

from __future__ import annotations

from pathlib import Path

import click
from rich.box import SIMPLE
from rich.table import Table

from blazeposer.core.boards import BOARDS, KB, Board, find
from blazeposer.core.console import Console
from blazeposer.core.errors import BlazePoserError, MissingExtraError, ModelError
from blazeposer.core.files import read_file
from blazeposer.core.resources import default_model
from blazeposer.core.text import say
from blazeposer.media.output import write_figure
from blazeposer.tflite.arena import Arena, live_bytes, measure_arena, plan, planned_bytes
from blazeposer.tflite.cost import camera_arena, instructions, milliseconds, speed, total, unknown
from blazeposer.tflite.firmware import ETHOS_U
from blazeposer.tflite.graph import Graph, read_graph
from blazeposer.tflite.layers import Layer, layers
from blazeposer.tflite.npu import layer_cycles

M7_BOARDS = ", ".join(board.key for board in BOARDS if board.core == "Cortex-M7")
BAR = 40
"""Letters of the longest bar."""
NAMES = {"CONV_2D": "convolution", "DEPTHWISE_CONV_2D": "depthwise", "MAX_POOL_2D": "max-pool"}


@click.command(short_help="Show the work of a model, and draw its memory over time.")
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    help="The .svg or .png to draw (default: out/NAME-memory.svg of MODEL's name, if matplotlib is there).",
)
@click.option(
    "--board", "name", default="h7", show_default=True, help=f"The board whose time is estimated: {M7_BOARDS}."
)
def command(model: Path | None, picture: Path | None, name: str) -> None:
    """Show the work of each layer of MODEL (by default ours), and draw the place of its tensors in the arena over time.

    Weights include biases. Bytes in use are those of all tensors that are needed during an operation. Instructions
    follow from counts on an emulated Cortex-M7, milliseconds from a model of the core: neither was measured on a
    camera. Cycles are Vela's estimate for the AE3's NPU (extra `npu`); of operations that it joins, they stand at the
    last.
    """
    board = find(name)
    path = model or default_model()
    try:
        data = read_file(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model ({error.strerror}): check its path") from error
    graph = read_graph(data, str(path))
    if any(operation.name == ETHOS_U for operation in graph.operations):
        raise ModelError(f"{path}: compiled for an NPU, it shows no layers: inspect the file that it was made of")
    costs = layers(graph)
    cycles, cycles_note = _cycles(path)
    arena, arena_note = _arena(path)
    planned = planned_bytes(plan(graph))
    times, time_note = _times(graph, board, camera_arena(arena) if arena else planned)
    Console().print(_table(graph, costs, instructions(graph), times, cycles))
    for line in _bars(costs, times):
        say(line)
    say(f"File: {len(data):,} bytes, {sum(layer.parameters for layer in costs):,} parameters")
    say(f"Work: {sum(layer.macs for layer in costs):,} multiply-accumulates; NPU cycles: {cycles_note}")
    say(f"Time: {time_note}")
    say(f"Memory: {planned:,} bytes of tensors; arena: {arena_note}")
    try:
        from blazeposer.tflite.picture import memory_picture
    except ModuleNotFoundError as error:
        missing = MissingExtraError("matplotlib", "watch")
        if picture:
            raise missing from error
        say(f"Picture: not drawn ({missing})")
        return
    target = picture or Path("out") / f"{path.stem}-memory.svg"
    write_figure(target, memory_picture(graph, path.name, arena, times), "--picture")
    say(f"Wrote {target}")


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


def _times(graph: Graph, board: Board, arena: int) -> tuple[list[float | None], str]:
    """Milliseconds of each operation, and what is to be said of their sum."""
    counts = instructions(graph)
    memory = board.memory_of(arena)
    found = speed(board, memory) if memory else None
    if found is None:
        why = "its arena has no room there" if memory is None else f"nothing is known of its {board.core}"
        return [None] * len(counts), f"not estimated for {board.name}: {why}"
    times = [None if count is None else milliseconds(count, board, found) for count in counts]
    whole, count, newer = total(times), total(counts), total(instructions(graph, "2026"))
    if whole is None or count is None or newer is None:
        names = ", ".join(unknown(graph))
        return times, f"not estimated: instructions of {names} in this form were never counted"
    said = (
        f"{whole:.0f} ms, give or take {found.uncertainty:.0%}, estimated for {board.name} with the arena in {memory}"
    )
    return times, (
        f"{said}: {count / 1e6:.1f} M instructions of firmware 5.0.0's kernels ({newer / 1e6:.1f} M of those of 2026), "
        f"{count * found.cycles / 1e6:.0f} M cycles"
    )


def _bars(costs: tuple[Layer, ...], times: list[float | None]) -> list[str]:
    """Lines that show the time of each kind of layer, and of each side of its output, as bars; none without times."""
    whole = total(times)
    if not whole:
        return []
    lines = [f"Where the {whole:.0f} ms go, estimated:"]
    kinds: dict[str, float] = {}
    sides: dict[str, float] = {}
    for layer, time in zip(costs, times, strict=True):
        window = f" {layer.kernel[0]}x{layer.kernel[1]}" if layer.macs else ""
        kind = NAMES.get(layer.name, layer.name.lower()) + window
        side = "at " + "x".join(map(str, layer.shape[1:3])) if len(layer.shape) == 4 else ""
        kinds[kind] = kinds.get(kind, 0) + (time or 0)
        sides[side] = sides.get(side, 0) + (time or 0)
    for parts in (kinds, sides):
        for name, part in sorted(parts.items(), key=lambda item: -item[1]):
            if share := round(100 * part / whole):
                lines.append(f"  {name:16}{part:6.1f} ms {share:3d} %  {'█' * round(BAR * part / whole)}")
    return lines


def _table(
    graph: Graph, costs: tuple[Layer, ...], counts: list[float | None], times: list[float | None], cycles: list[int]
) -> Table:
    table = Table(box=SIMPLE, pad_edge=False, padding=0)
    table.add_column("#", justify="right")
    table.add_column("operation", no_wrap=True)
    table.add_column("output", no_wrap=True)
    headings = ("1000\nMACs", "weights", "KB\nmoved", "KB in\nuse", "1000\ninstr.", "ms,\nest.", "1000\nNPU")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    placements = plan(graph)
    for step, (layer, count, time) in enumerate(zip(costs, counts, times, strict=True)):
        memory = (layer.moved / KB, live_bytes(placements, step) / KB)
        cells = [
            _thousands(layer.macs),
            f"{layer.parameters:,}" if layer.parameters else "",
            *(f"{size:.0f}" for size in memory),
            "?" if count is None else _thousands(count),
            f"{time:.1f}" if time else "",
            f"{cycles[step] / 1000:.1f}" if cycles and cycles[step] else "",
        ]
        table.add_row(str(step), layer.name, "x".join(map(str, layer.shape[1:])), *cells)
    return table


def _thousands(number: float) -> str:
    return f"{number / 1000:,.0f}" if number else ""
