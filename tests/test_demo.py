"""The demo's whole path: known angles against those of the host and of the virtual camera's stream, and these two."""

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import blazeposer.commands.demo as demo_command
from blazeposer.camera import view
from blazeposer.core.contract import ANGLES
from blazeposer.core.errors import PortError
from blazeposer.core.face import Face
from blazeposer.demo.camera_stream import stream
from blazeposer.demo.compare import TO_PICTURE, PoseAgreement, agreements, face_in_picture, match
from blazeposer.demo.pictures import chosen
from blazeposer.faces.detector import Detector
from blazeposer.faces.tracker import CloserLook
from blazeposer.media.sources import open_source
from blazeposer.scene.sequence import DemoFrame, frames
from blazeposer.stream.record import Record, parse_line
from conftest import CommandLine

SWEPT = {"yaw": slice(0, 24), "pitch": slice(24, 44), "roll": slice(44, 66)}
"""Frames in which only this angle changes."""
# The stream's last digits, and the 0.1 pixel and degree by which board and host may differ.
ROUNDING, TOLERANCE = 0.05, 0.1
SCORE_ROUNDING = 0.005


@pytest.fixture(scope="module")
def streamed() -> dict[int, Record]:
    """One real run: MicroPython, mpremote, board/, TensorFlow Lite Micro."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the virtual camera runs on Linux only")
    return dict(stream(frames()))


@pytest.fixture(scope="module")
def detected() -> dict[int, list[Face]]:
    """The host's faces in every third frame, in the pixels of the camera's window."""
    detector = Detector(runtime="xnnpack", input="camera")
    return {number: detector(view(frame.picture)) for number, frame in list(enumerate(frames()))[::3]}


@pytest.fixture(params=["host", pytest.param("stream", marks=pytest.mark.slow)])
def results(request: pytest.FixtureRequest) -> dict[str, PoseAgreement]:
    if request.param == "host":
        faces = request.getfixturevalue("detected").items()
        found = {number: _in_picture(some) for number, some in faces}
    else:
        records = request.getfixturevalue("streamed").items()
        found = {number: [face_in_picture(face) for face in record.faces] for number, record in records}
    return agreements(frames(), found)


# With several people in a frame a face has 30 of the network's 128 pixels.
@pytest.mark.parametrize(("faces", "correlation"), [("turning head", 0.9), ("all faces", 0.8)])
@pytest.mark.parametrize("angle", ANGLES)
def test_angle_follows_the_known_one(
    results: dict[str, PoseAgreement], faces: str, correlation: float, angle: str
) -> None:
    """Sign and correlation, and order: no streamed angle follows it better than its own."""
    axis, result = ANGLES.index(angle), results[faces]
    assert result.correlation[angle] > correlation
    known = result.known[:, axis]
    follows = [float(np.corrcoef(known, measured)[0, 1]) for measured in result.measured.T]
    assert int(np.argmax(np.abs(follows))) == axis


@pytest.mark.parametrize("angle", ANGLES)
def test_a_sweep_of_one_angle_moves_that_angle_most(detected: dict[int, list[Face]], angle: str) -> None:
    axis = ANGLES.index(angle)
    swept = [pairs[0] for number in range(*SWEPT[angle].indices(len(frames())))
             if (pairs := match(frames()[number], _in_picture(detected.get(number, []))))]  # fmt: skip
    known = np.array([person.angles for person, _ in swept])
    measured = np.array([face.angles for _, face in swept])
    assert np.ptp(known, axis=0).argmax() == axis
    assert np.ptp(measured, axis=0).argmax() == axis


def _in_picture(faces: list[Face]) -> list[Face]:
    return [face.moved(0, 0, TO_PICTURE, TO_PICTURE) for face in faces]


def test_nearly_every_face_is_found_and_hardly_anything_else(results: dict[str, PoseAgreement]) -> None:
    result = results["all faces"]
    assert len(result.known) >= 0.98 * result.people
    assert result.extra <= 0.02 * result.people


@pytest.mark.slow
def test_board_and_host_agree_on_every_frame(streamed: dict[int, Record]) -> None:
    """Both start at the first frame, because the closer look depends on the frames before."""
    assert sorted(streamed) == list(range(len(frames())))
    look = CloserLook(Detector(runtime="reference", input="camera"))
    count = 1 + max(record.seq for record in streamed.values())
    seen = [look(view(frames()[seq % len(frames())].picture)) for seq in range(count)]
    for number, record in streamed.items():
        faces = seen[record.seq]
        assert len(record.faces) == len(faces), number
        for board, host in zip(record.faces, faces, strict=True):
            near = TOLERANCE + ROUNDING
            assert board.box == pytest.approx(host.box, abs=near), number
            assert np.ravel(board.keypoints) == pytest.approx(np.ravel(host.keypoints), abs=near), number
            assert board.angles == pytest.approx(host.angles, abs=near), number
            assert board.score == pytest.approx(host.score, abs=SCORE_ROUNDING + 1e-6), number
            assert board.err == pytest.approx(host.err, abs=ROUNDING + 1e-3), number


@pytest.mark.slow
def test_frames_keep_the_camera_s_order_and_numbers(streamed: dict[int, Record]) -> None:
    order = [record.seq for record in streamed.values()]
    assert order == sorted(order)
    assert [seq % len(frames()) for seq in order] == list(streamed)


def test_demo_shows_compares_and_writes(
    detected: dict[int, list[Face]], blazeposer_command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command, on a stream of what the host finds."""
    streamed = {number: Record(number, 40 * number, 25.0, tuple(faces)) for number, faces in detected.items()}
    monkeypatch.setattr(demo_command, "stream", lambda *_, **__: iter(streamed.items()))
    done = blazeposer_command("demo", "--output", tmp_path / "demo")
    assert (done.status, done.err) == (0, "")
    assert done.out.count("\nframe ") + 1 == len(streamed)
    assert done.out.count(" err ") == sum(len(record.faces) for record in streamed.values())
    assert "correlation" in done.out
    assert "imitated" in done.out
    assert max(map(len, done.out.replace(str(tmp_path), "").splitlines())) <= 80
    assert "mean difference" in done.out.splitlines()[-2]  # the table is the last that is printed
    picture = cv2.imread(str(tmp_path / "demo" / "demo.png"))
    assert picture is not None
    assert picture.shape[1] == 1240
    video = cv2.VideoCapture(str(tmp_path / "demo" / "demo.mp4"))
    assert sum(1 for _ in iter(lambda: video.read()[0], False)) == len(streamed)


def test_the_demo_s_films_are_for_other_commands(
    detected: dict[int, list[Face]], blazeposer_command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has drawn on them, and in one somebody nods, then shakes his head."""
    streamed = {number: Record(number, 40 * number, 25.0, tuple(faces)) for number, faces in detected.items()}
    monkeypatch.setattr(demo_command, "stream", lambda *_, **__: iter(streamed.items()))
    assert blazeposer_command("demo", "--output", tmp_path).status == 0
    head = open_source(str(tmp_path / "head.mp4"))
    assert head.total == len(frames())
    assert np.abs(next(head.frames).read().astype(int) - frames()[0].picture).mean() < 6
    run = blazeposer_command("detect", tmp_path / "nod.mp4", "--json")
    angles = np.array([record.faces[0].angles for line in run.out.splitlines() if (record := parse_line(line))])
    thirds = [angles[20:80], angles[100:160]]
    assert [int(np.ptp(part, axis=0).argmax()) for part in thirds] == [1, 0]


def test_demo_refuses_an_output_that_cannot_be_before_it_runs(
    blazeposer_command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_command, "stream", lambda *_, **__: pytest.fail("it ran"))
    (tmp_path / "file").touch()
    done = blazeposer_command("demo", "--output", tmp_path / "file" / "demo")
    assert done.status == 1
    assert "check --output" in done.err
    assert len(done.err.splitlines()) == 1


def test_demo_ends_with_one_line_where_the_stream_fails(
    blazeposer_command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Iterator[tuple[int, Record]]:
        raise PortError("the camera says nothing: reset it")
        yield

    monkeypatch.setattr(demo_command, "stream", broken)
    done = blazeposer_command("demo", "--output", tmp_path)
    assert done.status == 1
    assert done.err == "blazeposer: the camera says nothing: reset it\n"
    assert not list(tmp_path.iterdir())


def test_match_takes_each_person_and_no_stranger() -> None:
    frame = next(frame for frame in frames() if len(frame.people) == 2)
    faces = [Face.of(person.box, 0.9, np.zeros((6, 2)), np.eye(3), 5.0) for person in frame.people]
    stranger = Face.of((0, 440, 30, 30), 0.99, np.zeros((6, 2)), np.eye(3), 5.0)
    assert match(frame, [stranger, *faces[::-1]]) == list(zip(frame.people, faces, strict=True))
    assert match(frame, [stranger]) == []
    assert match(DemoFrame(()), [stranger]) == []


def test_chosen_frames_show_what_they_are_chosen_for() -> None:
    numbers = chosen(frames(), {number: [] for number in range(len(frames()))})
    single = [frames()[number].people[0].angles for number in numbers[:5]]
    assert [angles[axis] > 0 for angles, axis in zip(single, (0, 0, 1, 1, 2), strict=True)] == [1, 0, 1, 0, 1]
    assert [len(frames()[number].people) for number in numbers[6:]] == [2, 4]
