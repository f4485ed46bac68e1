"""Run the command `blazeposer`. The module of a subcommand is loaded only when the subcommand is called."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from pkgutil import resolve_name
from typing import NamedTuple

import click

from blazeposer import __version__
from blazeposer.core.ending import in_order
from blazeposer.core.errors import BlazePoserError, needs
from blazeposer.core.resources import model_version
from blazeposer.core.streams import drop_stdout, prepare_streams
from blazeposer.core.text import say


class Subcommand(NamedTuple):
    """An entry in the table of subcommands. `place` names a module and its click command, for example "module:command".
    `extra` is the optional extra that the subcommand needs, or ""."""

    place: str
    extra: str
    help: str


def _ours(place: str, words: str, extra: str = "") -> Subcommand:
    return Subcommand(f"blazeposer.commands.{place}", extra, words)


def _training(module: str, words: str) -> Subcommand:
    return Subcommand(f"blazeposer_training.{module}:command", "train", words)


GROUPS = {
    "Use": {
        "detect": _ours("detect:detect", "Find faces and poses in images, videos or a webcam."),
        "watch": _ours("watch:watch", "Show faces of a camera live, or send their poses."),
        "replay": _ours("watch:replay", "Show a recorded session at its original speed."),
        "plot": _ours("watch:plot", "Draw the angles of a recorded session over time."),
        "demo": _ours("demo:demo", "Run the demo on a virtual camera, and draw the faces.", "demo"),
    },
    "Camera": {
        "package": _ours("deploy:package", "Write all files for a camera into one folder."),
        "deploy": _ours("deploy:deploy", "Copy the network to a camera, and test it there."),
        "status": _ours("deploy:status", "Compare a camera's files with the files of a deploy."),
        "restore": _ours("deploy:restore", "Restore the files that a deploy replaced."),
        "check": _ours("models:check", "Show which boards can run a model, and how fast."),
        "inspect": _ours("models:inspect", "Show memory, operations and time of a model's layers."),
        "camera": _ours("camera:camera", "Start a virtual camera and print the camera's port.", "demo"),
    },
    "Prove": {
        "validate": _ours("validate:validate", "Compare all forms of the network on the same images.", "validate"),
        "bench": _ours("bench:bench", "Compare time and accuracy with similar systems."),
        "evaluate": _ours("evaluate:evaluate", "Measure a network on labelled faces.", "train"),
        "compare-detection": _ours(
            "evaluate:compare_detection", "Compare the detections of BlazePoser and BlazeFace.", "train"
        ),
        "figures": _ours("evaluate:figures", "Write the measured figures into Markdown pages.", "train"),
    },
    "Train": {
        "label": _training("labels.label", "Make a training pool from your own photos."),
        "train": _training("learning.train", "Train the float network."),
        "quantize": _training("int8.quantize", "Make the INT8 network from the float network."),
        "golden": _ours("validate:golden", "Write a network's expected outputs for tests.", "validate"),
    },
}
COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}


class _Commands(click.Group):
    """The group of all subcommands. `blazeposer --help` imports none of them, because `COMMANDS` has the help texts."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        with needs(entry.extra):
            command: click.Command = resolve_name(entry.place)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and (near := get_close_matches(args[0], COMMANDS, 2)):
            names = " or ".join(f"'{name}'" for name in near)
            raise click.UsageError(f"No such command '{args[0]}'. Did you mean {names}?", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))  # one width for all groups
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
    help="Show the versions of the code and the network, and exit.",
)  # fmt: skip
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Find faces, six keypoints and the 3D head pose with one small INT8 network."""
    if ctx.invoked_subcommand is None:
        say(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a `blazeposer` command and return its exit status. If the command fails, print one line on stderr."""
    prepare_streams()
    try:
        with in_order():
            # In standalone mode, click would print a usage error on four lines and print our errors as tracebacks.
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
    except BrokenPipeError:  # the reader, for example `head`, has ended, so this program may end too
        drop_stdout()
        return 0
    except OSError as error:
        if error.filename is not None:
            raise
        drop_stdout()
        return _fail(f"cannot write the output ({error.strerror}): free some space", 1)


def _fail(message: str, status: int) -> int:
    with suppress(OSError):  # stderr may fail, too
        say(f"blazeposer: {' '.join(message.split())}", err=True)
    return status
