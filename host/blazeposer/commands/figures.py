"""`blazeposer figures`: the manifests' figures into pages."""

from __future__ import annotations

from pathlib import Path

import click

from blazeposer.core.errors import InputError
from blazeposer.core.resources import models_dir
from blazeposer.core.text import say
from blazeposer.evaluate.figures import MARKED_BLOCK, fill, read_manifests


@click.command(short_help="Write the manifests' figures into pages.")
@click.argument("pages", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--models", type=click.Path(path_type=Path, file_okay=False), help="Their folder (default: models).")
def command(pages: tuple[Path, ...], models: Path | None) -> None:
    """Write the figures of the manifests into the marked blocks of Markdown PAGES."""
    manifests = read_manifests(models or models_dir())
    for page in pages:
        try:
            text = page.read_text(encoding="utf-8")
            page.write_text(fill(text, manifests), encoding="utf-8")
        except OSError as error:
            raise InputError(f"{page}: cannot be rewritten ({error.strerror}): check its path") from error
        say(f"{page}: {len(MARKED_BLOCK.findall(text))} blocks")
