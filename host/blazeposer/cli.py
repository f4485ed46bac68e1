"""The command `blazeposer`: a table of subcommands, each loaded only when it is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from typing import NamedTuple

import click

from blazeposer import __version__
from blazeposer.core.ending import in_order
from blazeposer.core.errors import BlazePoserError, MissingExtraError
from blazeposer.core.resources import model_version
from blazeposer.core.streams import drop_stdout, prepare_streams
from blazeposer.core.text import say


class Entry(NamedTuple):
    """The place of a subcommand: the click command `command` of a module, and the extra that brings its imports."""

    module: str
    extra: str
    help: str


GROUPS = {
    "Use": {
        "detect": Entry("blazeposer.commands.detect", "", "Find faces and their pose in pictures, videos or a webcam."),
        "watch": Entry("blazeposer.commands.watch", "", "Show a camera's faces live, and pass them on."),
        "replay": Entry("blazeposer.commands.replay", "", "Show a recorded session at its own pace."),
        "plot": Entry("blazeposer.commands.plot", "watch", "Draw a recorded session."),
        "demo": Entry(
            "blazeposer.commands.demo", "demo", "Run the whole path on a virtual camera and draw the result."
        ),
    },
    "Camera": {
        "package": Entry("blazeposer.commands.package", "", "Put everything for a camera into one folder."),
        "deploy": Entry("blazeposer.commands.deploy", "", "Bring the network onto a camera, and prove that it runs."),
        "status": Entry("blazeposer.commands.status", "", "Compare the content of a camera with a bundle."),
        "restore": Entry("blazeposer.commands.restore", "", "Bring back the files that a deploy replaced."),
        "check": Entry("blazeposer.commands.check", "", "Predict on which boards a model loads, and how fast it is."),
        "inspect": Entry("blazeposer.commands.inspect", "", "Show the work of a model, and draw its memory over time."),
        "compile": Entry("blazeposer.commands.compile", "", "Make the file that a board with an NPU runs."),
        "camera": Entry("blazeposer.commands.camera", "demo", "Start the virtual camera and print its port."),
    },
    "Prove": {
        "validate": Entry("blazeposer.commands.validate", "validate", "Check that all forms of the network agree."),
        "bench": Entry(
            "blazeposer.commands.bench", "", "Time the network beside its peers, and compare their accuracy."
        ),
        "evaluate": Entry("blazeposer.commands.evaluate", "train", "Measure a network on labelled faces."),
        "detection": Entry("blazeposer.commands.detection", "train", "Compare detections with the original BlazeFace."),
        "tracking": Entry("blazeposer.commands.tracking", "train", "Measure smoothing, closer look and positions."),
        "figures": Entry("blazeposer.commands.figures", "train", "Write the manifests' figures into pages."),
    },
    "Train": {
        "label": Entry("blazeposer_training.labels.label", "train", "Make a training pool of your own photos."),
        "train": Entry("blazeposer_training.learning.train", "train", "Train the network in float."),
        "quantize": Entry("blazeposer_training.int8.quantize", "train", "Make the INT8 network of a float one."),
        "golden": Entry("blazeposer.commands.golden", "validate", "Write the golden vectors of a network."),
        "levers": Entry("blazeposer_training.studies.levers", "train", "Show the cost of each architecture."),
        "quantizing": Entry("blazeposer_training.studies.quantizing", "train", "Compare ways to quantize."),
    },
}
COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}


class _Commands(click.Group):
    """A group whose help comes from `COMMANDS`, so that it imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        return _load(entry) if entry else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and (near := get_close_matches(args[0], COMMANDS, 1)):
            raise click.UsageError(f"No such command '{args[0]}'. Did you mean '{near[0]}'?", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))  # one for all groups
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), entry.help) for name, entry in group.items()])


def _version(ctx: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked:
        say(f"blazeposer {__version__}, network {model_version()}")
        ctx.exit()


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Show the versions of code and network and exit.",
)  # fmt: skip
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Faces, six keypoints and 3D head pose from one small INT8 network."""
    if ctx.invoked_subcommand is None:
        say(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status. A failure prints one line on stderr."""
    prepare_streams()
    try:
        with in_order():
            # Not standalone: click would print a usage error on four lines and let ours through as tracebacks.
            result = cli.main(args=arguments, prog_name="blazeposer", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except BlazePoserError as error:
        return _fail(str(error), 1)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "blazeposer"
        return _fail(f"{error.format_message()} See `{command} --help`.", error.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except BrokenPipeError:  # the reader, `head` for one, has gone: so may we, and the interpreter's last flush
        drop_stdout()
        return 0
    except OSError as error:
        if error.filename is not None:
            raise
        drop_stdout()
        return _fail(f"cannot write what was found ({error.strerror}): free some space", 1)


def _load(entry: Entry) -> click.Command:
    try:
        command = import_module(entry.module).command
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if not entry.extra or name.startswith("blazeposer"):
            raise
        raise MissingExtraError(name, entry.extra) from error
    assert isinstance(command, click.Command)
    return command


def _fail(message: str, status: int) -> int:
    with suppress(OSError):  # stderr is full too
        say(f"blazeposer: {' '.join(message.split())}", err=True)
    return status
