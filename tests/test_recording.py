"""Recordings: written, read, replayed at their pace, drawn."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from blazeposer.core.errors import InputError
from blazeposer.live.plot import draw_session
from blazeposer.live.recording import COLUMNS, Recording, ReplayLink, read
from blazeposer.live.session import run
from blazeposer.stream.record import Counts, Reader, as_line
from conftest import CommandLine
from live import Keeper, ListLink, moment, nodding, record, seen_face
from waiting import HANG

SESSION = [
    record(0),
    record(1, seen_face((25, -10, 5))),
    record(2, seen_face((20, -10, 5)), seen_face((0, 1, 2), (15, 0, 90))),
    replace(record(7, seen_face((15, 0, 0))), ms=None, size=(320, 200)),
    record(8),
]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_recording_comes_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "folder" / f"session{suffix}"
    recording, keeper = Recording(), Keeper()
    recording.start(path)
    run(ListLink(SESSION), [recording, keeper])
    recording.stop()
    reader = Reader(midway=False)
    assert list(read(path, reader)) == keeper.records
    assert reader.counts == Counts(records=5, lost=4)
    raw = [replace(r, faces=tuple(replace(face, id=None) for face in r.faces)) for r in keeper.records]
    assert raw == SESSION


def test_a_csv_has_a_row_for_each_face(tmp_path: Path) -> None:
    path = tmp_path / "session.csv"
    recording = Recording()
    recording.start(path)
    run(ListLink(SESSION), [recording])
    lines = path.read_text().splitlines()  # before it is closed: nothing waits in a buffer
    recording.stop()
    assert lines[0] == ",".join(COLUMNS)
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "1", "2", "2", "7", "8"]


@pytest.mark.parametrize(
    "saved",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", ";").replace(".", ","),
        lambda text: "\ufeff" + text.replace(",", "\t").replace("\r\n", "\n"),
        lambda text: text.replace(",1,0.", ",1.0,0.").replace("\r\n2,", "\r\n2.0,"),
        lambda text: text + "," * (len(COLUMNS) - 1) + "\r\n",
    ],
    ids=["byte-order mark", "semicolons", "decimal commas", "tabs", "pandas", "empty row"],
)
def test_a_table_that_a_spreadsheet_saved(tmp_path: Path, saved: Callable[[str], str]) -> None:
    path = tmp_path / "session.CSV"
    recording, keeper = Recording(), Keeper()
    recording.start(path)
    run(ListLink(SESSION), [recording, keeper])
    recording.stop()
    path.write_text(saved(path.read_bytes().decode()), encoding="utf-8", newline="")
    assert list(read(path)) == keeper.records


def test_only_what_comes_between_start_and_stop_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    recording = Recording()
    recording.show(moment(seq=0))
    recording.start(path)
    assert recording.path == path
    recording.show(moment(seq=1))
    recording.stop()
    recording.show(moment(seq=2))
    assert [found.seq for found in read(path)] == [1]
    with pytest.raises(InputError, match="use another file"):
        recording.start(path)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.jsonl", "", "the recording is empty"),
        ("a.csv", "", "the recording is empty"),
        ("a.csv", "seq,t_ms\n1,2\n", "row 2, column fps: the cell is missing"),
        ("a.jsonl", "[1]\n{}\n\0\n", "the recording is empty"),
        ("a.txt", as_line(record(0)), r"end with \.jsonl or \.csv"),
        ("none.csv", None, "cannot read the recording"),
    ],
)
def test_a_recording_that_is_none(tmp_path: Path, name: str, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words):
        list(read(tmp_path / name))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_what_is_broken_in_a_recording_is_counted(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"session{suffix}"
    recording = Recording()
    recording.start(path)
    run(ListLink(nodding(6)), [recording])
    recording.stop()
    lines = path.read_text().splitlines(keepends=True)
    lines[3] = lines[3].replace("25.0", "25.x")
    path.write_text("".join(lines) + lines[-1][:30])
    reader = Reader(midway=False)
    assert len(list(read(path, reader))) == 5
    assert (reader.counts.garbled, reader.counts.lost) == (2, 1)


class Clock:
    """Stands in for the module `time`; sleeping takes no time."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_replay_keeps_the_pace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blazeposer.live.recording.time", Clock())
    path = tmp_path / "session.jsonl"
    times = [1000, 1200, 1600, 0, 100, 10**9]  # the camera started anew after the third; the last is a broken clock
    lines = [as_line(replace(record(seq), t_ms=t)) for seq, t in zip((10, 11, 12, 0, 1, 2), times, strict=True)]
    path.write_text("\n".join(lines))
    came = list(ReplayLink(path).arrivals())
    arrivals = [arrival for arrival in came if arrival]
    assert [arrival.record.t_ms for arrival in arrivals] == times
    assert [arrival.at - 100 for arrival in arrivals] == pytest.approx([0, 0.2, 0.6, 0.6, 0.7, 10.7])
    assert came[1] is None  # the views are told that nothing comes


def test_replay_smooths_again(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    first, recording, second = Keeper(), Recording(), Keeper()
    recording.start(path)
    run(ListLink(nodding(12)), [first, recording])
    recording.stop()
    run(ReplayLink(path), [second])
    assert second.records == first.records
    assert {face.id for moment in second.moments for face in moment.faces} == {1}
    for old, new in zip(first.moments, [m for m in second.moments if m.record], strict=True):
        assert new.faces[0].angles == pytest.approx(old.faces[0].angles, abs=0.05)


def test_replay_command_shows_and_records(tmp_path: Path, blazeposer_command: CommandLine) -> None:
    path, again = tmp_path / "session.jsonl", tmp_path / "again.csv"
    path.write_text("\n".join(map(as_line, nodding(5))))
    status, out, err = blazeposer_command("replay", path, "--record", again)
    assert (status, err) == (0, "")
    assert "0 0.00 s: face 1" in out
    assert out.splitlines()[-1] == "5 records, 0 lost, 0 repeated, 0 late, 0 garbled"
    assert [found.seq for found in read(again)] == [0, 1, 2, 3, 4]


def test_a_reader_that_goes_ends_a_session_quietly(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    path.write_text("\n".join(map(as_line, nodding(60))))
    command = [sys.executable, "-m", "blazeposer", "replay", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as replay:
        assert replay.stdout
        assert replay.stderr
        replay.stdout.readline()
        replay.stdout.close()
        assert (replay.wait(HANG), replay.stderr.read()) == (0, b"")


def test_plot_draws_every_face(tmp_path: Path, blazeposer_command: CommandLine) -> None:
    path = tmp_path / "session.jsonl"
    path.write_text("\n".join(map(as_line, nodding(60))))
    figure = draw_session(read(path), "session")
    panels = figure.axes
    assert [panel.get_ylabel() for panel in panels] == ["yaw, degrees", "pitch, degrees", "roll, degrees"]
    raw = panels[0].lines[0].get_ydata()
    np.testing.assert_allclose(np.asarray(raw), [face.yaw for r in nodding(60) for face in r.faces], atol=0.01)
    status, out, _ = blazeposer_command("plot", path, "--output", tmp_path / "session.png")
    assert status == 0
    assert str(tmp_path / "session.png") in out
    picture = cv2.imread(str(tmp_path / "session.png"))
    assert picture is not None
    assert picture.std() > 5
    status, _, err = blazeposer_command("plot", path, "--output", tmp_path / "session.xyz")
    assert status == 1
    assert "a name that ends with .png" in err
