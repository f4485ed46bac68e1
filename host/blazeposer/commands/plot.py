"""`blazeposer plot`: a recorded session as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from blazeposer.core.text import say
from blazeposer.live.plot import plot
from blazeposer.live.recording import read
from blazeposer.media.output import write_figure


@click.command(short_help="Draw a recorded session.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Image to draw (default: out/NAME.png of FILE's name)."
)
def command(file: Path, output: Path | None) -> None:
    """Draw yaw, pitch and roll over time of every face in FILE, which `blazeposer watch --record FILE` made."""
    target = output or Path("out") / f"{file.stem}.png"
    write_figure(target, plot(read(file), file.name))
    say(f"Wrote {target}")
