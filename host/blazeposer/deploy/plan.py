"""Plan a deploy: list all changes on the camera, and all old contents that the deploy saves before the changes. The
module checks that a plan follows the rules of the camera's firmware. tests/test_deploy_rules.py names the source file
of each rule."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from blazeposer.core.errors import BlazePoserError
from blazeposer.deploy import drives, flash
from blazeposer.deploy.backup import Backup
from blazeposer.deploy.bundle import GOLDEN, MODEL, SCRIPTS, Bundle
from blazeposer.deploy.camera import FILE_RATE, READ_RATE, SUFFIX, Contents, sha256
from blazeposer.deploy.flash import RomChange
from blazeposer.deploy.state import CARD, ROM, State
from blazeposer.tflite.check import check_model

Store = Literal["rom", "sdcard", "flash"]
STORES: tuple[Store, ...] = ("rom", "sdcard", "flash")
"""Places where the model can be, in the order in which main.py searches them."""
NAMES = (*(f"{Path(name).stem}{suffix}" for name in SCRIPTS for suffix in (".py", ".mpy")), GOLDEN, MODEL, CARD)
"""Files that a deploy may write on a drive."""
LARGE = 1_000_000
"""Number of bytes. If a deploy erases more bytes of ROMFS, the user must accept this separately (`Plan.consents`)."""
_OVERHEAD = 10.0
"""Estimated time in seconds for questions to the camera, the self-test and the restart."""


@dataclass(frozen=True)
class Change:
    """The change of a file. `old` and `new` are sizes in bytes, or None if no file exists."""

    path: str
    old: int | None
    new: int | None


@dataclass(frozen=True)
class Plan:
    changes: tuple[Change, ...]
    """Changes of files on drives."""
    saved: tuple[str, ...]
    """Paths whose contents the backup saves before the changes."""
    rom: RomChange | None = None
    consents: tuple[str, ...] = ()
    """Consequences of the plan that the user must accept."""

    @property
    def is_empty(self) -> bool:
        return not self.changes and self.rom is None

    @property
    def write_bytes(self) -> int:
        return sum(change.new or 0 for change in self.changes) + (self.rom.writes if self.rom else 0)

    @property
    def rom_bytes(self) -> int:
        """Return how many bytes the deploy reads from the beginning of ROMFS before the change of ROMFS."""
        return max(self.rom.needs, self.rom.saves if ROM in self.saved else 0) if self.rom else 0

    @property
    def read_bytes(self) -> int:
        return sum(change.old or 0 for change in self.changes if change.path in self.saved) + self.rom_bytes

    @property
    def seconds(self) -> float:
        rom = self.rom.writes if self.rom else 0
        files = (self.write_bytes - rom) / FILE_RATE + (self.read_bytes - self.rom_bytes) / READ_RATE
        return _OVERHEAD + files + (self.rom.seconds if self.rom else 0)


def make(contents: Contents, state: State, old: Backup | None, rom: RomChange | None = None) -> Plan:
    """Return a plan that writes `contents` to the drives, and makes the change `rom` in ROMFS. A plan always deletes
    the unfinished files of an interrupted deploy. Raises BlazePoserError if a drive is too full."""
    leftovers = dict.fromkeys(path for path in state.files if path.endswith(SUFFIX))
    changes = {
        path: data
        for path, data in {**contents, **leftovers}.items()
        if state.sha256(path) != (None if data is None else sha256(data))
    }
    _check_room(changes, state)
    saved = [path for path in changes if path not in leftovers and not (old and old.knows(path, state))]
    if rom and not (old and old.knows(ROM, state)):
        saved.append(ROM)
    return Plan(
        changes=tuple(
            Change(path, state.sizes.get(path), None if data is None else len(data)) for path, data in changes.items()
        ),
        saved=tuple(saved),
        rom=rom,
        consents=_consents(rom, state) if rom else (),
    )


def _consents(rom: RomChange, state: State) -> tuple[str, ...]:
    consents = []
    if rom.dropped:
        gone = ", ".join(f"{path} ({size:,} bytes)" for path, size in rom.dropped)
        if rom.bound < flash.room(state):
            consents.append(
                f"firmware {state.version} can erase at most {rom.bound:,} bytes of this camera's ROMFS at once, so "
                f"{gone} will be removed from the camera until `blazeposer restore`. To keep these files, write ROMFS "
                "with dfu-util instead (see docs/troubleshooting.md)"
            )
        else:
            consents.append(f"ROMFS has no room for {gone}: removed from the camera, saved in the backup")
    if rom.erases > LARGE:
        consents.append(f"the whole ROMFS will be rewritten: {rom.writes / 1e6:.1f} MB")
    return tuple(consents)


def choose_store(bundle: Bundle, state: State, to: Store | None) -> Store:
    """Return the place for the model. Raises BlazePoserError if the camera cannot use the bundle's model there."""
    if bundle.board not in ("", state.board.key):
        raise BlazePoserError(
            f"this bundle is for another board ({bundle.board}): make a bundle for this board with "
            f"`blazeposer package --board {state.board.key}`"
        )
    if state.start == "/sdcard" and to is None:
        raise BlazePoserError(
            "the camera has an SD card, so it starts the card's main.py and not the main.py in /flash: remove the "
            "card, or write to the card with --to sdcard (with --to rom, the card gets only the scripts)"
        )
    store = to or "rom"
    if store != "rom" and f"/{store}" not in state.drives:
        raise BlazePoserError(f"the camera has no /{store}: insert a card, or leave --to out")
    if store == "rom" and state.rom is None:
        raise BlazePoserError("this firmware has no ROMFS: update it with OpenMV IDE, or use --to sdcard")
    for earlier in STORES[: STORES.index(store)]:
        if f"/{earlier}/{MODEL}" in state.files or (
            earlier == "rom" and state.rom and MODEL in (state.rom.files or ())
        ):
            raise BlazePoserError(
                f"the camera would still use the old /{earlier}/{MODEL}: replace it with --to {earlier}"
            )
    _check_model(bundle, state, store)
    return store


def files_of(bundle: Bundle, state: State, store: Store) -> Contents:
    """Return the bundle's files by their paths on the drives. The value None means that a deploy deletes the file."""
    contents: dict[str, bytes | None] = {}
    for name, data in bundle.scripts.items():
        contents[f"{state.start}/{name}"] = data
        if name != GOLDEN:
            other = ".mpy" if name.endswith(".py") else ".py"  # MicroPython prefers .py to .mpy
            contents[f"{state.start}/{Path(name).with_suffix(other)}"] = None
    if "/sdcard" in (state.start, f"/{store}"):
        contents[f"/sdcard/{CARD}"] = state.card.encode()
    return contents if store == "rom" else {**contents, f"/{store}/{MODEL}": bundle.model}


def check_drives(plan: Plan) -> None:
    """Raise BlazePoserError if the plan writes files while a camera drive is mounted on this PC."""
    if plan.changes and (mounted := drives.mounted()):
        raise BlazePoserError(
            f"the camera's drive is mounted on this PC at {mounted[0]}, so this PC may overwrite the new files: eject "
            "the drive first"
        )


def _check_model(bundle: Bundle, state: State, store: Store) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, MODEL)
        path.write_bytes(bundle.model)
        verdict = check_model(path, state.board)
    if not verdict.loads:
        raise BlazePoserError(f"the model does not load on {state.board.name}: {verdict.reason}")
    if verdict.model.breach and not verdict.model.compiled_for:
        raise BlazePoserError(
            f"the model is not a BlazePoser network ({verdict.model.breach}): make one with `blazeposer quantize`"
        )
    if f"/{store}" not in verdict.stores:
        room = f" ({state.board.romfs:,} bytes)" if store == "rom" else ""
        raise BlazePoserError(
            f"{state.board.name} cannot load this model ({len(bundle.model):,} bytes) from /{store}{room}: "
            f"use --to {verdict.stores[0].strip('/')}"
        )


def _check_room(changes: Contents, state: State) -> None:
    """Raise BlazePoserError if the new files do not fit beside the old files, which are replaced only at the end."""
    for path, drive in state.drives.items():
        sizes = [len(data) for name, data in changes.items() if name.startswith(path + "/") and data is not None]
        needed = sum(-(-size // drive.cluster) * drive.cluster for size in sizes)
        if needed > drive.free:
            raise BlazePoserError(
                f"{path} has {drive.free:,} bytes free, but the new files need {needed:,} bytes beside the old files: "
                "delete files there, or insert an SD card and use --to sdcard"
            )
