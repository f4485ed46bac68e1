"""`blazeposer golden`: the golden vectors of a network."""

from __future__ import annotations

from pathlib import Path

import click

from blazeposer.core.resources import default_model
from blazeposer.core.text import say
from blazeposer.evaluate.validate.golden import write_beside


@click.command(short_help="Write the golden vectors of a network.")
@click.argument("model", required=False, type=click.Path(path_type=Path))
def command(model: Path | None) -> None:
    """Write the golden vectors of MODEL (by default ours) into a folder beside it, as `blazeposer quantize` does."""
    say(f"Golden vectors: {write_beside(model or default_model())}")
