"""Every moment of a change to ROMFS at which the power may go: what is left, and that all of it comes back."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from blazeposer.core.boards import find
from blazeposer.core.errors import BlazePoserError
from blazeposer.deploy.bundle import MODEL
from blazeposer.deploy.camera import script
from blazeposer.deploy.flash import Erase, Operations, RomChange, deploying, is_cut, restoring
from blazeposer.deploy.state import State, read_state
from blazeposer.openmv import flash, romfs
from deploying import STOCK

FIRST, SECOND = bytes(range(256)) * 20, bytes(reversed(range(256))) * 24
PART = 1000  # bytes of a chunk that a cut leaves written
STRANGE = b"not an image, but somebody's" * 400


@dataclass
class Chip:
    """The flash of a board, as its firmware erases and programs it."""

    board: str
    cells: bytearray
    version: str = "5.0.0"

    def state(self, monkeypatch: pytest.MonkeyPatch) -> State:
        """Return the report of `scripts/state.py`, run here."""
        modules: dict[str, Any] = {
            "omv": SimpleNamespace(arch=lambda: find(self.board).omv_arch),
            "vfs": SimpleNamespace(rom_ioctl=self._rom_ioctl),
        }
        with monkeypatch.context() as patched:
            for name, functions in modules.items():
                module = ModuleType(name)
                module.__dict__.update(vars(functions))
                patched.setitem(sys.modules, name, module)
            source = script("state.py", NAMES=[], ROOM=1 << 20, TAILS=[]).replace("print(json.dumps(state()))", "")
            names: dict[str, Any] = {}
            exec(source, names)
            answer = {"version": self.version, "arch": find(self.board).omv_arch, "id": "00", "start": "/flash"}
            return read_state({**answer, "drives": {"/flash": [512, 9]}, "files": {}, "rom": names["of_rom"]()}, [])

    def _rom_ioctl(self, command: int, segment: int) -> object:
        if command == 2:
            return memoryview(bytes(self.cells))
        return flash.of(find(self.board)).block if flash.erases_ranges(self.version) else -22

    def done(self, operations: Operations) -> Iterator[bytes]:
        """Yield the content at each moment, also before the first and after the last."""
        yield bytes(self.cells)
        block = flash.of(find(self.board)).block
        for operation in operations:
            if isinstance(operation, Erase):
                for start in range(0, operation.end, block):
                    self.cells[start : start + block] = b"\xff" * block
                    yield bytes(self.cells)
                continue
            start, data = operation.start, operation.data
            while data:
                for count in (PART, 4096 - start % 4096):
                    old = self.cells[start : start + count]
                    fallen = bytes(a & b for a, b in zip(old, data, strict=False))
                    assert count == PART or fallen == data[:count], "bits do not rise"
                    self.cells[start : start + len(fallen)] = fallen
                    yield bytes(self.cells)
                data, start = data[count:], start + count

    def do(self, change: RomChange) -> None:
        for _ in self.done(change.operations(bytes(self.cells))):
            pass

    def files(self) -> dict[str, bytes] | None:
        """Return a script's view of /rom; None if it is not there."""
        try:
            return {path: file.data for path, file in romfs.read(bytes(self.cells)).items()}
        except ValueError:
            return None


def chip(board: str, beginning: bytes, behind: bytes = b"") -> Chip:
    return Chip(board, bytearray((beginning + behind).ljust(1 << 19 if board != "h7" else 1 << 17, b"\xff")))


def image(files: Mapping[str, bytes]) -> bytes:
    return romfs.pack(files, 32)


CASES = {
    "append": chip("nicla", image(STOCK)),
    "replace": chip("n6", image({**STOCK, MODEL: FIRST})),
    "replace in the first block": chip("nicla", image({MODEL: FIRST[:700], **STOCK})),
    "append to an empty image": chip("portenta", image({})),
    "rewrite for want of room": chip("h7plus", image(STOCK), behind=b"\0" * 300_000),
    "rewrite a single block": chip("h7", image(STOCK)),
    "rewrite what is no image": chip("rt1062", STRANGE),
    "write into erased flash": chip("ae3", b""),
}


@pytest.mark.parametrize("case", CASES)
def test_power_goes_at_any_moment(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    start = CASES[case]
    original, old = bytes(start.cells), start.files()
    new = {**(old or {}), MODEL: SECOND}
    before = start.state(monkeypatch)
    change = deploying(before, MODEL, SECOND, {})
    saved = original[: change.saves] or None
    model = (old or {})[MODEL] if change.model else None
    first_saved = before.sha256("/rom")
    working = Chip(start.board, bytearray(original))
    moments = list(dict.fromkeys(working.done(change.operations(original))))
    assert working.files() == new
    assert working.state(monkeypatch).sha256("/rom") == change.after
    assert case.split()[0] not in ("append", "replace") or change.erases == flash.of(find(start.board)).block

    def brought_back(cells: bytes) -> Chip:
        back = Chip(start.board, bytearray(cells))
        for _ in range(2):
            step = restoring(back.state(monkeypatch), saved, first_saved, [change.after or ""], MODEL, model)
            if step:
                back.do(step)
        return back

    for cells in moments:
        left = Chip(start.board, bytearray(cells))
        assert left.files() in (old, new, None)  # never a damaged one
        state = left.state(monkeypatch)
        if is_cut(state, saved):
            head = restoring(state, saved, first_saved, [change.after or ""], MODEL, model)
            assert head
            left.do(head)
            state = left.state(monkeypatch)
        known = {} if state.rom and state.rom.files is not None else old or {}
        left.do(deploying(state, MODEL, SECOND, known))
        assert left.files() == new
        assert brought_back(bytes(left.cells)).files() == old
        back = brought_back(cells)
        assert back.files() == old
        if not change.model:
            end = (
                min(len(saved or b""), before.rom.used)
                if before.rom and before.rom.files is not None
                else len(saved or b"")
            )
            assert back.cells[:end] == original[:end]


def test_a_model_that_was_taken_back_is_jumped_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restored image has the old record behind it, and firmware 5.0 cannot erase that alone: another goes behind."""
    start = chip("n6", image(STOCK))
    original = bytes(start.cells)
    start.do(change := deploying(start.state(monkeypatch), MODEL, FIRST, {}))
    back = restoring(start.state(monkeypatch), original[:4096], before := None, [change.after or ""], MODEL, None)
    assert before is None
    assert back
    start.do(back)
    assert start.files() == STOCK
    state = start.state(monkeypatch)
    assert state.rom
    assert state.rom.behind == (len(image(STOCK)),)
    again = deploying(state, MODEL, SECOND, {})
    assert again.erases == 4096
    start.do(again)
    assert start.files() == {**STOCK, MODEL: SECOND}


def test_a_header_without_room_for_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """mpremote 1.29, romfs.py: its header is as short as the length of that moment allows."""
    short = b"\xd2\xcd\x31" + bytes([100]) + b"\x01" + bytes([98]) + bytes(98)
    start = chip("nicla", short)
    assert start.files() == {}
    change = deploying(start.state(monkeypatch), MODEL, SECOND, {})
    assert change.erases > 4096
    start.do(change)
    assert start.files() == {MODEL: SECOND}


def test_what_one_erase_of_the_n6_does_not_reach_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Firmware 5.0: rewriting is one erase from the start; OpenMV saw long ones fault there."""
    stock = {"large": bytes(900_000), "small": bytes(1000)}
    start = Chip("n6", bytearray(image(stock).ljust(3 << 20, b"\0")))
    original = bytes(start.cells)
    large = bytes(300_000)
    state = start.state(monkeypatch)
    change = deploying(state, MODEL, large, {})
    assert change.dropped == (("large", 900_000),)
    assert change.erases <= (flash.of(find("n6")).longest_erase or 0)
    start.do(change)
    assert start.files() == {"small": stock["small"], MODEL: large}
    saved, written = original[: change.saves], [change.after or ""]
    back = restoring(start.state(monkeypatch), saved, state.sha256("/rom"), written, MODEL, None)
    assert back
    start.do(back)
    assert start.files() == stock
    with_ranges = Chip("n6", bytearray(original), version="5.1.0")
    assert deploying(with_ranges.state(monkeypatch), MODEL, large, {}).dropped == ()


def test_a_strange_image_is_not_mixed_with_the_beginning_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenMV IDE resets ROMFS to what is sold: the first block of what was there before does not fit that."""
    start = chip("nicla", image({**STOCK, "of the IDE": b"1"}))
    with pytest.raises(BlazePoserError, match="another program changed ROMFS"):
        restoring(start.state(monkeypatch), image(STOCK)[:4096], "another", ["ours"], MODEL, None)
