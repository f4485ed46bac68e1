"""`blazeposer package`: everything for a camera in one folder."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import click

from blazeposer.core.boards import BOARDS, find
from blazeposer.core.text import say
from blazeposer.deploy.bundle import MANIFEST, MODEL, make
from blazeposer.tflite.npu import UNVERIFIED

board_names = ", ".join(board.key for board in BOARDS)


@click.command(short_help="Put everything for a camera into one folder.")
@click.option("--board", "name", help=f"For one board: {board_names}.  [default: every board without an NPU]")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("out/bundle"), show_default=True)
@click.option("--model", type=click.Path(path_type=Path), help="A tflite file [default: the shipped network].")
@click.option("--mpy", is_flag=True, help="Compile the modules for the board (extra `mpy`).")
@click.option("--stedgeai", type=click.Path(path_type=Path), help="For an N6: the network_rel.bin of ST's stedgeai.")
def command(name: str | None, output: Path, model: Path | None, mpy: bool, stedgeai: Path | None) -> None:
    """Put model, scripts, self-test and a ROMFS image into a folder, with a manifest of their hashes.

    `blazeposer deploy FOLDER` brings it onto a camera. Without blazeposer, `mpremote mip install --target /flash
    FOLDER/package.json` and `mpremote romfs deploy FOLDER/blazeposer.romfs` do the same, without a backup.
    """
    started = monotonic()
    board = find(name) if name else None
    bundle = make(model, board, mpy=mpy, stedgeai=stedgeai)
    bundle.write(output)
    for file, data in sorted({**bundle.files, MANIFEST: bundle.manifest()}.items()):
        say(f"{output / file}  {len(data):,} bytes")
    if board and board.npu:
        say(f"{output / MODEL} is compiled for the NPU of the {board.name}: {UNVERIFIED}")
    say(f"Done in {monotonic() - started:.1f} s")
