"""Deploy a bundle (the new files and the new model) to a camera, or restore a backup (the old contents).

A deploy saves the old contents in a backup, writes a note into the backup, changes the camera's ROMFS, and then changes
the files. A deploy may be interrupted at any moment. After an interruption, a second deploy can complete the first
deploy, or `restore` can undo the first deploy.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Literal, Protocol

from blazeposer.core.boards import Board
from blazeposer.core.errors import BlazePoserError, PortError
from blazeposer.deploy import backup as backups
from blazeposer.deploy import flash, selftest
from blazeposer.deploy import plan as plans
from blazeposer.deploy.backup import Backup
from blazeposer.deploy.bundle import MODEL, Bundle
from blazeposer.deploy.camera import SUFFIX, Advance, Camera, Contents, sha256
from blazeposer.deploy.flash import ROM_MODEL, RomChange
from blazeposer.deploy.plan import NAMES, Plan, Store
from blazeposer.deploy.state import CARD, ROM, State
from blazeposer.openmv import ports, romfs
from blazeposer.stream.record import Record

BundleFor = Callable[[Board], Bundle]
Comparison = Literal["same", "differs", "missing", "half-written", "damaged", "not aligned"]


class Guide(Protocol):
    """The functions that a deploy calls to show messages to the user and to ask for consent."""

    def stage(self, words: str, total: int = 0) -> Advance:
        """Show the next step. Return a function that is called with the number of newly read or written bytes."""

    def note(self, words: str) -> None:
        """Show a message."""

    def consent(self, state: State, plan: Plan) -> bool:
        """Show the plan, and return whether the user accepts the plan."""


@dataclass(frozen=True)
class Outcome:
    plan: Plan
    backup: Backup | None
    """Backup of the replaced contents, or None if nothing was replaced."""
    tested: str = ""
    test_seconds: float = 0
    record: Record | None = None
    """First record after the deploy."""


@dataclass(frozen=True)
class CameraStatus:
    state: State
    items: dict[str, Comparison]
    """Result of the comparison with the bundle, by path."""
    unfinished: Backup | None
    """Backup of an interrupted deploy or restore."""
    unreadable: tuple[Path, ...] = ()
    """Folders of unreadable backups of this camera."""

    @property
    def is_deployed(self) -> bool:
        return all(item == "same" for item in self.items.values())


@contextmanager
def connected(device: str | None, root: Path) -> Iterator[Camera]:
    """Lock a camera, and yield it. At the end of the `with` block, the camera's script starts again, unless the user
    has interrupted the program. Raises BlazePoserError."""
    port = ports.find(device)
    with backups.lock(root, port.serial or port.device):
        camera = Camera(port)
        try:
            yield camera
        except BlazePoserError:
            with suppress(PortError):
                camera.restart()
            raise
        camera.restart()


def deploy(camera: Camera, bundle_for: BundleFor, to: Store | None, root: Path, guide: Guide) -> Outcome | None:
    """Plan all changes, ask the user for consent to the plan, and write a bundle to a camera. Return None if the user
    declines the plan."""
    state = _state(camera, root, guide)
    bundle = bundle_for(state.board)
    store = plans.choose_store(bundle, state, to)
    old = backups.unfinished(root, state)
    before = old.contents() if old else {}
    if old and flash.is_cut(state, before.get(ROM)):
        # A deploy was interrupted while it rewrote the first block. Writing this block again completes the ROMFS image.
        plan = plans.make({}, state, old, _rom_back(old, before, state))
        if not guide.consent(state, plan):
            return None
        _carry_out(camera, state, {}, plan, old, root, guide)
        state = camera.state(NAMES)
    change = None
    if store == "rom" and _compare_model(bundle, state).get(f"{ROM}/{MODEL}") != "same":
        change = flash.deploying(state, MODEL, bundle.model, _image(before.get(ROM)))
    contents = plans.files_of(bundle, state, store)
    plan = plans.make(contents, state, old, change)
    plans.check_drives(plan)
    if not guide.consent(state, plan):
        return None
    if saved := _carry_out(camera, state, contents, plan, old, root, guide):
        saved = saved.at("done")
    guide.stage("testing the network on the camera")
    started = monotonic()
    tested = selftest.judge(camera.self_test(), virtual=camera.port.virtual)
    seconds = monotonic() - started
    guide.stage("waiting for the stream")
    camera.restart()
    return Outcome(plan, saved, tested, seconds, camera.first_record())


def restore(camera: Camera, chosen: Path | None, root: Path, guide: Guide) -> Outcome | None:
    """Plan all changes, ask the user for consent to the plan, and write the contents of a backup back to the
    camera. Without `chosen`, use the latest backup. Return None if the user declines the plan."""
    state = _state(camera, root, guide)
    old = backups.load(chosen) if chosen else _latest(root, state.id)
    if old.card not in ("", state.card):
        raise BlazePoserError(f"{old.folder} has files of an SD card that is not in the camera: insert this card")
    if old.camera != state.id:
        raise BlazePoserError(
            f"{old.folder} is a backup of another camera ({old.camera}): choose a backup of this camera from "
            "`blazeposer restore --list`"
        )
    contents = old.contents()
    files = {path: data for path, data in contents.items() if path not in (ROM, ROM_MODEL)}
    plan = plans.make(files, state, old, _rom_back(old, contents, state))
    plans.check_drives(plan)
    if not guide.consent(state, plan):
        return None
    if not plan.is_empty:
        old = _carry_out(camera, state, files, plan, old.at("started"), root, guide) or old
    if plan.rom and plan.rom.after is None:  # the ROMFS image is complete again; now restore the model
        state = camera.state(NAMES)
        if change := _rom_back(old, contents, state):
            old = _carry_out(camera, state, files, plans.make(files, state, old, change), old, root, guide) or old
    old = old.at("restored")
    guide.stage("restarting")
    camera.restart()
    return Outcome(plan, old)


def status(camera: Camera, bundle_for: BundleFor, root: Path) -> CameraStatus:
    state = camera.state(NAMES)
    bundle = bundle_for(state.board)
    items: dict[str, Comparison] = {}
    for name, data in bundle.scripts.items():
        found = state.sha256(path := f"{state.start}/{name}")
        items[path] = "missing" if found is None else "same" if found == sha256(data) else "differs"
    items.update(_compare_model(bundle, state))
    items.update({path: "half-written" for path in state.files if path.endswith(SUFFIX)})
    unfinished = backups.unfinished(root, state)
    if unfinished and ROM in unfinished.hashes and not unfinished.is_as_left(ROM, state):
        items[ROM] = "half-written"
    return CameraStatus(state, items, unfinished, _unreadable(root, state))


def _compare_model(bundle: Bundle, state: State) -> dict[str, Comparison]:
    """Compare the bundle's model with the model that the camera's main.py uses."""
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


def _image(saved: bytes | None) -> Mapping[str, bytes]:
    """Return the files of the saved ROMFS image. Return an empty mapping if the image is damaged or incomplete."""
    try:
        if saved and romfs.stated_length(saved) <= len(saved):
            return {path: file.data for path, file in romfs.read(saved).items()}
    except ValueError:
        pass
    return {}


def _rom_back(old: Backup, contents: Contents, state: State) -> RomChange | None:
    """Return the change that restores ROMFS from a backup, or None if ROMFS needs no change."""
    if ROM not in contents or state.rom is None:
        return None
    return flash.restoring(state, contents[ROM], old.rom, old.written, MODEL, contents.get(ROM_MODEL))


def _carry_out(
    camera: Camera, state: State, contents: Contents, plan: Plan, old: Backup | None, root: Path, guide: Guide
) -> Backup | None:
    """Save the contents that the plan replaces, and write the new contents. Return the backup, or `old` for an empty
    plan."""
    if plan.is_empty:
        return old
    saved, beginning = _save(camera, state, plan, old, root, guide)
    return _write(camera, state, contents, plan, beginning, saved, guide)


def _save(
    camera: Camera, state: State, plan: Plan, old: Backup | None, root: Path, guide: Guide
) -> tuple[Backup, bytes]:
    """Save the contents that the plan replaces. Return the backup, and the bytes that were read from the beginning of
    ROMFS."""
    lengths = {path: state.sizes[path] for path in plan.saved if path in state.files}
    saved = old.contents().get(ROM) if old and plan.rom else None
    # If the backup has only the first block of the ROMFS image, but the plan replaces more, also save the rest.
    is_short = saved and plan.rom and len(saved) < min(romfs.stated_length(saved), plan.rom.saves)
    if rom_bytes := plan.rom.saves if plan.rom and is_short else plan.rom_bytes:
        lengths[ROM] = rom_bytes
    model = plan.rom.model if plan.rom and ROM in plan.saved and not (old and ROM in old.hashes) else ""
    if model and state.rom and state.rom.files:
        lengths[model] = state.rom.files[MODEL].bytes
    read = camera.read(lengths, guide.stage("saving the old files", plan.read_bytes)) if lengths else {}
    for path in lengths.keys() - {ROM, model}:
        if sha256(read[path]) != state.sha256(path):
            raise PortError(f"{path} was changed during the deploy: run the command again")
    beginning = read.get(ROM, b"")
    contents = {path: read.get(path) for path in plan.saved if path != ROM}
    if plan.rom and ROM in plan.saved:
        contents[ROM] = beginning[: plan.rom.saves] or None
    if model:
        contents[ROM_MODEL] = read[model]
    if old and is_short:
        old = old.with_longer_rom(beginning)
    if not old:
        return backups.create(root, state, contents), beginning
    return (old.with_more(contents, state) if contents else old), beginning


def _write(
    camera: Camera, state: State, contents: Contents, plan: Plan, read: bytes, saved: Backup, guide: Guide
) -> Backup:
    """Write the new contents, and check that the camera's new state agrees with the plan."""
    files = {change.path: contents.get(change.path) for change in plan.changes}
    rom = plan.rom
    hashes = [sha256(data) for data in files.values() if data is not None]
    saved = saved.at("started", [*hashes, *([rom.after] if rom and rom.after else [])])
    calls = flash.steps(rom.operations(read)) if rom else []
    is_silent = rom and rom.erases > plans.LARGE and state.rom and not state.rom.ranges
    advance = guide.stage("erasing (without progress), then writing" if is_silent else "writing", plan.write_bytes)
    # Write a card's number first and delete it last: it must identify the card after an interruption.
    mark = {path: files.pop(path) for path in [f"/sdcard/{CARD}"] if path in files}
    if any(mark.values()):
        camera.write(mark, [], state, 0, advance)
    if files or calls:
        camera.write(files, calls, state, rom.seconds if rom else 0, advance)
    if mark and not any(mark.values()):
        camera.write(mark, [], state, 0, advance)
    guide.stage("comparing")
    after = camera.state(NAMES)
    left = [change.path for change in plans.make(contents, after, saved).changes]
    if rom and rom.after is not None and (after.sha256(ROM) or "") != rom.after:
        left.append(ROM)
    if left:
        raise BlazePoserError(
            f"{left[0]} on the camera differs from the sent file: run the command again, or run `blazeposer restore`"
        )
    return saved


def _latest(root: Path, camera: str) -> Backup:
    found = [backup for backup in backups.all_of(root, camera) if backup.progress in ("started", "done")]
    if not found:
        raise BlazePoserError(f"{root} has no backup of this camera that can be restored: give the folder of a backup")
    return found[-1]


def _unreadable(root: Path, state: State) -> tuple[Path, ...]:
    return tuple(backup.folder for backup in backups.all_of(root, state.id) if backup.progress == "unreadable")


def _state(camera: Camera, root: Path, guide: Guide) -> State:
    """Ask the camera for its state, and tell the user which backups cannot be read."""
    guide.stage("reading the camera's state")
    state = camera.state(NAMES)
    for folder in _unreadable(root, state):
        guide.note(f"the backup {folder} is not used, because its backup.json cannot be read")
    return state
