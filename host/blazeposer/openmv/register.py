"""Keep a list of the virtual cameras that run on this PC. Each entry is a file in the user's own runtime folder, so
that another user of the PC cannot add a virtual camera."""

import json
import os
import stat
import warnings
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import platformdirs

from blazeposer.core.errors import BlazePoserError

RUNTIME = "BLAZEPOSER_RUNTIME"
"""Environment variable with the path of a folder that is used instead of the user's runtime folder."""
CAMERAS = "cameras"


class Entry(NamedTuple):
    port: str
    board: str


def folder() -> Path:
    """Return the folder of the entries, and create it if needed. Raises BlazePoserError if the folder cannot be
    created, or if other users can use the folder."""
    found = _folder()
    try:
        found.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot(error) from error
    if not _is_own(found):
        raise BlazePoserError(
            f"{found}: other users can access this folder: remove it, or name another folder in {RUNTIME}"
        )
    return found


def add(serial: str, port: str, board: str = "") -> None:
    """Add a virtual camera to the list, or update its entry. Raises BlazePoserError if the entry cannot be written."""
    entry = folder() / f"{serial}.new"
    try:
        entry.write_text(json.dumps({"port": port, "process": os.getpid(), "board": board}))
        entry.replace(entry.with_suffix(".json"))
    except OSError as error:
        raise _cannot(error) from error


def _cannot(error: OSError) -> BlazePoserError:
    return BlazePoserError(
        f"{_folder()}: cannot write to this folder ({error.strerror}): name another folder in {RUNTIME}"
    )


def remove(serial: str) -> None:
    with suppress(OSError):  # the entry or its folder is gone already
        (_folder() / f"{serial}.json").unlink()


def running() -> dict[str, Entry]:
    folder = _folder()
    found = {path.stem: _read(path) for path in sorted(folder.glob("*.json"))} if _is_own(folder) else {}
    return {serial: entry for serial, entry in found.items() if entry}


def _read(path: Path) -> Entry | None:
    """Return an entry, or None if the virtual camera's process has ended or the file contains no entry."""
    try:
        values = json.loads(path.read_text())
        entry = Entry(values["port"], values["board"])
        if all(isinstance(value, str) for value in entry) and values["process"] > 0:
            os.kill(values["process"], 0)
            return entry
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        pass  # the file was just removed, its process ended, or it holds no entry
    return None


def _is_own(folder: Path) -> bool:
    """Return True if the folder exists and no other user of the PC can use it."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    if os.name == "nt":  # Windows keeps each user's folders separate
        return stat.S_ISDIR(found.st_mode)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _folder() -> Path:
    if named := os.environ.get(RUNTIME):
        return Path(named) / CAMERAS
    with warnings.catch_warnings():  # platformdirs warns if it uses /tmp/runtime-UID instead, which `_is_own` checks
        warnings.simplefilter("ignore")
        return platformdirs.user_runtime_path("blazeposer", appauthor=False) / CAMERAS
