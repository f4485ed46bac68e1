"""`blazeposer restore`: undo a deploy."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import click

from blazeposer.commands.guide import Terminal, backups_option, dry_run_option, port_option, yes_option
from blazeposer.core.text import say
from blazeposer.deploy import backup as saved
from blazeposer.deploy import run


@click.command(short_help="Bring back the files that a deploy replaced.")
@click.argument("backup", required=False, type=click.Path(path_type=Path))
@port_option
@click.option("--list", "as_list", is_flag=True, help="List the backups and stop.")
@dry_run_option
@yes_option
@backups_option
def command(
    backup: Path | None, port: str | None, as_list: bool, dry_run: bool, yes: bool, backups: Path | None
) -> None:
    """Bring back the files that a deploy replaced, byte for byte.

    BACKUP is the folder that the deploy named, by default the latest of this camera that is not undone.
    """
    started = monotonic()
    root = backups or saved.default_folder()
    if as_list:
        for entry in saved.all_of(root):
            say(f"{entry.folder}  {entry.progress}  {', '.join(entry.hashes)}")
        return
    with Terminal(yes=yes, dry_run=dry_run) as terminal, run.connected(port, root) as camera:
        outcome = run.restore(camera, backup, root, terminal)
    if outcome is None or outcome.backup is None:
        say("Nothing was written.")
        return
    say(f"The camera is as it was before the deploy of {outcome.backup.folder.name}.")
    say(f"Done in {monotonic() - started:.1f} s, {outcome.plan.write_bytes:,} bytes written")
