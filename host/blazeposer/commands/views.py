"""The views of `blazeposer watch` and `blazeposer replay`, by the same options."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from blazeposer.core.console import Console
from blazeposer.core.errors import InputError
from blazeposer.core.text import say
from blazeposer.faces.position import FIELD_OF_VIEW
from blazeposer.live.centre import Centre
from blazeposer.live.links import Link
from blazeposer.live.recording import Recording
from blazeposer.live.session import Moment, Output, View, run
from blazeposer.live.terminal import TerminalView, losses
from blazeposer.live.to import SCHEMES, open_output
from blazeposer.live.web.server import LOOPBACK, PORT, WebView

P = ParamSpec("P")
T = TypeVar("T")

_OPTIONS = (
    click.option("--web", is_flag=True, help="Show a page in the browser too; its address is printed."),
    click.option(
        "--web-port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 takes a free port."
    ),
    click.option(
        "--web-host",
        default=LOOPBACK,
        show_default=True,
        help="The address of this PC for the page; 0.0.0.0 shows it to the whole network.",
    ),
    click.option("--record", type=click.Path(path_type=Path), help="Write a .jsonl or .csv, with raw values."),
    click.option("--to", "targets", multiple=True, metavar="URL", help=f"Send the poses there: {SCHEMES}."),
    click.option(
        "--lost-output",
        type=click.Choice(["wait", "end"]),
        default="wait",
        show_default=True,
        help="What the session does while --to fails: it says so and goes on, or ends with status 1.",
    ),
    click.option("--recentre", is_flag=True, help="The first pose becomes the zero; later the key r does that."),
    click.option(
        "--deadzone",
        type=click.FloatRange(0, 45),
        default=0.0,
        show_default=True,
        help="Degrees from the zero that opentrack:// and osc:// do not pass on.",
    ),
    click.option("--smooth/--raw", default=True, help="Smooth the numbers (default), or show the network's own."),
    click.option("--axis", is_flag=True, help="Angles to the camera's axis instead of the line from it to the face."),
    click.option(
        "--fov",
        type=click.FloatRange(10, 170),
        default=FIELD_OF_VIEW,
        show_default=True,
        help="Degrees that the image's width sees, for the place in the room.",
    ),
)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """The reader has gone: `cli.main` knows that this is no failure."""
        raise BrokenPipeError


class _Strict:
    """Ends the session when an output fails."""

    def show(self, moment: Moment) -> None:
        """See `session.View`."""
        for name, state in moment.troubles.items():
            raise InputError(f"{name}: {state}")


def view_options(command: Callable[P, T]) -> Callable[P, T]:
    """Adds the options, which come to `show` as they are."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def show(link: Link, **options: Any) -> None:
    """Run a session until the link ends, or ^C, which is no failure. `options` are those of `view_options`."""
    console = _Console(highlight=False)
    with ExitStack() as stack:
        recording = Recording()
        stack.callback(recording.stop)
        views: list[View] = [recording]
        outputs: list[Output] = []
        notes = []
        if options["record"]:
            recording.start(options["record"])
            notes.append(f"Recording to {options['record']}")
        for target in options["targets"]:
            outputs.append(output := stack.enter_context(open_output(target, link.name)))
            notes.append(f"Sending to {output.name}")
        if options["lost_output"] == "end":
            views.append(_Strict())
        centre = Centre(options["deadzone"])
        if options["recentre"]:
            centre.recentre()
        if options["web"]:
            web = WebView(recording, options["web_host"], options["web_port"], recentre=centre.recentre)
            stack.enter_context(web)
            views.append(web)
            notes.append(f"Page: {web.url}")
        terminal = stack.enter_context(TerminalView(console, (*notes, "^C ends it."), centre.recentre))
        with suppress(KeyboardInterrupt):
            run(
                link,
                [*views, terminal],
                outputs,
                centre=centre,
                smooth=options["smooth"],
                fov=options["fov"],
                axis=options["axis"],
            )
    if options["record"]:
        say(f"Wrote {options['record']}")
    say(losses(link.counts))
    for output in outputs:
        if output.missed:
            say(f"{output.name}: {output.missed} records did not arrive")
    for output in outputs:
        if output.state:
            raise InputError(f"{output.name}: {output.state}")
