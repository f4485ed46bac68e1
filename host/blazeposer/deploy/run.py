"""The deploys and the restores themselves: ask, plan, save, write, prove.

First comes the note on this PC, then the camera's ROMFS, last its files: a cut at any moment leaves a state that
`status` names, a second deploy completes and `restore` undoes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Literal, Protocol

from blazeposer.core.boards import Board
from blazeposer.core.errors import BlazePoserError, PortError
from blazeposer.deploy import backup as backups
from blazeposer.deploy import plan as plans
from blazeposer.deploy import selftest
from blazeposer.deploy.backup import Backup
from blazeposer.deploy.bundle import MODEL, Bundle
from blazeposer.deploy.camera import SUFFIX, Advance, Camera, Contents, sha256
from blazeposer.deploy.plan import NAMES, Plan, Store
from blazeposer.deploy.state import ROM, State
from blazeposer.openmv import ports, romfs
from blazeposer.stream.record import Record

BundleFor = Callable[[Board], Bundle]
"""Gives the bundle for a board, once that is known."""
Comparison = Literal["same", "differs", "missing", "half-written", "damaged", "not aligned"]


class Guide(Protocol):
    """Who watches: a terminal, or a test."""

    def stage(self, words: str, total: int = 0) -> Advance:
        """A part of the work begins; to be called with the bytes that were moved since."""

    def consent(self, state: State, plan: Plan) -> bool:
        """Show the plan; whether it is to be done."""


@dataclass(frozen=True)
class Outcome:
    """How a deploy ended."""

    plan: Plan
    backup: Backup | None
    """None if nothing was replaced."""
    tested: str = ""
    """What the self-test says."""
    test_seconds: float = 0
    record: Record | None = None
    """The stream's first."""


@dataclass(frozen=True)
class Status:
    """What is on a camera."""

    state: State
    items: dict[str, Comparison]
    """Path -> what is there, beside the bundle."""
    unfinished: Backup | None
    """That of a deploy or restore that was cut."""

    @property
    def is_deployed(self) -> bool:
        """Whether it runs just this bundle."""
        return all(item == "same" for item in self.items.values())


@contextmanager
def connected(device: str | None, root: Path) -> Iterator[Camera]:
    """The camera at a port, or the only one, for nobody else until the end; then its script runs again, unless the user
    interrupted. Raises BlazePoserError."""
    port = ports.find(device)
    with backups.lock(root, port.serial or port.device):
        camera = Camera(port)
        try:
            yield camera
        except BlazePoserError:
            with suppress(PortError):
                _start_again(camera)
            raise
        _start_again(camera)


def _start_again(camera: Camera) -> None:
    if camera.is_stopped:
        camera.restart()


def deploy(camera: Camera, bundle_for: BundleFor, to: Store | None, root: Path, guide: Guide) -> Outcome | None:
    """Bring a bundle onto a camera; None if the user does not want it. Raises BlazePoserError."""
    guide.stage("asking the camera")
    state = camera.state(NAMES)
    bundle = bundle_for(state.board)
    store = plans.choose_store(bundle, state, to)
    old = backups.unfinished(root, state.id)
    before = old.contents() if old else {}
    keep_rom = ROM not in before and plans.has_model(bundle, state)
    rom_files = None if keep_rom else _rom_files(before, state)
    contents, consents = plans.contents_of(bundle, state, store, rom_files)
    plan = plans.make(contents, state, old, consents)
    plans.check_drives(plan)
    if not guide.consent(state, plan):
        return None
    saved = _save(camera, state, plan, old, root, guide)
    if saved:
        if ROM in contents and ROM not in before:
            contents, _ = plans.contents_of(bundle, state, store, _rom_files(saved.contents(), state))
        saved = _write(camera, state, contents, saved, guide).at("done")
    guide.stage("self-test on the camera")
    started = monotonic()
    tested = selftest.judge(camera.self_test(), virtual=camera.port.virtual)
    seconds = monotonic() - started
    return Outcome(plan, saved, tested, seconds, _restart(camera, guide))


def restore(camera: Camera, chosen: Path | None, root: Path, guide: Guide) -> Outcome | None:
    """Bring back what a backup holds, by default the camera's latest; None if the user does not want it."""
    guide.stage("asking the camera")
    state = camera.state(NAMES)
    old = backups.load(chosen) if chosen else _latest(root, state.id)
    if old.camera != state.id:
        raise BlazePoserError(f"{old.folder} is of another camera ({old.camera}): see `blazeposer restore --list`")
    contents = old.contents()
    plan = plans.make(contents, state, old)
    plans.check_drives(plan)
    if not guide.consent(state, plan):
        return None
    if plan.changes:
        old = _save(camera, state, plan, old.at("started"), root, guide) or old
        old = _write(camera, state, contents, old, guide)
    old = old.at("restored")
    guide.stage("restarting")
    camera.restart()
    return Outcome(plan, old)


def status(camera: Camera, bundle_for: BundleFor, root: Path) -> Status:
    """What is on a camera, beside a bundle on this PC. Raises BlazePoserError."""
    state = camera.state(NAMES)
    bundle = bundle_for(state.board)
    items: dict[str, Comparison] = {}
    for name, data in bundle.scripts.items():
        found = state.sha256(path := f"{state.start}/{name}")
        items[path] = "missing" if found is None else "same" if found == sha256(data) else "differs"
    items.update(_compare_model(bundle, state))
    items.update({path: "half-written" for path in state.files if path.endswith(SUFFIX)})
    unfinished = backups.unfinished(root, state.id)
    if (
        unfinished
        and ROM in unfinished.hashes
        and state.sha256(ROM) not in (unfinished.hashes[ROM], *unfinished.written)
    ):
        items[ROM] = "half-written"
    return Status(state, items, unfinished)


def _compare_model(bundle: Bundle, state: State) -> dict[str, Comparison]:
    """Of the model that main.py would take."""
    rom = state.rom
    if rom and rom.used and rom.files is None:
        return {ROM: "damaged"}
    if rom and rom.files and (file := rom.files.get(MODEL)):
        usable = file.offset % state.board.romfs_align == 0
        same = file.sha256 == sha256(bundle.model)
        return {f"{ROM}/{MODEL}": "same" if same and usable else "differs" if usable else "not aligned"}
    for store in ("/sdcard", "/flash"):
        if found := state.sha256(path := f"{store}/{MODEL}"):
            return {path: "same" if found == sha256(bundle.model) else "differs"}
    return {f"{ROM}/{MODEL}": "missing"}


def _rom_files(before: Contents, state: State) -> Mapping[str, bytes]:
    """The files in ROMFS to merge with: those of the backup, else zeros of the size that the camera's have."""
    if before.get(ROM) is not None:
        try:
            return {path: file.data for path, file in romfs.read(before[ROM] or b"").items()}
        except ValueError:
            return {}  # it was damaged before
    files = state.rom.files if state.rom else None
    return {path: bytes(file.bytes) for path, file in (files or {}).items()} if ROM not in before else {}


def _save(camera: Camera, state: State, plan: Plan, old: Backup | None, root: Path, guide: Guide) -> Backup | None:
    """The backup with everything that the plan replaces; None if it changes nothing and there is nothing to finish."""
    if not plan.changes or (old and not plan.saved):
        return old
    there = [path for path in plan.saved if state.sha256(path) is not None]
    advance = guide.stage("saving what is replaced", plan.read_bytes)
    read = camera.read(there, state, advance) if there else {}
    contents = {path: read.get(path) for path in plan.saved}
    return old.with_more(contents) if old else backups.create(root, state.id, contents)


def _write(camera: Camera, state: State, contents: Contents, saved: Backup, guide: Guide) -> Backup:
    """Write what differs, ask the camera again, and compare."""
    plan = plans.make(contents, state, saved)
    changes = {change.path: contents.get(change.path) for change in plan.changes}
    if not changes:
        return saved
    saved = saved.at("started", [sha256(data) for data in changes.values() if data is not None])
    camera.write(changes, state, guide.stage("writing", plan.write_bytes))
    guide.stage("reading back")
    left = plans.make(contents, camera.state(NAMES), saved).changes
    if left:
        raise BlazePoserError(
            f"{left[0].path} is not on the camera as it was sent: run the command again, or `blazeposer restore`"
        )
    return saved


def _restart(camera: Camera, guide: Guide) -> Record:
    guide.stage("waiting for the stream")
    camera.restart()
    return camera.first_record()


def _latest(root: Path, camera: str) -> Backup:
    if not (found := [backup for backup in backups.all_of(root, camera) if backup.progress != "restored"]):
        raise BlazePoserError(f"there is no backup of this camera to undo in {root}: name its folder")
    return found[-1]
