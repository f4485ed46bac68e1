"""Change ROMFS, the camera's file system for models, and erase as little flash as possible. If a change of ROMFS is
interrupted, the camera can still start in nearly all cases.

Flash is erased in blocks. Erasing takes a long time, and firmware 5.0 can erase ROMFS only from the start of ROMFS. An
erase sets all bits of a block to 1, and writing can only change bits from 1 to 0.

If possible, a deploy *appends* the new model after the present ROMFS image, where flash is still erased. Appending a
model also rewrites the first block of ROMFS, because the header in the first block holds the length of the image. To
remove an old model, the deploy changes one bit of the old model's record (its header, name and contents in ROMFS), so
that the firmware skips the record. If a model cannot be appended, a deploy *rewrites* the whole ROMFS image, and writes
the header of the image last.
"""

from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from blazeposer.core.boards import Board
from blazeposer.core.errors import BlazePoserError
from blazeposer.deploy.camera import READ_RATE, ROM_RATE, sha256
from blazeposer.deploy.state import Rom, State, contents_sha256
from blazeposer.openmv import flash, romfs

ROM_MODEL = "/rom.tflite"
"""Path in a backup where the old model from ROMFS is saved, if the model's record cannot be restored."""
CHUNK = 4096
_WORD = 4  # smallest number of bytes that can be programmed at once
_FIRST = 32  # length of the part with the header, which is written last


@dataclass(frozen=True)
class Erase:
    """A step that erases the ROMFS partition from its start to `end`, in whole blocks."""

    end: int


@dataclass(frozen=True)
class Write:
    """A step that changes bits of flash only from 1 to 0, and therefore needs no erase before it."""

    start: int
    data: bytes


Operations = list[Erase | Write]


@dataclass(frozen=True)
class RomChange:
    """The change that a deploy or a restore makes in ROMFS. Sizes are in bytes."""

    board: Board
    words: str
    """Description of the change for the user."""
    risk: str
    """Description for the user: the loss if the cable is unplugged during the change, and the way to recover."""
    after: str | None
    """Value of `Rom.sha256` after the change, or None if the hash is not known in advance."""
    operations: Callable[[bytes], Operations]
    """Function that gets the beginning of the ROMFS partition, and returns the steps of the change."""
    erases: int
    writes: int
    saves: int
    """Number of bytes at the partition's beginning that the backup saves before they are erased."""
    needs: int = 0
    """Number of bytes that `operations` needs as its argument."""
    dropped: tuple[tuple[str, int], ...] = ()
    """Files that do not fit, with their sizes."""
    bound: int = 0
    """Size of the largest ROMFS image that the change can write. The value is used only if some files do not fit."""
    model: str = ""
    """Path of a model whose record cannot be restored, or "". The backup saves this model as a file."""

    @property
    def seconds(self) -> float:
        reading = max(self.needs, self.saves) / READ_RATE
        return seconds_to_erase(self.board, self.erases) + self.writes / ROM_RATE + reading


def deploying(state: State, name: str, data: bytes, image: Mapping[str, bytes]) -> RomChange:
    """Return the change that adds a file to ROMFS and keeps as many present files as fit. If ROMFS has no valid
    image, the change keeps files from `image` instead. Raises BlazePoserError if the new file alone does not fit."""
    assert state.rom
    return _appended(state, state.rom, name, data) or _rewritten(state, state.rom, name, data, image)


def restoring(
    state: State, saved: bytes | None, before: str | None, written: Iterable[str], name: str, model: bytes | None
) -> RomChange | None:
    """Return the change that restores ROMFS from a backup, or None if ROMFS needs no change.

    - `saved` is the beginning of ROMFS from the backup, or None if ROMFS was empty at the time of the backup.
    - `before` is the hash of ROMFS (`Rom.sha256`) at the time of the backup.
    - `written` contains the hash of ROMFS after each deploy since the backup.
    - `model` is the old content of the file `name`, or None if the backup contains no separate copy of the file.

    Raises BlazePoserError if another program has changed ROMFS since the backup.
    """
    rom = state.rom
    assert rom
    if (rom.sha256 or None) == before:
        return None
    if saved is None:
        return _put_back(state, b"", "", "erases ROMFS, because it was empty before", rom.used)
    if romfs.stated_length(saved) <= len(saved):  # `saved` has no image, or a complete image
        return _put_back(state, saved, before, "restores the old ROMFS", rom.used)
    others = {path: (file.bytes, file.sha256) for path, file in (rom.files or {}).items()}
    lacks_model = model is not None and contents_sha256({**others, name: (len(model), sha256(model))}) == before
    if rom.sha256 and rom.sha256 not in written and not lacks_model:
        raise BlazePoserError(
            "another program changed ROMFS after this deploy, and the backup has only the beginning of ROMFS: first "
            "undo the later deploys, or reset ROMFS with OpenMV IDE"
        )
    if model is None or not rom.sha256:
        return _put_back(state, saved, None if model else before, "restores the beginning of ROMFS")
    if not (change := _appended(state, rom, name, model)):
        raise BlazePoserError(
            f"ROMFS has no room for {name}: reset ROMFS with OpenMV IDE, then run `blazeposer deploy`"
        )
    return change


def is_cut(state: State, saved: bytes | None) -> bool:
    """Return True if ROMFS has lost only its first block, and `saved` contains the lost block."""
    return bool(saved and state.rom and not state.rom.sha256 and romfs.stated_length(saved) > len(saved))


def seconds_to_erase(board: Board, size: int) -> float:
    kind = flash.of(board)
    return -(-size // kind.block) * kind.erase_ms / 1000


def room(state: State) -> int:
    """Return the largest possible size of a ROMFS image in bytes."""
    assert state.rom
    return state.rom.size - (flash.TAIL if flash.of(state.board).keeps_tail else 0)


def steps(operations: Operations) -> list[str]:
    """Return lines of Python that carry out `operations` on the camera with the functions of `scripts/flash.py`."""
    calls = []
    for operation in operations:
        if isinstance(operation, Erase):
            calls.append(f"erase({operation.end})")
            continue
        place, data = operation.start, operation.data
        while data:
            part, data = data[: CHUNK - place % CHUNK], data[CHUNK - place % CHUNK :]
            before = place % _WORD
            words = b"\xff" * before + part
            words += b"\xff" * (-len(words) % _FIRST if before == 0 and place % _FIRST == 0 else -len(words) % _WORD)
            text = b2a_base64(words, newline=False).decode()
            calls.append(f"write({place - before}, {text!r}, {before}, {before + len(part)})")
            place += len(part)
    return calls


def _appended(state: State, rom: Rom, name: str, data: bytes) -> RomChange | None:
    """Return the change that appends a file to the ROMFS image. Return None if there is no image, or if too little
    flash is erased."""
    block = flash.of(state.board).block
    if rom.files is None or block >= rom.size:  # the H7's partition is one block
        return None
    record = romfs.record(name, data, rom.blank, state.board.romfs_align)
    end = rom.blank + len(record)
    # mpremote packs ROMFS images with the shortest header, which may have no room for a larger length.
    has_digits = (end - rom.header) >> 7 * (rom.header - 3) == 0
    if len(record) > rom.room or end > room(state) or not has_digits:
        return None
    old = rom.files.get(name)
    replaced = [old.record] if old else []
    after = {path: (file.bytes, file.sha256) for path, file in rom.files.items()}
    after[name] = (len(data), sha256(data))

    def operations(read: bytes) -> Operations:
        first = bytearray(romfs.with_length(read[:block], end))
        part = record[: max(0, block - rom.blank)]
        first[rom.blank : rom.blank + len(part)] = part
        for place in [*rom.behind, *replaced]:
            if place < block:
                first[place : place + 1] = romfs.PADDING
        return [
            Write(rom.blank, record),
            *(Write(place, romfs.PADDING) for place in rom.behind),
            Erase(block),
            *_header_last(bytes(first)),
            *(Write(place, romfs.PADDING) for place in replaced if place >= block),
        ]

    return RomChange(
        state.board,
        words=f"adds {name} to ROMFS",
        risk="/rom may be empty until the command runs again",
        after=contents_sha256(after),
        operations=operations,
        erases=block,
        writes=len(record) + block,
        saves=block,
        needs=block,
        model=f"/rom/{name}" if old else "",
    )


def _rewritten(state: State, rom: Rom, name: str, data: bytes, image: Mapping[str, bytes]) -> RomChange:
    """Return the change that writes a new ROMFS image with the file `name` and as many old files as fit."""
    kind = flash.of(state.board)
    others = {path: (len(old), sha256(old)) for path, old in image.items()}
    if rom.files is not None:
        others = {path: (file.bytes, file.sha256) for path, file in rom.files.items()}
    # Some boards limit the bytes that one call erases. Only firmware with `ranges` can erase in several calls.
    bound = room(state) if rom.ranges or kind.longest_erase is None else min(room(state), kind.longest_erase)
    layout, dropped = romfs.merge(  # only the sizes of the other files matter here
        {path: bytes(size) for path, (size, _) in others.items()}, {name: data}, state.board, bound
    )
    kept = [path for path in others if path not in dropped and path != name]
    end = -(-len(layout) // kind.block) * kind.block
    is_blank = rom.blank == 0 and rom.room >= len(layout)
    erases = 0 if is_blank else end
    needs = rom.used if kept and rom.files is not None else 0
    saves = min(end, room(state))
    if rom.blank + rom.room >= saves:  # flash that is already erased need not be saved
        saves = min(rom.blank, saves)

    def operations(read: bytes) -> Operations:
        old = {path: file.data for path, file in romfs.read(read).items()} if needs else image
        packed = romfs.pack({**{path: old[path] for path in kept}, name: data}, state.board.romfs_align)
        return [*([Erase(end)] if erases else []), *_header_last(packed)]

    return RomChange(
        state.board,
        words=f"rewrites ROMFS with {len(kept) + 1} files" if kept else f"writes only {name} into ROMFS",
        risk="/rom is empty until the command runs again" if erases else "",
        after=contents_sha256({path: others[path] for path in kept} | {name: (len(data), sha256(data))}),
        operations=operations,
        erases=erases,
        writes=len(layout),
        saves=saves,
        needs=needs,
        dropped=tuple((path, others[path][0]) for path in dropped),
        bound=bound,
    )


def _put_back(state: State, saved: bytes, before: str | None, words: str, used: int = 0) -> RomChange:
    """Return the change that writes the saved beginning of ROMFS again. `used` is the length of the present image."""
    block = flash.of(state.board).block
    end = -(-max(len(saved), used, 1) // block) * block
    return RomChange(
        state.board,
        words=words,
        risk="/rom is empty until the command runs again" if saved else "",
        after=before,
        operations=lambda _: [Erase(end), *_header_last(saved)],
        erases=end,
        writes=len(saved),
        saves=min(end, room(state)),
    )


def _header_last(data: bytes) -> list[Write]:
    """Return the steps that write a ROMFS image. The image's header is written last: after an interruption, the camera
    finds no image instead of a damaged image."""
    return [Write(_FIRST, data[_FIRST:]), Write(0, data[:_FIRST])]
