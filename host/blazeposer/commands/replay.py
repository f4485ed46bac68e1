"""`blazeposer replay`: a recorded session once more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from blazeposer.commands.views import show, view_options
from blazeposer.live.recording import ReplayLink


@click.command(short_help="Show a recorded session at its own pace.")
@click.argument("file", type=click.Path(path_type=Path))
@view_options
def command(file: Path, **options: Any) -> None:
    """Show FILE, which `blazeposer watch --record FILE` made, as if its camera were there."""
    show(ReplayLink(file), **options)
