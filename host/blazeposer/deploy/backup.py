"""Backups: what a deploy replaced, in a dated folder on this PC, with a note of how far the deploy came.

A deploy that was cut leaves its backup `started`. The next deploy to that camera goes on with it, so that it always
holds what was there before the first of them, and `restore` brings that back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import platformdirs
from filelock import FileLock, Timeout

from blazeposer.core.errors import BlazePoserError
from blazeposer.deploy.camera import Contents, sha256
from blazeposer.deploy.state import ROM, State

Progress = Literal["started", "done", "restored"]
_NOTE = "backup.json"
_NEW = ".new"


def default_folder() -> Path:
    """Where backups lie unless told otherwise."""
    return platformdirs.user_data_path("blazeposer", appauthor=False) / "backups"


@dataclass(frozen=True)
class Backup:
    """A dated folder. `hashes` has sha256 of each path that was replaced, None for one where nothing was."""

    folder: Path
    camera: str
    """`State.id` of the camera."""
    progress: Progress
    hashes: Mapping[str, str | None]
    written: tuple[str, ...] = ()
    """sha256 of what the deploy put there."""
    rom: str | None = None
    """`State.sha256` of ROMFS as it was: of it the backup has only what a deploy erases, its beginning."""

    def contents(self) -> dict[str, bytes | None]:
        """What was replaced. A BlazePoserError if the folder was changed."""
        contents: dict[str, bytes | None] = {}
        for path, digest in self.hashes.items():
            contents[path] = None if digest is None else _read(self.folder / path.strip("/"))
            if digest is not None and sha256(contents[path] or b"") != digest:
                raise BlazePoserError(f"{self.folder}{path}: was changed since it was saved: use another backup")
        return contents

    def knows(self, path: str, state: State) -> bool:
        """Whether nothing would be lost if the camera's contents at this path were overwritten."""
        found = state.sha256(path)
        return path in self.hashes and (found is None or found in (self._before(path), *self.written))

    def size(self, path: str) -> int:
        """Bytes that the backup has of a path; 0 if none."""
        return (self.folder / path.strip("/")).stat().st_size if self.hashes.get(path) else 0

    def is_as_left(self, path: str, state: State) -> bool:
        """Whether the camera's contents at a path of the backup are as before the deploy, or as after it."""
        return state.sha256(path) in (self._before(path), *self.written)

    def _before(self, path: str) -> str | None:
        return self.rom if path == ROM else self.hashes[path]

    def at(self, progress: Progress, written: Iterable[str] = ()) -> Backup:
        """The same backup with a new note; it is in the folder when this returns."""
        note = replace(self, progress=progress, written=tuple(sorted({*self.written, *written})))
        _note(note)
        return note

    def with_more(self, contents: Contents, state: State) -> Backup:
        """The same backup with paths that it lacks. What it has stays, but if the camera holds something else than
        that and than what was written, that is kept beside, so that nothing is ever lost."""
        hashes = dict(self.hashes)
        for path, data in contents.items():
            if path not in hashes:
                hashes[path] = _save(self.folder, path, data)
            elif data is not None:
                _save(self.folder / f"found-{_now()}", path, data)
        rom = self.rom if ROM in self.hashes else state.sha256(ROM)
        return replace(self, hashes=hashes, rom=rom).at(self.progress)

    def with_longer_rom(self, read: bytes) -> Backup:
        """The same backup with more of ROMFS's beginning, where it has less than this."""
        saved = _read(self.folder / ROM.strip("/"))
        hashes = {**self.hashes, ROM: _save(self.folder, ROM, saved + read[len(saved) :])}
        return replace(self, hashes=hashes).at(self.progress)


def create(root: Path, state: State, contents: Contents) -> Backup:
    """Save contents. The folder appears under its name when all of it is there."""
    folder = root / state.id / _now()
    new = folder.with_name(folder.name + _NEW)
    try:
        new.mkdir(parents=True)
        hashes = {path: _save(new, path, data) for path, data in contents.items()}
        _note(Backup(new, state.id, "started", hashes, rom=state.sha256(ROM)))
        new.rename(folder)
    except OSError as error:
        raise BlazePoserError(f"{folder}: cannot write the backup ({error.strerror}): check --backups") from error
    return load(folder)


def load(folder: Path) -> Backup:
    """The backup in a folder. Raises BlazePoserError."""
    try:
        note = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        return Backup(
            folder, note["camera"], note["progress"], dict(note["hashes"]), tuple(note["written"]), note.get("rom")
        )
    except OSError as error:
        raise BlazePoserError(f"{folder}: no backup ({error.strerror}): see `blazeposer restore --list`") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BlazePoserError(f"{folder / _NOTE}: not the note of a backup: use another backup") from error


def all_of(root: Path, camera: str = "*") -> list[Backup]:
    """The backups of a camera, or of all, the latest last."""
    folders = sorted(path.parent for path in root.glob(f"{camera}/*/{_NOTE}") if not path.parent.name.endswith(_NEW))
    return [load(folder) for folder in sorted(folders, key=lambda folder: folder.name)]


def unfinished(root: Path, camera: str) -> Backup | None:
    """That of a deploy or a restore that was cut and neither completed nor undone since."""
    return next((backup for backup in reversed(all_of(root, camera)) if backup.progress == "started"), None)


@contextmanager
def lock(root: Path, port: str) -> Iterator[None]:
    """Work on the camera at a port alone. A BlazePoserError if another blazeposer does."""
    name = "".join(letter if letter.isalnum() else "-" for letter in port)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f"{name}.lock", timeout=0):
            yield
    except Timeout as error:
        raise BlazePoserError(f"another blazeposer works on the camera at {port}: wait until it is done") from error
    except PermissionError as error:
        raise BlazePoserError(f"{root}: cannot keep backups there ({error.strerror}): check --backups") from error


def _save(folder: Path, path: str, data: bytes | None) -> str | None:
    if data is None:
        return None
    target = folder / path.strip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return sha256(data)


def _note(backup: Backup) -> None:
    note: dict[str, Any] = {
        "camera": backup.camera,
        "progress": backup.progress,
        "hashes": dict(backup.hashes),
        "written": list(backup.written),
        "rom": backup.rom,
    }
    new = backup.folder / (_NOTE + _NEW)
    new.write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
    new.replace(backup.folder / _NOTE)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BlazePoserError(f"{path}: cannot be read ({error.strerror}): use another backup") from error


def _now() -> str:
    return datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
