"""The plan, the questions and the progress of a deploy in a terminal, and the options of the commands around it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType

import click
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from blazeposer.core.console import Console
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.text import say
from blazeposer.deploy.camera import Advance
from blazeposer.deploy.flash import RomChange
from blazeposer.deploy.plan import Change, Plan
from blazeposer.deploy.state import State

port_option = click.option(
    "--port", help="The camera's port, if there are several cameras: /dev/ttyACM0, COM3, socket://..."
)
backups_option = click.option(
    "--backups", type=click.Path(path_type=Path), help="The folder of the backups.  [default: in your user's data]"
)
yes_option = click.option("--yes", "-y", is_flag=True, help="Agree to everything.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show the plan and stop.")


class _Interrupted(click.ClickException):
    exit_code = 130

    def __init__(self) -> None:
        super().__init__("interrupted: run the command again to complete it, or `blazeposer restore` to undo a deploy")


class Terminal:
    """A `run.Guide`, used in a `with` statement."""

    def __init__(self, *, yes: bool, dry_run: bool) -> None:
        self._yes = yes
        self._dry_run = dry_run
        self._console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
            console=self._console, transient=True, disable=not self._console.is_terminal,
        )  # fmt: skip

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()
        if kind is KeyboardInterrupt:
            raise _Interrupted from error

    def stage(self, words: str, total: int = 0) -> Advance:
        if not self._console.is_terminal:
            say(f"{words} ...", err=True)
            return lambda _: None
        for task in self._progress.task_ids:
            self._progress.remove_task(task)
        task = self._progress.add_task(words, total=total or None)
        self._progress.start()
        return lambda count: self._progress.advance(task, count)

    def note(self, words: str) -> None:
        self._progress.stop()
        say(words, err=True)

    def consent(self, state: State, plan: Plan) -> bool:
        self._progress.stop()
        say(f"{state.board.name}, firmware {state.version}, starts from {state.start}")
        if plan.is_empty:
            say("Nothing to write: all of it is there already.")
            return not self._dry_run
        for change in plan.changes:
            say(f"  {_told(change)}")
        if plan.rom:
            say(f"  {_told_of_rom(plan.rom)}")
        say(f"Writes {plan.write_bytes:,} bytes, saves {plan.read_bytes:,} first; takes about {plan.seconds:.0f} s.")
        for consent in plan.consents:
            say(f"! {consent}")
        if self._dry_run:
            return False
        if self._yes:
            return True
        if not sys.stdin.isatty():
            raise BlazePoserError("nobody is here to agree to this plan: add --yes, or --dry-run to see it only")
        return all(click.confirm(question) for question in (*plan.consents, "Go on?"))


def _told(change: Change) -> str:
    if change.new is None:
        return f"{change.path}  removed ({change.old:,} bytes)"
    if change.old is None:
        return f"{change.path}  new, {change.new:,} bytes"
    return f"{change.path}  {change.old:,} bytes replaced by {change.new:,}"


def _told_of_rom(rom: RomChange) -> str:
    erases = f"erases {rom.erases:,} bytes" if rom.erases else "erases nothing"
    told = f"/rom  {rom.words}: {erases}, writes {rom.writes:,}, takes about {max(rom.seconds, 1):.0f} s"
    return f"{told}; if the cable comes out then: {rom.risk}" if rom.risk else told
