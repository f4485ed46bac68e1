"""`blazeposer check` and `blazeposer inspect` show the memory and the estimated time that a model needs on a board."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.table import Table

from blazeposer.commands.options import BOARD_NAMES, PATH
from blazeposer.core.boards import BOARDS, KB, MB, Board, find
from blazeposer.core.console import Console
from blazeposer.core.errors import BlazePoserError, ModelError
from blazeposer.core.resources import default_model
from blazeposer.core.text import say
from blazeposer.tflite.arena import live_bytes, measure_arena, plan, planned_bytes
from blazeposer.tflite.check import Model, Verdict, examine, judge
from blazeposer.tflite.cost import LayerCost, camera_arena, instructions, layers, milliseconds, speed, total, unknown
from blazeposer.tflite.firmware import ETHOS_U
from blazeposer.tflite.graph import Graph, read_graph, read_model
from blazeposer.tflite.npu import ae3_cycles

_BAR = 40  # length of the longest bar in characters
_KINDS = {"CONV_2D": "convolution", "DEPTHWISE_CONV_2D": "depthwise", "MAX_POOL_2D": "max-pool"}
_TIME_HEADS = ("--board", "arena, bytes, estimated", "memory of the arena, estimated", "network, ms, estimated",
               "frame, ms, estimated", "frames per second, estimated")  # fmt: skip

model_argument = click.argument("model", required=False, type=PATH)


@click.command()
@model_argument
@click.option("--board", "name", help=f"Check only this board: {BOARD_NAMES}.  [default: all]")
def check(model: Path | None, name: str | None) -> None:
    """Show which boards can load MODEL, how fast MODEL is on each board, and whether MODEL is a BlazePoser network.

    Without MODEL, the command checks BlazePoser's INT8 network. The exit status is 1 if no board can load MODEL. With
    --board, the exit status is 1 if the given board cannot load MODEL.

    All times are estimates, and no time was measured on a camera. The estimates use instruction counts of ten networks
    on an emulated Cortex-M7, and a timing model of each CPU core.
    """
    board = find(name) if name else None
    examined = examine(model or default_model())
    verdicts = [judge(examined, each) for each in ([board] if board else BOARDS)]
    if board is None:
        _show_boards(verdicts)
    elif verdicts[0].loads:
        say(f"{examined.path} on {board.name}: {_remark(verdicts[0])}")
    if examined.graph is None:
        say("The file is compiled for an NPU, so it is unknown whether it is a BlazePoser network.")
    elif examined.breach:
        say(f"The file is not a BlazePoser network: {examined.breach}.")
    elif examined.manifest:
        say(f"The file is a BlazePoser network, but {examined.manifest}.")
    else:
        say("The file is a BlazePoser network, and its manifest describes it.")
    if not any(verdict.loads for verdict in verdicts):
        where = board.name if board else "any board"
        raise ModelError(f"{examined.path} does not load on {where}: {verdicts[0].reason}")


@click.command()
@model_argument
@click.option(
    "--board",
    "name",
    default="h7",
    show_default=True,
    help="Board for the estimated times. The board must have a Cortex-M7.",
)
def inspect(model: Path | None, name: str) -> None:
    """Show the memory, the number of CPU instructions and the time of each layer of MODEL.

    Without MODEL, the command shows BlazePoser's INT8 network. The column "weights" includes the biases. The column "KB
    in use" shows the total size of all tensors that exist while the layer runs.

    The numbers of instructions are estimated from instruction counts of ten networks on an emulated Cortex-M7. The
    times are estimated with a timing model of the CPU core. Nothing was measured on a camera. Vela estimates the cycles
    on the AE3's NPU (needs the extra `npu`).
    """
    board = find(name)
    path = model or default_model()
    data = read_model(path)
    graph = read_graph(data, str(path))
    if any(operation.name == ETHOS_U for operation in graph.operations):
        raise ModelError(f"{path}: layers of a file for an NPU are not visible: inspect the file before compilation")
    arena = None
    try:
        arena = measure_arena(path)
        arena_note = f"{arena.total:,} bytes, counted by TFLite Micro on this PC (a board needs at most this)"
    except BlazePoserError as error:
        arena_note = f"not measured ({str(error).removeprefix(f'{path}: ')})"
    costs, planned = layers(graph), planned_bytes(plan(graph))
    times, time_note = _times(graph, board, camera_arena(arena) if arena else planned)
    Console().print(_layer_table(graph, costs, times))
    for line in _bars(costs, times):
        say(line)
    say(f"File: {len(data):,} bytes, {sum(layer.parameters for layer in costs):,} parameters")
    say(f"Work: {sum(layer.macs for layer in costs):,} multiply-accumulates")
    say(f"Time: {time_note}")
    say(f"NPU: {npu_cycles(path)[1]}")
    say(f"Memory: {planned:,} bytes of tensors; arena: {arena_note}")


def time_table(verdicts: Sequence[Verdict], npu_cycles: int | None) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the headings and the rows of a table of estimated times on boards. `npu_cycles` is the number of cycles on
    the AE3's NPU, or None if the number is unknown."""
    rows = []
    for verdict in verdicts:
        board, found = verdict.board, verdict.estimate
        cells: tuple[str, ...] = ("", "", "unknown", "", "")
        if found:
            times = (f"{time:.0f} ±{time * found.uncertainty:.0f}" for time in (found.network, found.frame))
            cells = (f"{verdict.model.camera_arena:,}", found.memory, *times, f"{found.frames_per_second:.1f}")
        elif board.npu == "ethos-u55" and npu_cycles:
            cells = ("", "", f"{npu_cycles / (1000 * board.mhz):.1f} (NPU)", "", "")
        rows.append((board.key, *cells))
    return _TIME_HEADS, rows


def time_notes(model: Model, npu_note: str) -> list[str]:
    """Return the lines of text below the table that `time_table` returns. `npu_note` is the remark from the function
    `npu_cycles`."""
    parts = (
        "scaling of the image and network" if model.breach else "scaling of the image, network and decoding of a face"
    )
    on_cpu = [
        "Network: time on the CPU, with the kernels of firmware 5.0.0.",
        f"Frame: time for {parts}.",
        "The times for sensor, drawing and sending are not included.",
    ]
    if model.uncounted:
        names = ", ".join(model.uncounted)
        on_cpu = [f"CPU: time unknown, because the instructions of {names} in this form were not counted."]
    return ["No value was measured on a camera.", *on_cpu, f"NPU: {npu_note}"]


def npu_cycles(path: Path) -> tuple[int | None, str]:
    """Return the cycles that Vela estimates for the AE3's NPU, and a remark. If Vela fails, the cycles are None."""
    try:
        cycles = ae3_cycles(path)
    except BlazePoserError as error:
        return None, f"cycles on the AE3 are not known ({error})."
    return cycles, f"{cycles:,} cycles on the AE3, estimated by Vela for the compiled network."


def _remark(verdict: Verdict) -> str:
    """Return a remark about memory and time on a board that can load the model."""
    model, found = verdict.model, verdict.estimate
    words = [f"{'loads' if model.arena is not None else 'probably loads'}, from {' or '.join(verdict.stores)}"]
    if model.arena:
        words.append(f"arena {model.arena:,} of {verdict.board.arena:,} bytes, {model.arena_note}")
    words += verdict.notes
    if found:
        words.append(
            f"estimated, not measured: arena in {found.memory}, {found.frame:.0f} ms per frame ± "
            f"{found.uncertainty:.0%}, {found.frames_per_second:.1f} frames per second"
        )
    return "; ".join(words)


def _show_boards(verdicts: list[Verdict]) -> None:
    """Print which boards can load the model, and the estimated time on each board."""
    model = verdicts[0].model
    rows, remarks = [], defaultdict[str, list[str]](list)
    for verdict in verdicts:
        board = verdict.board
        loads = "no" if not verdict.loads else "yes" if model.arena is not None else "perhaps"
        rows.append((board.name, board.key, _size(board.arena), _size(board.romfs), loads, " ".join(verdict.stores)))
        for remark in filter(None, (verdict.reason, *verdict.notes)):
            remarks[remark].append(board.key)
    arena = f"{model.arena:,} bytes, {model.arena_note}" if model.arena else model.arena_note
    say(f"{model.path}: {model.file_bytes:,} bytes; arena {arena}")
    console = Console()
    console.print(
        _table(("board", "--board", "largest arena", "space for models", "loads", "from"), rows, {0, 1, 4, 5})
    )
    for remark, keys in remarks.items():
        say(f"{', '.join(keys) if len(keys) < len(verdicts) else 'all boards'}: {remark}")
    if model.graph and not model.compiled_for and any(verdict.loads for verdict in verdicts):
        cycles, npu_note = npu_cycles(model.path)
        console.print(_table(*time_table(verdicts, cycles), {0}))
        for note in time_notes(model, npu_note):
            say(note)


def _size(size: int) -> str:
    return f"{size / MB:.1f} MB" if size >= MB else f"{size // KB} KB"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], left: set[int], space: int = 1) -> Table:
    """Return a table. The columns `left` are aligned to the left, and all other columns to the right."""
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, space, 0, 0))
    for number, heading in enumerate(headings):
        is_text = number in left
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=is_text)
    for row in rows:
        table.add_row(*row)
    return table


def _times(graph: Graph, board: Board, arena: int) -> tuple[list[float | None], str]:
    """Return the estimated milliseconds of each operation, and a remark about the total time."""
    counts = instructions(graph)
    memory = board.memory_of(arena)
    found = speed(board, memory) if memory else None
    if found is None:
        why = "the arena is too large for it" if memory is None else f"the speed of its {board.core} is unknown"
        return [None] * len(counts), f"not estimated for {board.name}: {why}"
    times = [None if count is None else milliseconds(count, board, found) for count in counts]
    whole, count, newer = total(times), total(counts), total(instructions(graph, "2026"))
    if whole is None or count is None or newer is None:
        names = ", ".join(unknown(graph))
        return times, f"not estimated: the instructions of {names} in this form were not counted"
    return times, (
        f"{whole:.0f} ms ± {found.uncertainty:.0%}, estimated for {board.name} with the arena in {memory}: "
        f"{count / 1e6:.1f} M instructions with the kernels of firmware 5.0.0 ({newer / 1e6:.1f} M with the kernels of "
        f"2026), {count * found.cycles / 1e6:.0f} M cycles"
    )


def _layer_table(graph: Graph, costs: Sequence[LayerCost], times: Sequence[float | None]) -> Table:
    headings = ("#", "operation", "output", "1000\nMACs", "weights", "KB\nmoved", "KB in\nuse", "1000\ninstr.",
                "ms,\nest.")  # fmt: skip
    placements = plan(graph)
    rows = [
        (
            str(step),
            layer.name,
            "x".join(map(str, layer.shape[1:])),
            _thousands(layer.macs),
            f"{layer.parameters:,}" if layer.parameters else "",
            f"{layer.moved / KB:.0f}",
            f"{live_bytes(placements, step) / KB:.0f}",
            "?" if count is None else _thousands(count),
            f"{time:.1f}" if time else "",
        )
        for step, (layer, count, time) in enumerate(zip(costs, instructions(graph), times, strict=True))
    ]
    return _table(headings, rows, {1, 2}, space=0)


def _thousands(number: float) -> str:
    return f"{number / 1000:,.0f}" if number else ""


def _bars(costs: Sequence[LayerCost], times: Sequence[float | None]) -> list[str]:
    """Return the lines of a bar chart of the estimated times. The chart has a bar for each kind of layer, and below
    these bars a bar for each size of output feature map. Bars of 0 % (rounded) are left out. If the times are unknown,
    return no lines."""
    whole = total(times)
    if not whole:
        return []
    kinds, sides = defaultdict[str, float](float), defaultdict[str, float](float)
    for layer, time in zip(costs, times, strict=True):
        window = f" {layer.kernel[0]}x{layer.kernel[1]}" if layer.macs else ""
        kinds[_KINDS.get(layer.name, layer.name.lower()) + window] += time or 0
        sides["at " + "x".join(map(str, layer.shape[1:3])) if len(layer.shape) == 4 else ""] += time or 0
    lines = [f"Estimated parts of the {whole:.0f} ms:"]
    for parts in (kinds, sides):
        for name, part in sorted(parts.items(), key=lambda item: -item[1]):
            if share := round(100 * part / whole):
                lines.append(f"  {name:16}{part:6.1f} ms {share:3d} %  {'█' * round(_BAR * part / whole)}")
    return lines
