"""`blazeposer convention`: sign, axis, zero and order of yaw, pitch and roll, proved in every place and drawn."""

from __future__ import annotations

from pathlib import Path

import click

from blazeposer.core.errors import BlazePoserError
from blazeposer.evaluate.convention import convention_section, picture
from blazeposer.evaluate.text import show


@click.command(short_help="Prove what yaw, pitch and roll mean.")
@click.option("--model", type=click.Path(path_type=Path), help="A tflite file, if not the one that comes along.")
@click.option("--picture", "path", type=click.Path(path_type=Path), help="Also draw the angles into this .jpg.")
def command(model: Path | None, path: Path | None) -> None:
    """Turn the demo's head by known angles, and read them from the network, a virtual camera's stream and every format.

    Ends with an error where one of them has another sign, axis, zero or order than `blazeposer.core.rotation` states.
    Takes up to a minute.
    """
    if path:
        picture.write(path)
        click.echo(f"Picture: {path}")
    section = convention_section(model)
    show(section)
    verdict = str(section.parts[0])
    if section.verdict == "failed":
        raise BlazePoserError(f"the convention is broken: {verdict}")
    click.echo(verdict)
