"""`blazeposer check`: what happens when a model is put on a camera."""

from __future__ import annotations

from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from blazeposer.core.boards import BOARDS, KB, MB, find
from blazeposer.core.errors import ModelError
from blazeposer.core.resources import default_model
from blazeposer.tflite.check import Model, Verdict, examine, judge


@click.command(short_help="Tell whether a model loads on which boards.")
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--board", "name", help=f"One board: {', '.join(board.key for board in BOARDS)}.  [default: all]")
def command(model: Path | None, name: str | None) -> None:
    """Tell whether MODEL (by default ours) loads on which boards, and whether it is a BlazePoser network.

    With --board the exit status is 1 if it does not load there; without, if it loads nowhere.
    """
    board = find(name) if name else None
    examined = examine(model or default_model())
    verdicts = [judge(examined, each) for each in ([board] if board else BOARDS)]
    if board is None:
        _show(Console(), verdicts)
    elif verdicts[0].loads:
        click.echo(f"{examined.path} on {board.name}: {_says(verdicts[0])}")
    click.echo(_identity(examined))
    if not any(verdict.loads for verdict in verdicts):
        where = board.name if board else "any board"
        raise ModelError(f"{examined.path} does not load on {where}: {verdicts[0].reason}")


def _says(verdict: Verdict) -> str:
    """What is said of a board on which nothing keeps a model from loading."""
    model = verdict.model
    sure = "loads" if model.arena is not None else "nothing found against it"
    arena = f"arena {model.arena:,} of {verdict.board.arena:,} bytes, {model.arena_note}" if model.arena else ""
    return "; ".join(filter(None, [f"{sure}, from {' or '.join(verdict.stores)}", arena, *verdict.notes]))


def _identity(model: Model) -> str:
    if model.graph is None:
        return "A file that only an NPU understands does not show whether it is a BlazePoser network"
    if model.breach:
        return f"Not a BlazePoser network: {model.breach}"
    return "A BlazePoser network" + (f"; {model.manifest}" if model.manifest else ", as its manifest describes it")


def _show(console: Console, verdicts: list[Verdict]) -> None:
    """A table of boards, and below it a line on each of which there is more to say."""
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
    click.echo(f"{model.path}: {model.file_bytes:,} bytes; arena {arena}")
    console.print(table)
    for said, keys in _said(verdicts).items():
        click.echo(f"{', '.join(keys) if len(keys) < len(verdicts) else 'all boards'}: {said}")


def _size(size: int) -> str:
    return f"{size / MB:.1f} MB" if size >= MB else f"{size // KB} KB"


def _said(verdicts: list[Verdict]) -> dict[str, list[str]]:
    """What there is to say, and of which boards."""
    result: dict[str, list[str]] = {}
    for verdict in verdicts:
        for said in (verdict.reason, *verdict.notes):
            if said:
                result.setdefault(said, []).append(verdict.board.key)
    return result
