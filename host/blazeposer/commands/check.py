"""`blazeposer check`: what happens when a model is put on a camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.table import Table

from blazeposer.core.boards import BOARDS, KB, MB, find
from blazeposer.core.console import Console
from blazeposer.core.errors import BlazePoserError, ModelError
from blazeposer.core.resources import default_model
from blazeposer.core.text import say
from blazeposer.tflite.check import Model, Verdict, examine, judge
from blazeposer.tflite.npu import layer_cycles

_TIME_HEADS = ("--board", "arena there, bytes, estimated", "it lies in, estimated", "network, ms, estimated",
              "frame, ms, estimated", "frames a second, estimated")  # fmt: skip


@click.command(short_help="Tell whether a model loads on which boards, and how fast it will be.")
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--board", "name", help=f"One board: {', '.join(board.key for board in BOARDS)}.  [default: all]")
def command(model: Path | None, name: str | None) -> None:
    """Tell whether MODEL (by default ours) loads on which boards, how fast it will be there, and whether it is a
    BlazePoser network.

    Times are estimates: instructions counted on an emulated Cortex-M7, and a model of the core. With --board the exit
    status is 1 if it does not load there; without, if it loads nowhere.
    """
    board = find(name) if name else None
    examined = examine(model or default_model())
    verdicts = [judge(examined, each) for each in ([board] if board else BOARDS)]
    if board is None:
        _show(Console(), verdicts)
    elif verdicts[0].loads:
        say(f"{examined.path} on {board.name}: {_says(verdicts[0])}")
    say(_identity(examined))
    if not any(verdict.loads for verdict in verdicts):
        where = board.name if board else "any board"
        raise ModelError(f"{examined.path} does not load on {where}: {verdicts[0].reason}")


def time_table(verdicts: Sequence[Verdict], npu_cycles: int | None) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return headings, and for each board the cells below. npu_cycles: of the AE3's NPU, None if not known."""
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
    """Return what `time_table` rests on, a sentence or two a line. npu_note: of the AE3's NPU."""
    decoding = "" if model.breach else " and decoding one face"
    on_cpu = [
        "Network: on the CPU, with the kernels of firmware 5.0.0.",
        f"Frame: scaling the picture, network{decoding}. The sensor, drawing and sending are left out.",
    ]
    if model.uncounted:
        names = ", ".join(model.uncounted)
        on_cpu = [f"CPU: no time, because instructions of {names} in this form were never counted."]
    return ["Nothing was measured on a camera.", *on_cpu, f"NPU: {npu_note}"]


def npu_cycles(model: Model) -> tuple[int | None, str]:
    """Return Vela's estimate of a model's cycles on the AE3's NPU, None if there is none, and a remark on it."""
    try:
        cycles = sum(layer_cycles(model.path))
    except BlazePoserError as error:
        return None, f"the AE3's cycles are not known ({error})."
    return cycles, f"the AE3's, {cycles:,} cycles as Vela estimates them, once compiled."


def _says(verdict: Verdict) -> str:
    """Return the remark on a board that loads a model."""
    model, found = verdict.model, verdict.estimate
    sure = "loads" if model.arena is not None else "nothing found against it"
    arena = f"arena {model.arena:,} of {verdict.board.arena:,} bytes, {model.arena_note}" if model.arena else ""
    time = (
        f"estimated, not measured: arena in {found.memory}, {found.frame:.0f} ms a frame, give or take "
        f"{found.uncertainty:.0%}: {found.frames_per_second:.1f} frames a second"
        if found
        else ""
    )
    return "; ".join(filter(None, [f"{sure}, from {' or '.join(verdict.stores)}", arena, *verdict.notes, time]))


def _identity(model: Model) -> str:
    if model.graph is None:
        return "A file that only an NPU understands does not show whether it is a BlazePoser network"
    if model.breach:
        return f"Not a BlazePoser network: {model.breach}"
    return "A BlazePoser network" + (f"; {model.manifest}" if model.manifest else ", as its manifest describes it")


def _show(console: Console, verdicts: list[Verdict]) -> None:
    """Two tables of boards, loading and time, and below each a line on what there is to say."""
    model = verdicts[0].model
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("board", "--board"):
        table.add_column(heading, no_wrap=True)
    for heading in ("for an arena", "for models"):
        table.add_column(heading, justify="right")
    for heading in ("loads", "from"):
        table.add_column(heading, no_wrap=True)
    for verdict in verdicts:
        board = verdict.board
        loads = "no" if not verdict.loads else "yes" if model.arena is not None else "perhaps"
        room = (_size(size) for size in (board.arena, board.romfs))
        table.add_row(board.name, board.key, *room, loads, " ".join(verdict.stores))
    arena = f"{model.arena:,} bytes, {model.arena_note}" if model.arena else model.arena_note
    say(f"{model.path}: {model.file_bytes:,} bytes; arena {arena}")
    console.print(table)
    for said, keys in _said(verdicts).items():
        say(f"{', '.join(keys) if len(keys) < len(verdicts) else 'all boards'}: {said}")
    if model.graph and not model.compiled_for and any(verdict.loads for verdict in verdicts):
        cycles, npu_note = npu_cycles(model)
        times = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
        headings, rows = time_table(verdicts, cycles)
        for heading in headings:
            times.add_column(heading, justify="left" if heading == "--board" else "right")
        for row in rows:
            times.add_row(*row)
        console.print(times)
        for note in time_notes(model, npu_note):
            say(note)


def _size(size: int) -> str:
    return f"{size / MB:.1f} MB" if size >= MB else f"{size // KB} KB"


def _said(verdicts: list[Verdict]) -> dict[str, list[str]]:
    """Return the remarks, each with its boards."""
    result: dict[str, list[str]] = {}
    for verdict in verdicts:
        for said in (verdict.reason, *verdict.notes):
            if said:
                result.setdefault(said, []).append(verdict.board.key)
    return result
