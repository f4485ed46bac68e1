"""`blazeposer compile`: the file that a board with an NPU runs."""

from __future__ import annotations

from pathlib import Path

import click

from blazeposer.core.boards import BOARDS, find
from blazeposer.core.resources import default_model
from blazeposer.core.text import say
from blazeposer.tflite.npu import compile_for

NPU_BOARDS = [board.key for board in BOARDS if board.npu]


@click.command(short_help="Make the file that a board with an NPU runs.")
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--board", "name", required=True, type=click.Choice(NPU_BOARDS))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write (default: out/NAME_BOARD.tflite of MODEL's name).",
)
@click.option(
    "--stedgeai",
    type=click.Path(path_type=Path),
    help="For the N6: what ST's stedgeai made of MODEL (network_rel.bin).",
)
def command(model: Path | None, name: str, output: Path | None, stedgeai: Path | None) -> None:
    """Compile MODEL (by default ours) for the AE3 with Vela, or take what ST's tool made of it for the N6."""
    source = model or default_model()
    target = output or Path("out") / f"{source.stem}_{name}.tflite"
    note = compile_for(find(name), source, target, stedgeai)
    say(f"{target}: {target.stat().st_size:,} bytes, {note}")
