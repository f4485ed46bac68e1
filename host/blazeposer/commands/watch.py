"""`blazeposer watch`: faces live, of a camera, a webcam or a video."""

from __future__ import annotations

from typing import Any

import click

from blazeposer.commands.guide import port_option
from blazeposer.commands.views import show, view_options
from blazeposer.core.errors import MissingExtraError
from blazeposer.live.source import SourceLink
from blazeposer.live.usb import UsbLink
from blazeposer.openmv import ports


@click.command(short_help="Show a camera's faces live, in the terminal or on a page, and pass them on.")
@port_option
@click.option("--source", help="Instead of a camera: this PC's webcam by its index (0 is the first), or a video.")
@click.option(
    "--protocol",
    type=click.Choice(["auto", "json", "v2"]),
    default="auto",
    show_default=True,
    help="How the camera is read: the lines that it prints, every record; or OpenMV's Protocol V2, with the images "
    "and the newest record only. auto: with --web the second, if it can be had.",
)
@view_options
def command(port: str | None, source: str | None, protocol: str, **options: Any) -> None:
    """Show live the faces that the camera sees, and their pose.

    The command waits for a camera that was unplugged. The camera runs main.py of `blazeposer deploy`; only one
    program can read it, so close OpenMV IDE. Yaw is positive to the image's left, pitch up, roll clockwise, all in
    degrees; x (right), y (up) and z (away) are centimetres from the camera.
    """
    if source is not None and port is not None:
        raise click.UsageError("--port and --source exclude each other.")
    if source is not None:
        show(SourceLink(source), **options)
    else:
        show(_link(ports.find(port), protocol, options["web"]), **options)


def _link(port: ports.Port, protocol: str, web: bool) -> UsbLink:
    if protocol == "json" or (protocol == "auto" and not web):
        return UsbLink(port)
    try:
        from blazeposer.live.protocol import AutoLink, ProtocolLink
    except ModuleNotFoundError as error:
        missing = MissingExtraError(error.name or "openmv", "openmv")
        if protocol == "auto":
            return UsbLink(port, blind=f"no pictures: {missing}")
        raise missing from error
    return (AutoLink if protocol == "auto" else ProtocolLink)(port)
