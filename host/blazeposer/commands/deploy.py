"""`blazeposer package`, `deploy`, `status` and `restore` write, compare and restore the files of a camera."""

import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from types import TracebackType

import click
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from blazeposer.commands.options import BOARD_NAMES, PATH, model_option, port_option
from blazeposer.core.boards import Board, find
from blazeposer.core.console import Console
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.text import say
from blazeposer.deploy import backup as saved
from blazeposer.deploy import deployment
from blazeposer.deploy.bundle import MANIFEST, MODEL, Bundle, load, make
from blazeposer.deploy.camera import Advance
from blazeposer.deploy.flash import RomChange
from blazeposer.deploy.plan import STORES, Change, Plan, Store
from blazeposer.deploy.state import State
from blazeposer.tflite.npu import UNVERIFIED

backups_option = click.option(
    "--backups",
    type=PATH,
    default=saved.default_folder,
    help="Folder of the backups.  [default: in your user's data folder]",
)
yes_option = click.option("--yes", "-y", is_flag=True, help="Answer every question with yes.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show the plan and stop.")


@click.command()
@click.option("--board", "name", help=f"Board of the camera: {BOARD_NAMES}.  [default: all boards without an NPU]")
@click.option("-o", "--output", type=PATH, default=Path("out/bundle"), show_default=True, help="Folder for the files.")
@model_option
@click.option("--mpy", is_flag=True, help="Compile the Python modules for the board (needs the extra `mpy`).")
@click.option(
    "--stedgeai",
    type=PATH,
    help="Path of the file network_rel.bin from ST's tool stedgeai. Only the board N6 uses this file.",
)
def package(name: str | None, output: Path, model: Path | None, mpy: bool, stedgeai: Path | None) -> None:
    """Write all files for a camera into a folder.

    The files are the model, the scripts, the self-test, a ROMFS image, and a manifest with the hashes of all files.
    `blazeposer deploy FOLDER` copies the files from FOLDER to a camera.

    To copy the files from a PC without blazeposer, use `mpremote mip install --target /flash FOLDER/package.json` and
    `mpremote romfs deploy FOLDER/blazeposer.romfs`. `mpremote` makes no backup of the camera's old files.
    """
    board = find(name) if name else None
    bundle = make(model, board, mpy=mpy, stedgeai=stedgeai)
    bundle.write(output)
    for file, data in sorted({**bundle.files, MANIFEST: bundle.manifest()}.items()):
        say(f"{output / file}  {len(data):,} bytes")
    if board and board.npu:
        say(f"{output / MODEL} is compiled for the NPU of the {board.name}: {UNVERIFIED}")


@click.command()
@click.argument("bundle", required=False, type=PATH)
@port_option
@click.option(
    "--to",
    type=click.Choice(STORES),
    help="Place for the model on the camera. A camera with an SD card needs the option --to.  [default: rom]",
)
@click.option("--model", type=PATH, help="Path of another tflite file, for a deploy without BUNDLE.")
@dry_run_option
@yes_option
@backups_option
def deploy(
    bundle: Path | None, port: str | None, to: Store | None, model: Path | None, dry_run: bool, yes: bool,
    backups: Path,
) -> None:  # fmt: skip
    """Copy the network and the scripts to a camera.

    BUNDLE is a folder that `blazeposer package` wrote. Without BUNDLE, the command makes the files for the camera.

    First, the command shows a plan and saves the camera's old files. Then, the command writes the new files, checks the
    written files and runs the self-test. At the end, the command restarts the camera and waits for the camera's stream.
    `blazeposer restore` undoes `blazeposer deploy`.
    """
    started = monotonic()
    bundle_for = _chosen(bundle, model)
    with Terminal(yes=yes, dry_run=dry_run) as terminal, deployment.connected(port, backups) as camera:
        outcome = deployment.deploy(camera, bundle_for, to, backups, terminal)
        where = camera.port.device
    if outcome is None:
        say("Nothing was written.")
        return
    say(f"Self-test passed in {outcome.test_seconds:.1f} s: {outcome.tested}")
    if outcome.record:
        say(f"{where} sends its stream: {len(outcome.record.faces)} faces in the first frame")
    if outcome.backup:
        say(f"The old files are saved in {outcome.backup.folder}. `blazeposer restore` restores them.")
    say(f"Done in {monotonic() - started:.1f} s, {outcome.plan.write_bytes:,} bytes written")


@click.command()
@click.argument("bundle", required=False, type=PATH)
@port_option
@backups_option
def status(bundle: Path | None, port: str | None, backups: Path) -> None:
    """Compare the files on a camera with the files that `blazeposer deploy` writes.

    BUNDLE is a folder that `blazeposer package` wrote. Without BUNDLE, the command makes the files for the comparison.
    The command stops the camera's script, and restarts the camera after the comparison.
    """
    bundle_for = _chosen(bundle)
    with deployment.connected(port, backups) as camera:
        _tell(deployment.status(camera, bundle_for, backups))


def _tell(found: deployment.CameraStatus) -> None:
    state, unfinished = found.state, found.unfinished
    say(f"{state.board.name}, firmware {state.version}, starts from {state.start}")
    for path, drive in state.drives.items():
        say(f"{path}: {drive.free:,} bytes free")
    if state.rom:
        say(f"/rom: {state.rom.used:,} of {state.rom.size:,} bytes used")
    for path, item in found.items.items():
        say(f"  {path}  {item}")
    if unfinished:
        say(
            f"A deploy or restore is not complete ({unfinished.folder.name}). Run `blazeposer deploy` to complete it, "
            "or `blazeposer restore` to undo it."
        )
    for folder in found.unreadable:
        say(f"The backup {folder} is not used, because its backup.json cannot be read.")
    say(
        "The camera has all files of the bundle."
        if found.is_deployed
        else "The camera does not have all files of the bundle: run `blazeposer deploy`."
    )


@click.command()
@click.argument("backup", required=False, type=PATH)
@port_option
@click.option("--list", "as_list", is_flag=True, help="List the backups and stop.")
@dry_run_option
@yes_option
@backups_option
def restore(backup: Path | None, port: str | None, as_list: bool, dry_run: bool, yes: bool, backups: Path) -> None:
    """Restore, byte for byte, the files that `blazeposer deploy` replaced.

    BACKUP is the folder of a backup. `blazeposer deploy` prints the name of the backup's folder. Without BACKUP, the
    command uses the camera's latest backup, but skips backups that were already restored.
    """
    started = monotonic()
    if as_list:
        for entry in saved.all_of(backups):
            say(f"{entry.folder}  {entry.progress}  {', '.join(entry.hashes)}")
        return
    with Terminal(yes=yes, dry_run=dry_run) as terminal, deployment.connected(port, backups) as camera:
        outcome = deployment.restore(camera, backup, backups, terminal)
    if outcome is None or outcome.backup is None:
        say("Nothing was written.")
        return
    say(f"The camera has the same files as before the deploy of {outcome.backup.folder.name}.")
    say(f"Done in {monotonic() - started:.1f} s, {outcome.plan.write_bytes:,} bytes written")


def _chosen(folder: Path | None, model: Path | None = None) -> Callable[[Board], Bundle]:
    """Return a function that returns the files for a board. The files come from `folder`. If `folder` is None, the
    returned function makes the files from `model`."""
    bundle = load(folder) if folder else None
    return lambda board: bundle or make(model, board)


class _Interrupted(click.ClickException):
    exit_code = 130


class Terminal:
    """An implementation of `deployment.Guide` for a terminal. Use a `Terminal` in a `with` statement."""

    def __init__(self, *, yes: bool, dry_run: bool) -> None:
        self._yes = yes
        self._dry_run = dry_run
        self._console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
            console=self._console, transient=True, disable=not self._console.is_terminal,
        )  # fmt: skip

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._progress.stop()
        if isinstance(error, KeyboardInterrupt):
            advice = "run the command again to complete it, or run `blazeposer restore` to undo a deploy"
            raise _Interrupted(f"interrupted: {advice}") from error

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
            say("There is nothing to write: the camera has all files already.")
            return not self._dry_run
        for change in plan.changes:
            say(f"  {_told(change)}")
        if plan.rom:
            say(f"  {_told_of_rom(plan.rom)}")
        say(
            f"The command first saves {plan.read_bytes:,} bytes, then writes {plan.write_bytes:,} bytes. "
            f"This takes about {plan.seconds:.0f} s."
        )
        for consent in plan.consents:
            say(f"! {consent}")
        if self._dry_run:
            return False
        if self._yes:
            return True
        if not sys.stdin.isatty():
            raise BlazePoserError(
                "nobody can answer questions here: add --yes to agree to the plan, or --dry-run to see it only"
            )
        return all(click.confirm(question) for question in (*plan.consents, "Continue?"))


def _told(change: Change) -> str:
    if change.new is None:
        return f"{change.path}  removed ({change.old:,} bytes)"
    if change.old is None:
        return f"{change.path}  new, {change.new:,} bytes"
    return f"{change.path}  {change.old:,} bytes replaced by {change.new:,}"


def _told_of_rom(rom: RomChange) -> str:
    erases = f"erases {rom.erases:,} bytes" if rom.erases else "erases nothing"
    told = f"/rom  {rom.words}: {erases}, writes {rom.writes:,} bytes, takes about {max(rom.seconds, 1):.0f} s"
    return f"{told}; if the cable is pulled out then, {rom.risk}" if rom.risk else told
