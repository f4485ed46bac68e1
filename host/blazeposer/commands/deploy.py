"""`blazeposer deploy`: onto a camera, and proof that it runs there."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import click

from blazeposer.commands.guide import Terminal, backups_option, dry_run_option, port_option, yes_option
from blazeposer.core.boards import Board
from blazeposer.core.text import say
from blazeposer.deploy import run
from blazeposer.deploy.backup import default_folder
from blazeposer.deploy.bundle import Bundle, load, make
from blazeposer.deploy.plan import STORES, Store


@click.command(short_help="Bring the network onto a camera.")
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@port_option
@click.option(
    "--to", type=click.Choice(STORES), help="The store for the model.  [default: rom, if no card is in the camera]"
)
@click.option("--model", type=click.Path(path_type=Path), help="A tflite file, if not ours; without BUNDLE.")
@dry_run_option
@yes_option
@backups_option
def command(
    bundle: Path | None,
    port: str | None,
    to: Store | None,
    model: Path | None,
    dry_run: bool,
    yes: bool,
    backups: Path | None,
) -> None:
    """Bring BUNDLE (a folder of `blazeposer package`, by default made now) onto a camera.

    Shows its plan, saves the files that it replaces, writes, compares, runs the self-test, restarts the camera and
    waits for its stream. `blazeposer restore` undoes it.
    """
    started = monotonic()
    root = backups or default_folder()
    given = load(bundle) if bundle else None

    def bundle_for(board: Board) -> Bundle:
        return given or make(model, board)

    with Terminal(yes=yes, dry_run=dry_run) as terminal, run.connected(port, root) as camera:
        outcome = run.deploy(camera, bundle_for, to, root, terminal)
        where = camera.port.device
    if outcome is None:
        say("Nothing was written.")
        return
    say(f"Self-test passed in {outcome.test_seconds:.1f} s: {outcome.tested}")
    if outcome.record:
        say(f"{where} streams: {len(outcome.record.faces)} faces in its first frame")
    if outcome.backup:
        say(f"What was replaced is in {outcome.backup.folder}: `blazeposer restore` brings it back")
    say(f"Done in {monotonic() - started:.1f} s, {outcome.plan.write_bytes:,} bytes written")
