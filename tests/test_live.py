"""Sessions: the loop, the terminal, webcams and videos."""

import io
import re
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from blazeposer.core.console import Console
from blazeposer.core.face import Keypoints
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.live.recording import read
from blazeposer.live.session import Moment, run
from blazeposer.live.source import SourceLink
from blazeposer.live.terminal import COLUMNS as HEAD_COLUMNS
from blazeposer.live.terminal import ROWS, TerminalView, drawn
from blazeposer.media.output import VideoWriter
from blazeposer.scene.sequence import frames
from blazeposer.stream.record import Record
from conftest import CommandLine
from live import FOV, Keeper, ListLink, nodding, record, seen_face


def watched(*items: Record | str | None, smooth: bool = True) -> list[Moment]:
    keeper = Keeper()
    run(ListLink(items), [keeper], smooth=smooth, fov=FOV)
    return keeper.moments


def test_people_are_followed_smoothed_and_placed() -> None:
    chance = np.random.default_rng(3)
    place = (8.0, -4.0, 70.0)
    shaken = [record(n, seen_face((10 + chance.normal(0, 2), 0.0, 0.0), place)) for n in range(50)]
    moments = watched(*shaken)
    steady = [moment.faces[0].angles[0] for moment in moments]
    raw = [moment.record.faces[0].yaw for moment in moments if moment.record]
    assert np.std(np.diff(steady)) < np.std(np.diff(raw)) / 2
    assert {moment.faces[0].id for moment in moments} == {1}
    assert moments[-1].faces[0].position
    x, y, z = moments[-1].faces[0].position
    assert x > 4
    assert y < -2
    assert z == pytest.approx(70, abs=4)


def test_raw_shows_what_came() -> None:
    for seen in watched(*nodding(20), smooth=False):
        assert seen.record
        assert seen.faces[0].angles == pytest.approx(seen.record.faces[0].angles)


def test_angles_to_the_cameras_axis() -> None:
    """A face to the right of the axis that looks into the camera looks to the image's left."""
    keeper, face = Keeper(), record(0, seen_face((0, 0, 0), (15, 0, 50)))
    run(ListLink([face]), [keeper], fov=FOV, axis=True)
    (turned,) = keeper.moments[0].faces
    assert turned.yaw == pytest.approx(np.degrees(np.arctan(15 / 50)), abs=3)
    assert face.faces[0].yaw == pytest.approx(0)
    plain = watched(face)[0]
    assert turned.position == pytest.approx(plain.faces[0].position)
    assert keeper.moments[0].to_axis(turned) is turned
    assert plain.to_axis(plain.faces[0]).angles == pytest.approx(turned.angles)


def test_ids_of_the_camera_are_kept() -> None:
    faces = record(0, seen_face((10, 0, 0)), seen_face((0, 0, 0), (15, 0, 80))).faces
    named = tuple(replace(face, id=number) for face, number in zip(faces, (7, 3), strict=True))
    moments = watched(replace(record(0), faces=named), replace(record(1), faces=named[::-1]))
    assert [[face.id for face in moment.faces] for moment in moments] == [[7, 3], [3, 7]]


@pytest.mark.parametrize("clock", [[0, 40, 20, 40], [5000, 5040, 0, 40], [0, 2**52, 2**52 + 40, 80]])
def test_a_wild_clock_does_no_harm(clock: list[int]) -> None:
    face = seen_face((10, 0, 0))
    moments = watched(*(replace(record(seq, face), t_ms=t) for seq, t in enumerate(clock)))
    assert all(moment.faces[0].angles[0] == pytest.approx(10, abs=0.1) for moment in moments)


def test_a_long_gap_ends_a_track() -> None:
    moments = watched(*(replace(record(seq, seen_face((10, 0, 0))), t_ms=t) for seq, t in enumerate((0, 40, 60_000))))
    assert [moment.faces[0].id for moment in moments] == [1, 1, 2]


def test_extreme_numbers_do_no_harm() -> None:
    face = record(0, seen_face((10, 0, 0))).faces[0]
    odd = [
        replace(face, box=(-1e6, 1e6, 0.0, 0.0), keypoints=Keypoints(*((0.0, 0.0),) * 6)),
        replace(face, box=(0.0, 0.0, -5.0, 1e6), keypoints=Keypoints(*((1e6, -1e6),) * 6), yaw=180.0, pitch=-180.0),
    ]
    seen = watched(*(replace(record(n), faces=(odd[n % 2],), size=(1, 2**50)) for n in range(4)))
    assert all(np.isfinite(face.position).all() for moment in seen for face in moment.faces if face.position)


def test_links_states_reach_the_views() -> None:
    moments = watched(record(0), "gone", None, record(1), "")
    assert [(moment.state, moment.record is not None) for moment in moments] == [
        ("", True), ("gone", False), ("gone", False), ("gone", True), ("", False),
    ]  # fmt: skip


def on_screen(*items: Record | str | None, terminal: bool, width: int = 100) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, height=40, highlight=False)
    with ExitStack() as stack:
        run(ListLink(items), [TerminalView(console, ("note",), lambda: None, stack)], fov=FOV)
    return out.getvalue()


def test_terminal_shows_table_and_head() -> None:
    text = on_screen(record(0, seen_face((25, -10, 5))), terminal=True)
    for words in ("note", "25.0 frames per second", "network 20", "+25.0", "-10.0", "+5.0", "1 records, 0 lost"):
        assert words in text
    assert drawn(rotation_from_angles((25, -10, 5))).splitlines()[4].strip("\N{BRAILLE PATTERN BLANK}") in text


def test_a_narrow_terminal_shows_every_column() -> None:
    face = seen_face((-125, -10, 5), (-15, 0, 130))
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", on_screen(record(0, face), terminal=True, width=60))
    heading = next(line for line in text.splitlines() if line.startswith("face"))
    assert heading.split() == ["face", "yaw", "pitch", "roll", "err", "score", "x", "cm", "y", "cm", "z", "cm"]
    row = text.splitlines()[text.splitlines().index(heading) + 1]
    assert row.split()[:6] == ["1", "-125.0", "-10.0", "+5.0", "4.0", "0.90"]
    assert len(row.split()) == 9
    assert len(heading.rstrip()) <= 60


def test_a_pipe_gets_lines() -> None:
    text = on_screen(record(3, seen_face((25, -10, 5))), record(4), terminal=False)
    assert text.splitlines()[1:] == ["3 0.12 s: face 1 +25.0 -10.0 +5.0", "4 0.16 s: no face"]


def test_terminal_says_what_goes_on_and_takes_nothing_for_markup() -> None:
    text = on_screen(record(0), "camera is gone [red]now", record(1), "", record(2), terminal=False)
    assert "camera is gone [red]now" in text
    assert "list sends faces again" in text
    assert "list sends faces\n" in on_screen("waiting", "", record(0), terminal=False)


def dots(angles: tuple[float, float, float]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """A drawn head as a picture of dots."""
    cells = np.array([[ord(c) - 0x2800 for c in line] for line in drawn(rotation_from_angles(angles)).splitlines()])
    assert cells.shape == (ROWS, HEAD_COLUMNS)
    return (cells[..., None] >> np.arange(8)) & 1 > 0


def middle_of_features(angles: tuple[float, float, float]) -> tuple[float, float]:
    """Column and row, in cells, of what is inside the outline."""
    inside = dots(angles)[2:-2, 4:-4].sum(-1)
    rows, columns = np.indices(inside.shape)
    return float((columns * inside).sum() / inside.sum()), float((rows * inside).sum() / inside.sum())


def test_the_head_turns_as_the_face_does() -> None:
    x, y = middle_of_features((0, 0, 0))
    assert middle_of_features((25, 0, 0))[0] < x - 1  # to the image's left
    assert middle_of_features((-25, 0, 0))[0] > x + 1
    assert middle_of_features((0, 20, 0))[1] < y - 0.3  # up
    assert middle_of_features((0, -20, 0))[1] > y + 0.3


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "head.mp4"
    with VideoWriter(path, 10.0) as writer:
        for frame in frames()[:8]:
            writer.write(frame.picture)
    return path


def test_a_video_is_watched_at_its_pace(video: Path) -> None:
    link, keeper = SourceLink(str(video)), Keeper()
    start = time.monotonic()
    run(link, [keeper], fov=FOV)
    assert time.monotonic() - start >= 0.69  # until its eighth frame
    moments = keeper.moments
    assert [moment.record.seq for moment in moments if moment.record] == list(range(len(moments)))
    last = moments[-1]
    assert last.record
    assert last.record.t_ms % 100 == 0
    assert last.record.size == (480, 480)
    assert last.picture is not None
    assert last.picture.shape == (480, 480, 3)
    assert len(last.faces) == 1
    assert link.counts.lost == 0


def test_watch_command_takes_a_video(video: Path, tmp_path: Path, blazeposer_command: CommandLine) -> None:
    status, out, err = blazeposer_command("watch", "--source", video, "--record", tmp_path / "a.jsonl")
    assert (status, err) == (0, "")
    assert "face 1" in out
    assert next(read(tmp_path / "a.jsonl")).size == (480, 480)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("watch", "--source", "none.mp4"), "check the path"),
        (("watch", "--source", "97"), "no such camera"),
        (("watch", "--port", "/dev/no-such-port"), "mpremote devs"),
        (("watch", "--port", "/dev/x", "--source", "0"), "cannot be used together"),
        (("watch", "--port", "/dev/x", "--record", "a.txt"), "must end with .jsonl or .csv"),
        (("watch", "--port", "/dev/x", "--to", "ftp://here"), "not an address to send to"),
        (("watch", "--port", "/dev/x", "--web", "--web-host", "192.0.2.1"), "give another --web-port"),
        (("replay", "none.jsonl"), "cannot read the recording"),
        (("plot", "none.jsonl"), "cannot read the recording"),
    ],
)
def test_failures_are_one_line(arguments: tuple[str, ...], words: str, blazeposer_command: CommandLine) -> None:
    status, _, err = blazeposer_command(*arguments)
    assert status > 0
    assert words in err
    assert len(err.strip().splitlines()) == 1


def test_a_picture_is_no_source(portrait_path: Path, blazeposer_command: CommandLine) -> None:
    status, _, err = blazeposer_command("watch", "--source", portrait_path)
    assert status == 1
    assert "for images use `blazeposer detect`" in err
