"""`blazeposer watch`, `replay` and `plot` show live or recorded faces."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from blazeposer.commands.options import PATH, port_option
from blazeposer.core.console import Console
from blazeposer.core.errors import InputError, MissingExtraError, needs
from blazeposer.core.text import say
from blazeposer.faces.position import FIELD_OF_VIEW
from blazeposer.live.centre import Centre
from blazeposer.live.links import Link
from blazeposer.live.recording import Recording, ReplayLink, read
from blazeposer.live.session import Sender, View, run
from blazeposer.live.source import SourceLink
from blazeposer.live.terminal import TerminalView, losses
from blazeposer.live.to import SCHEMES, open_output
from blazeposer.live.usb import UsbLink
from blazeposer.live.web.server import LOOPBACK, PORT, WebView
from blazeposer.media.output import write_figure
from blazeposer.openmv import ports

P = ParamSpec("P")
T = TypeVar("T")

_VIEW_OPTIONS = (
    click.option("--web", is_flag=True,
                 help="Also show the faces on a web page. The command prints the address of the web page."),
    click.option("--web-port", type=click.IntRange(0, 65535), default=PORT, show_default=True,
                 help="Port of the web page. The value 0 chooses a free port."),
    click.option("--web-host", default=LOOPBACK, show_default=True,
                 help="Address of this PC for the web page. With 0.0.0.0, all devices in the network can "
                 "open the web page."),
    click.option("--record", type=PATH,
                 help="Record the session, with the unsmoothed values, in this .jsonl or .csv file."),
    click.option("--to", "targets", multiple=True, metavar="URL",
                 help=f"Send the poses to a program at this address. The forms of an address are {SCHEMES}."),
    click.option("--lost-output", type=click.Choice(["wait", "end"]), default="wait", show_default=True,
                 help="Reaction to a failure of --to. The value wait prints a message and continues. The value end "
                 "stops the command with exit status 1."),
    click.option("--recentre", is_flag=True,
                 help="Use the first pose as the zero pose. The key r sets a new zero pose later."),
    click.option("--deadzone", type=click.FloatRange(0, 45), default=0.0, show_default=True,
                 help="Angles up to this many degrees from zero are sent as zero to opentrack:// and osc://."),
    click.option("--smooth/--raw", default=True,
                 help="Smooth the values of the network (default), or use the values unchanged."),
    click.option("--axis", is_flag=True,
                 help="Measure angles from the camera's axis, not from the line between camera and face."),
    click.option("--fov", type=click.FloatRange(10, 170), default=FIELD_OF_VIEW, show_default=True,
                 help="Horizontal field of view of the lens in degrees. The command uses the field of view to compute "
                 "the positions of the faces."),
)  # fmt: skip


def view_options(command: Callable[P, T]) -> Callable[P, T]:
    """Add the shared options of `watch` and `replay` to a command. The command must pass the values of these options to
    `show` unchanged."""
    for option in reversed(_VIEW_OPTIONS):
        command = option(command)
    return command


@click.command()
@port_option
@click.option(
    "--source",
    help="Use a webcam of this PC or a video in place of an OpenMV camera. The value is the index of a webcam "
    "(0 is the first webcam) or the path of a video.",
)
@click.option("--protocol", type=click.Choice(["auto", "json", "v2"]), default="auto", show_default=True,
              help="Protocol for the connection to the camera. With json, the command reads the lines that the camera "
              "prints, which contain all records but no images. With v2 (OpenMV's Protocol V2), the command reads the "
              "images and only the newest record. With auto, the command uses v2 if --web is given and the camera "
              "supports Protocol V2, and json otherwise.")  # fmt: skip
@view_options
def watch(port: str | None, source: str | None, protocol: str, **options: Any) -> None:
    """Show the camera's faces and their poses live.

    Before the first `blazeposer watch`, run `blazeposer deploy`, because the camera must run BlazePoser's main.py.
    Close OpenMV IDE, because only one program at a time can use a camera. If the camera is unplugged, the command waits
    until the camera is plugged in again.

    Angles are in degrees. Positive yaw turns the face to the left of the image, positive pitch turns the face up, and
    positive roll turns the face clockwise. Positions are in centimetres from the camera. The x axis points to the right
    of the image, the y axis points up, and the z axis points away from the camera.
    """
    if source is not None and port is not None:
        raise click.UsageError("--port and --source cannot be used together: leave one out.")
    if source is not None:
        show(SourceLink(source), **options)
    else:
        show(camera_link(ports.find(port), protocol, options["web"]), **options)


@click.command()
@click.argument("file", type=PATH)
@view_options
def replay(file: Path, **options: Any) -> None:
    """Show the recorded session in FILE at the original speed. `blazeposer watch --record FILE` writes the recording
    FILE."""
    show(ReplayLink(file), **options)


@click.command()
@click.argument("file", type=PATH)
@click.option(
    "-o", "--output", type=PATH, help="Path of the image to write.  [default: out/NAME.png, with the NAME of FILE]"
)
def plot(file: Path, output: Path | None) -> None:
    """Draw yaw, pitch and roll of every face in FILE over time. `blazeposer watch --record FILE` writes the recording
    FILE."""
    with needs("watch"):
        from blazeposer.live.plot import draw_session
    target = output or Path("out") / f"{file.stem}.png"
    write_figure(target, draw_session(read(file), file.name))
    say(f"Wrote {target}")


def camera_link(port: ports.Port, protocol: str, web: bool) -> UsbLink:
    """Return a connection to a camera. With `protocol` "v2", a missing package raises MissingExtraError."""
    if protocol == "json" or (protocol == "auto" and not web):
        return UsbLink(port)
    try:
        with needs("openmv"):
            from blazeposer.live.protocol_v2 import AutoLink, ProtocolLink
    except MissingExtraError as missing:
        if protocol == "v2":
            raise
        return UsbLink(port, blind=f"no images: {missing}")
    return (AutoLink if protocol == "auto" else ProtocolLink)(port)


def show(link: Link, **options: Any) -> None:
    """Show faces live until the connection ends or the user presses Ctrl-C. `view_options` defines `options`."""
    with ExitStack() as stack:
        recording = Recording()
        stack.callback(recording.stop)
        views: list[View] = [recording]
        outputs: list[Sender] = []
        notes = []
        if options["record"]:
            recording.start(options["record"])
            notes.append(f"Recording to {options['record']}")
        for target in options["targets"]:
            outputs.append(output := stack.enter_context(open_output(target, link.name)))
            notes.append(f"Sending to {output.name}")
        centre = Centre(options["deadzone"])
        if options["recentre"]:
            centre.recentre()
        if options["web"]:
            web = WebView(recording, options["web_host"], options["web_port"], recentre=centre.recentre)
            views.append(stack.enter_context(web))
            notes.append(f"Page: {web.url}")
        notes.append("Ctrl-C ends the session.")
        views.append(TerminalView(Console(highlight=False), tuple(notes), centre.recentre, stack))
        session = {name: options[name] for name in ("smooth", "fov", "axis")}
        with suppress(KeyboardInterrupt):
            run(link, views, outputs, centre=centre, strict=options["lost_output"] == "end", **session)
    if options["record"]:
        say(f"Wrote {options['record']}")
    say(losses(link.counts))
    for output in outputs:
        if output.missed:
            say(f"{output.name}: {output.missed} records were not delivered")
    for output in outputs:
        if output.state:
            raise InputError(f"{output.name}: {output.state}")
