"""Backups on the PC: in order whatever the clock does, for their user's eyes only, and one line for each fault."""

import errno
import json
import os
import stat
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from blazeposer.core.boards import find
from blazeposer.core.errors import BlazePoserError
from blazeposer.deploy import backup as backups
from blazeposer.deploy.state import Drive, State
from conftest import CommandLine

MINE = {"/flash/main.py": b"mine", "/rom": b"an image", "/flash/selftest.py": None}


def state(number: str = "12ab", card: str = "") -> State:
    return State("5.0.0", find("h7"), number, "/flash", {"/flash": Drive(512, 1000)}, {}, {}, None, card)


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    made = backups.create(tmp_path, state(), MINE)
    assert backups.all_of(tmp_path, "12ab") == [made]
    assert made.contents() == MINE
    done = made.at("done", ["ab" * 32])
    assert backups.all_of(tmp_path) == [done]
    more = done.with_more({"/flash/blazeposer.py": b"old", "/flash/main.py": b"newer"}, state())
    assert more.contents() == {**MINE, "/flash/blazeposer.py": b"old"}
    (found,) = more.folder.glob("found-*/flash/main.py")
    assert found.read_bytes() == b"newer"


class Clock:
    """A stand-in for `datetime`: the hour that comes twice at the end of summer time, or a clock that was set back."""

    times: list[datetime]

    @classmethod
    def now(cls, zone: Any = None) -> datetime:
        return cls.times.pop(0)


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(days=-400), timedelta(0)])
def test_the_order_does_not_hang_on_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: timedelta) -> None:
    start = datetime(2026, 10, 25, 2, 30)
    monkeypatch.setattr(backups, "datetime", Clock)
    Clock.times = [start + number * step for number in range(12)]
    made = [backups.create(tmp_path, state(), {"/flash/main.py": b"%d" % number}) for number in range(12)]
    assert [backup.folder for backup in backups.all_of(tmp_path, "12ab")] == [backup.folder for backup in made]


def test_backups_without_a_number_are_the_oldest(tmp_path: Path) -> None:
    made = backups.create(tmp_path, state(), MINE)
    old = made.folder.with_name("2031-05-01_12-00-00-000000")
    made.folder.rename(old)
    newer = backups.create(tmp_path, state(), MINE)
    assert [backup.folder for backup in backups.all_of(tmp_path, "12ab")] == [old, newer.folder]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_nobody_else_reads_backups(tmp_path: Path) -> None:
    """A script may hold the password of a network."""
    root = tmp_path / "made" / "by" / "us"
    before = os.umask(0)
    try:
        made = backups.create(root, state(), MINE).with_more({"/flash/main.py": b"newer"}, state()).at("done")
        with backups.lock(root, "/dev/camera"):
            pass
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [made.folder, *made.folder.rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


NOTE = {"camera": "12ab", "card": "", "progress": "done", "hashes": {"/flash/main.py": None}, "written": []}


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "\\", "[" * 100_000, '{"camera": "12ab"}',
        json.dumps({**NOTE, "hashes": ["/flash/main.py"]}),
        json.dumps({**NOTE, "hashes": {"/flash/../../x": None}}),
        json.dumps({**NOTE, "hashes": {"/flash/main.py": "../" * 20}}),
        json.dumps({**NOTE, "hashes": {"/flash/main.py": 5}}),
        json.dumps({**NOTE, "progress": "perhaps"}),
        json.dumps({**NOTE, "written": 5}),
    ],
)  # fmt: skip
def test_an_unreadable_note_blocks_nothing(tmp_path: Path, blazeposer_command: CommandLine, text: str) -> None:
    first = backups.create(tmp_path, state(), MINE)
    spoilt = backups.create(tmp_path, state(), MINE)
    third = backups.create(tmp_path, state(), MINE)
    (spoilt.folder / "backup.json").write_text(text)
    assert [backup.progress for backup in backups.all_of(tmp_path, "12ab")] == ["started", "unreadable", "started"]
    assert backups.unfinished(tmp_path, state()) == third
    assert [backup.folder for backup in backups.all_of(tmp_path)] == [first.folder, spoilt.folder, third.folder]
    run = blazeposer_command("restore", "--list", "--backups", tmp_path)
    assert run.status == 0
    assert f"{spoilt.folder}  unreadable" in run.out
    with pytest.raises(BlazePoserError, match="use another"):
        backups.load(spoilt.folder)


def test_a_note_that_is_not_text(tmp_path: Path) -> None:
    made = backups.create(tmp_path, state(), MINE)
    (made.folder / "backup.json").write_bytes(b"\xff\xfe\0")
    assert backups.all_of(tmp_path)[0].progress == "unreadable"


def test_a_cut_deploy_goes_on_only_with_its_card(tmp_path: Path) -> None:
    contents = {"/sdcard/main.py": b"of the first card", "/rom": b"an image"}
    made = backups.create(tmp_path, state(card="a" * 32), contents)
    assert made.card == "a" * 32
    assert backups.unfinished(tmp_path, state(card="a" * 32)) == made
    assert backups.unfinished(tmp_path, state(card="b" * 32)) is None
    assert backups.unfinished(tmp_path, state()) is None
    without = backups.create(tmp_path, state(card="b" * 32), {"/rom": b"an image"})
    assert without.card == ""
    assert backups.unfinished(tmp_path, state()) == without
    assert without.with_more({"/sdcard/main.py": b"x"}, state(card="b" * 32)).card == "b" * 32


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
@pytest.mark.parametrize(
    "work",
    [
        lambda root, made: backups.create(root, state(), MINE),
        lambda root, made: made.at("done"),
        lambda root, made: made.with_more({"/flash/blazeposer.py": b"old"}, state()),
        lambda root, made: made.with_more({"/flash/main.py": b"newer"}, state()),
    ],
    ids=["create", "at", "more", "found"],
)
def test_a_disk_that_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, work: Callable[[Path, backups.Backup], object]
) -> None:
    made = backups.create(tmp_path, state(), MINE)

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", fail)
        patched.setattr(Path, "write_text", fail)
        patched.setattr(Path, "write_bytes", fail)
        with pytest.raises(BlazePoserError, match=f"{os.strerror(code)}.*check --backups"):
            work(tmp_path, made)
    assert backups.all_of(tmp_path) == [made]
    assert made.contents() == MINE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_disk_that_is_full_at_the_last_byte(tmp_path: Path) -> None:
    made = backups.create(tmp_path, state(), MINE)
    (made.folder / "backup.json.new").symlink_to("/dev/full")
    with pytest.raises(BlazePoserError, match=r"No space left.*check --backups"):
        made.at("done")
    assert backups.all_of(tmp_path) == [made]


@pytest.mark.parametrize("place", ["", "x/", "12ab/"], ids=["root", "above", "camera"])
def test_a_file_in_the_folder_s_place(tmp_path: Path, place: str) -> None:
    root = tmp_path / "root"
    root = root / "x" if place == "x/" else root
    blocked = {"": root, "x/": root.parent, "12ab/": root / "12ab"}[place]
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("a file")
    if place != "12ab/":
        with pytest.raises(BlazePoserError, match="check --backups"), backups.lock(root, "/dev/camera"):
            pass
    with pytest.raises(BlazePoserError, match="check --backups"):
        backups.create(root, state(), MINE)
    assert backups.all_of(root, "12ab") == []
    assert blocked.read_text() == "a file"


def test_names_that_are_too_long(tmp_path: Path) -> None:
    with pytest.raises(BlazePoserError, match="check --backups"), backups.lock(tmp_path / ("x" * 300), "/dev/camera"):
        pass
    with pytest.raises(BlazePoserError, match="check --backups"), backups.lock(tmp_path, "/dev/" + "x" * 300):
        pass
    with pytest.raises(BlazePoserError, match=r"not a backup.*--list"):
        backups.load(tmp_path / ("x" * 300))


def test_what_goes_wrong_while_a_camera_is_locked_keeps_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), backups.lock(tmp_path, "/dev/camera"):
        raise FileNotFoundError
