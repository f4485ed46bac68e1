"""Save a camera's old contents before a deploy replaces the contents. A backup is a numbered folder on this PC, and
contains a note about the deploy's progress.

After an interrupted deploy, the progress in the note is `started`. The next deploy to the same camera uses the same
backup again. Even after several interrupted deploys, the backup holds the contents from before the first of these
deploys. Only the user who made a backup can read it, because a script on the camera may contain a password.
"""

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

import platformdirs
from filelock import FileLock, Timeout

from blazeposer.core.errors import BlazePoserError
from blazeposer.core.files import read_file
from blazeposer.deploy.camera import Contents, sha256
from blazeposer.deploy.state import DRIVES, ROM, SHA256, State

Progress = Literal["started", "done", "restored", "unreadable"]
_NOTE = "backup.json"
_NEW = ".new"
_NUMBER = re.compile(r"(\d{4,})(_.*)?")  # folders are ordered by number, because a clock may be wrong
_PATH = re.compile(rf"{ROM}(\.tflite)?|({'|'.join(DRIVES)})/[A-Za-z0-9_][A-Za-z0-9_.-]*")


def default_folder() -> Path:
    return platformdirs.user_data_path("blazeposer", appauthor=False) / "backups"


@dataclass(frozen=True)
class Backup:
    """`hashes` maps each replaced path on the camera to the sha256 of the old file, or to None if no file existed."""

    folder: Path
    camera: str
    """Serial number (`State.id`)."""
    progress: Progress
    """Progress of the deploy, or "unreadable" if the note (backup.json) is damaged."""
    hashes: Mapping[str, str | None]
    written: tuple[str, ...] = ()
    """Hashes (sha256) of the files that the deploy wrote, and the hash of ROMFS after the deploy."""
    rom: str | None = None
    """Hash of ROMFS before the deploy (`State.sha256`). The backup holds only the part of ROMFS that the deploy
    erases."""
    card: str = ""
    """Number of the SD card (`State.card`), or "" if the backup has no files of a card."""

    def contents(self) -> dict[str, bytes | None]:
        """Return the saved contents. Raises BlazePoserError if a file of the backup was changed."""
        contents: dict[str, bytes | None] = {}
        for path, digest in self.hashes.items():
            contents[path] = None if digest is None else _read(self.folder / path.strip("/"))
            if digest is not None and sha256(contents[path] or b"") != digest:
                raise BlazePoserError(f"{self.folder}{path}: somebody changed this backup: use another backup")
        return contents

    def knows(self, path: str, state: State) -> bool:
        """Return True if the camera's file at `path` can be overwritten without losing data."""
        found = state.sha256(path)
        return path in self.hashes and (found is None or found in (self._before(path), *self.written))

    def is_as_left(self, path: str, state: State) -> bool:
        """Return True if the camera's file at `path` is still the old file, or was written by the deploy."""
        return state.sha256(path) in (self._before(path), *self.written)

    def _before(self, path: str) -> str | None:
        return self.rom if path == ROM else self.hashes[path]

    def at(self, progress: Progress, written: Iterable[str] = ()) -> "Backup":
        """Change the progress in the backup's note."""
        note = replace(self, progress=progress, written=tuple(sorted({*self.written, *written})))
        with _writing(self.folder):
            _note(note)
        return note

    def with_more(self, contents: Contents, state: State) -> "Backup":
        """Save more contents. If the backup already has contents for a path, these contents do not change, and the new
        contents are saved in a separate folder inside the backup."""
        hashes = dict(self.hashes)
        with _writing(self.folder):
            found = self.folder / f"found-{_next(self.folder, 'found-'):04}"
            for path, data in contents.items():
                if path not in hashes:
                    hashes[path] = _save(self.folder, path, data)
                elif data is not None:
                    _save(found, path, data)
        rom = self.rom if ROM in self.hashes else state.sha256(ROM)
        return replace(self, hashes=hashes, rom=rom, card=self.card or _card(hashes, state)).at(self.progress)

    def with_longer_rom(self, read: bytes) -> "Backup":
        """Extend the saved beginning of ROMFS. `read` is a longer beginning. The bytes that are already saved do
        not change."""
        saved = _read(self.folder / ROM.strip("/"))
        with _writing(self.folder):
            hashes = {**self.hashes, ROM: _save(self.folder, ROM, saved + read[len(saved) :])}
        return replace(self, hashes=hashes).at(self.progress)


def create(root: Path, state: State, contents: Contents) -> Backup:
    """Save contents in a new backup folder. The folder gets its final name only after all contents were saved."""
    camera = root / state.id
    with _writing(camera):
        _make(camera)
        folder = camera / f"{_next(camera):04}_{datetime.now(UTC):%Y-%m-%d_%H-%M-%SZ}"
        new = folder.with_name(folder.name + _NEW)
        try:
            _make(new)
            hashes = {path: _save(new, path, data) for path, data in contents.items()}
            backup = Backup(new, state.id, "started", hashes, rom=state.sha256(ROM), card=_card(hashes, state))
            _note(backup)
            new.rename(folder)
        except OSError:
            shutil.rmtree(new, ignore_errors=True)
            raise
    return replace(backup, folder=folder)


def load(folder: Path) -> Backup:
    try:
        note = json.loads(read_file(folder / _NOTE))
        hashes, written, rom = dict(note["hashes"]), tuple(note["written"]), note.get("rom")
        backup = Backup(folder, note["camera"], note["progress"], hashes, written, rom, note.get("card", ""))
        if backup.progress not in get_args(Progress) or not all(map(_PATH.fullmatch, hashes)):
            raise ValueError
        if not all(SHA256.fullmatch(digest) for digest in (*hashes.values(), *written, rom) if digest is not None):
            raise ValueError
        return backup
    except OSError as error:
        raise BlazePoserError(
            f"{folder}: not a backup ({error.strerror}): list the backups with `blazeposer restore --list`"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BlazePoserError(f"{folder / _NOTE}: damaged, or not from blazeposer: use another backup") from error


def all_of(root: Path, camera: str = "") -> list[Backup]:
    """Return the backups of a camera from the oldest to the latest. Without `camera`, return the backups of all
    cameras, one camera after the other."""
    try:
        cameras = [root / camera] if camera else sorted(root.iterdir()) if root.is_dir() else []
        folders = [folder for place in cameras if place.is_dir() for folder in sorted(place.iterdir(), key=_order)]
        return [_known(folder) for folder in folders if folder.suffix != _NEW and (folder / _NOTE).exists()]
    except OSError as error:
        raise BlazePoserError(f"{root}: cannot be read ({error.strerror}): check --backups") from error


def unfinished(root: Path, state: State) -> Backup | None:
    """Return the latest backup with the progress `started` for this camera and SD card, or None."""
    found = [each for each in all_of(root, state.id) if each.progress == "started" and each.card in ("", state.card)]
    return next((each for each in reversed(found) if each.camera == state.id), None)


@contextmanager
def lock(root: Path, port: str) -> Iterator[None]:
    """Lock the camera at a port. Raises BlazePoserError if another blazeposer process uses the camera."""
    name = "".join(letter if letter.isalnum() else "-" for letter in port)
    with _writing(root):
        _make(root)
        try:
            held = FileLock(root / f"{name}.lock").acquire(timeout=0)
        except Timeout as error:
            raise BlazePoserError(
                f"another blazeposer command uses the camera at {port}: wait until it has finished"
            ) from error
    with held:
        yield


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BlazePoserError(
            f"{folder}: cannot write backups to this folder ({error.strerror}): free some space, or check --backups"
        ) from error


def _known(folder: Path) -> Backup:
    try:
        return load(folder)
    except BlazePoserError:
        return Backup(folder, folder.parent.name, "unreadable", {})


def _order(folder: Path) -> tuple[int, str]:
    number = _NUMBER.fullmatch(folder.name)
    return int(number[1]) if number else 0, folder.name


def _next(place: Path, prefix: str = "") -> int:
    return 1 + max((_order(Path(path.name.removeprefix(prefix)))[0] for path in place.iterdir()), default=0)


def _card(hashes: Mapping[str, str | None], state: State) -> str:
    return state.card if any(path.startswith("/sdcard/") for path in hashes) else ""


def _make(folder: Path) -> None:
    """Make a folder and its missing parent folders. Only the current user can read them."""
    if not folder.parent.exists():
        _make(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def _write(path: Path, data: bytes) -> None:
    """Write a file that only the current user can read. When the function returns, all data of the file is on the
    disk."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _save(folder: Path, path: str, data: bytes | None) -> str | None:
    if data is None:
        return None
    target = folder / path.strip("/")
    _make(target.parent)
    _write(target, data)
    return sha256(data)


def _note(backup: Backup) -> None:
    note = {name: value for name, value in vars(backup).items() if name != "folder"}
    new = backup.folder / (_NOTE + _NEW)
    _write(new, (json.dumps(note, indent=2) + "\n").encode())
    new.replace(backup.folder / _NOTE)


def _read(path: Path) -> bytes:
    try:
        return read_file(path)
    except OSError as error:
        raise BlazePoserError(f"{path}: cannot be read ({error.strerror}): use another backup") from error
