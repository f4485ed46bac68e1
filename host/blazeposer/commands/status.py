"""`blazeposer status`: what runs on a camera."""

from __future__ import annotations

import json
from pathlib import Path
from time import monotonic

import click

from blazeposer.commands.guide import backups_option, port_option
from blazeposer.core.boards import Board
from blazeposer.core.text import say
from blazeposer.deploy import run
from blazeposer.deploy.backup import default_folder
from blazeposer.deploy.bundle import Bundle, load, make
from blazeposer.deploy.run import Status


@click.command(short_help="Compare a camera with a bundle.")
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@port_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@backups_option
def command(bundle: Path | None, port: str | None, as_json: bool, backups: Path | None) -> None:
    """Compare what is on a camera with BUNDLE (a folder of `blazeposer package`, by default made now).

    Asking stops the camera's script, so it is restarted afterwards.
    """
    started = monotonic()
    root = backups or default_folder()
    given = load(bundle) if bundle else None

    def bundle_for(board: Board) -> Bundle:
        return given or make(board=board)

    with run.connected(port, root) as camera:
        found = run.status(camera, bundle_for, root)
    if as_json:
        say(json.dumps(_as_json(found)))
        return
    state = found.state
    say(f"{state.board.name}, firmware {state.version}, starts from {state.start}")
    for path, drive in state.drives.items():
        say(f"{path}: {drive.free:,} bytes free")
    if state.rom:
        say(f"/rom: {state.rom.used:,} of {state.rom.size:,} bytes used")
    for path, item in found.items.items():
        say(f"  {path}  {item}")
    if found.unfinished:
        say(
            f"A deploy or restore was cut ({found.unfinished.folder.name}): `blazeposer deploy` completes it, "
            "`blazeposer restore` undoes it"
        )
    for folder in found.unreadable:
        say(f"{folder} is left out: its backup.json cannot be read")
    say("It runs this bundle." if found.is_deployed else "It does not run this bundle: see `blazeposer deploy`.")
    say(f"Done in {monotonic() - started:.1f} s")


def _as_json(found: Status) -> dict[str, object]:
    state = found.state
    return {
        "board": state.board.key,
        "firmware": state.version,
        "id": state.id,
        "start": state.start,
        "items": found.items,
        "deployed": found.is_deployed,
        "unfinished": str(found.unfinished.folder) if found.unfinished else None,
    }
