"""The scripts in board/examples, each run on the virtual camera: what it writes to pins, buses, screen and drive."""

import re
from collections.abc import Callable
from functools import reduce
from itertools import takewhile
from operator import xor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from blazeposer.camera import hardware, view
from blazeposer.core.prepare import Image
from blazeposer.core.resources import board_dir
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.faces.detector import Detector
from blazeposer.scene.sequence import DemoFrame, Person
from reading import read_lines
from scene import FRAME, Place, Pose, Scene, last, running, written
from test_board import said_until_repl
from waiting import until

pytestmark = pytest.mark.usefixtures("needs_virtual_camera")

EXAMPLES = sorted(path.stem for path in (board_dir() / "examples").glob("*.py"))
LIT, DARK = 0, 1
"""Levels of an LED's pin: docs.openmv.io, quick references, "active low"."""


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The scene before the virtual camera."""
    scene = Scene()
    monkeypatch.setattr(hardware, "open_network", lambda path, runtime: scene)
    return scene


def head_of(example: str) -> str:
    """The comment at its top."""
    text = (board_dir() / "examples" / f"{example}.py").read_text()
    return "".join(takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_is_in_the_style_of_the_field(example: str) -> None:
    lines = (board_dir() / "examples" / f"{example}.py").read_text().splitlines()
    assert len(lines) < 100
    assert lines[0] == "# SPDX-License-Identifier: Apache-2.0"
    assert f"`mpremote run {example}.py`" in head_of(example)
    assert any(name.startswith(f"test_{example}") for name in globals())


def test_the_model_may_be_on_the_card(scene: Scene, model_path: Path) -> None:
    with running("attention_light", model_path, "h7plus", card=True) as camera:
        scene.show(0, 0, 0)
        until(lambda: last(camera, "LED_GREEN") == LIT, "green")


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_missing_model_is_one_line(example: str) -> None:
    with running(example, None) as camera:
        (line,) = said_until_repl(camera)
    assert line.startswith("BlazePoser stopped: no file at /rom/blazeposer.tflite, /sdcard/blazeposer.tflite, /flash/")


def test_follow_face_brings_it_to_the_middle(scene: Scene, model_path: Path) -> None:
    there = np.array([30.0, -20.0])  # degrees from where the head points at first, right and down
    with running("follow_face", model_path) as camera:

        def turned() -> Any:
            """Degrees: 1500 us is a servo's middle, docs.openmv.io, tutorial on servos."""
            pulses = [last(camera, pin) or (50, 1_500_000) for pin in ("P7", "P8")]
            return (np.array(pulses)[:, 1] / 1000 - 1500) / 11

        def place() -> Place:
            x, y = 0.5 + (there - turned()) / 55
            return float(x), float(y)

        scene.place = place
        scene.show(0, 0, 0)
        until(lambda: bool(np.abs(there - turned()).max() < 4), "the face in the middle")
        scene.wait(3)
        assert np.abs(there - turned()).max() < 4
        there[:] = 70, 0  # out of reach
        scene.place = lambda: (0.9, 0.5)
        until(lambda: last(camera, "P7") == [50, 1_995_000], "the limit")
        scene.show()
        scene.wait(3)
        assert last(camera, "P7") == [50, 1_995_000]
        for pin in ("P7", "P8"):
            assert written(camera, pin)[0] == [50, 1_500_000]
            assert all(frequency == 50 and 1e6 < pulse < 2e6 for frequency, pulse in written(camera, pin))


def test_attention_light(scene: Scene, model_path: Path) -> None:
    with running("attention_light", model_path, AWAY_S=0.1) as camera:
        scene.show(5, -10, 3)
        until(lambda: last(camera, "LED_GREEN") == LIT, "green")
        assert last(camera, "LED_RED") == DARK
        scene.show(45, 0, 0)
        until(lambda: last(camera, "LED_RED") == LIT, "red")
        assert last(camera, "LED_GREEN") == DARK
        scene.show(0, 0, 0)
        until(lambda: last(camera, "LED_GREEN") == LIT, "green again")
        until(lambda: last(camera, "LED_RED") == DARK, "red off again")


def test_attention_light_waits(scene: Scene, model_path: Path) -> None:
    with running("attention_light", model_path, AWAY_S=1000) as camera:
        scene.show(0, 45, 0)
        scene.wait(10)
        assert written(camera, "LED_RED") == written(camera, "LED_GREEN") == [DARK]


def boot_of_head_mouse() -> str:
    """The two lines that its head tells to put into boot.py."""
    return "\n".join(re.findall(r"^#     (.*pyb.*)$", head_of("head_mouse"), re.MULTILINE))


def test_head_mouse(scene: Scene, model_path: Path) -> None:
    def moves(report: Any) -> bool:
        return last(camera, "USB HID") == report

    with running("head_mouse", model_path, boot=boot_of_head_mouse()) as camera:
        scene.show(6, -8, 0)  # at rest
        scene.wait(15)
        assert written(camera, "USB HID") == []
        scene.show(26, -8, 0)  # to the user's right
        until(lambda: moves([0, 12, 0, 0]), "right")  # (26 - 6 - STILL) * SPEED, rounded down
        scene.show(6, 12, 0)  # up
        until(lambda: moves([0, 0, -12, 0]), "up")
        scene.show(6, -8, 30)  # to the user's left shoulder
        until(lambda: moves([1, 0, 0, 0]), "left button")
        scene.show(6, -8, -30)
        until(lambda: moves([2, 0, 0, 0]), "right button")
        scene.show()
        until(lambda: moves([0, 0, 0, 0]), "release")
        count = len(camera.device.written)
        scene.wait(3)
        assert len(camera.device.written) == count  # nothing to say
        assert all(-127 <= n <= 127 for report in written(camera, "USB HID") for n in report)


@pytest.mark.parametrize(("board", "reason"), [("h7", "write boot.py"), ("rt1062", "no USB HID")])
def test_head_mouse_says_what_is_missing(scene: Scene, model_path: Path, board: str, reason: str) -> None:
    with running("head_mouse", model_path, board) as camera:
        (line,) = said_until_repl(camera)
    assert line.startswith("head_mouse stopped: ")
    assert reason in line


def gesture(axis: int, degrees: float) -> Callable[[int], Pose]:
    """A head that swings around one axis, period 8 frames."""

    def pose(frame: int) -> Pose:
        angles = np.array([4.0, -6.0, 1.0])
        angles[axis] += degrees * np.sin(frame / 8 * 2 * np.pi)
        return angles[0], angles[1], angles[2]

    return pose


@pytest.mark.parametrize(("axis", "answer", "led"), [(1, "yes", "LED_GREEN"), (0, "no", "LED_RED")])
def test_nod_shake(scene: Scene, model_path: Path, axis: int, answer: str, led: str) -> None:
    with running("nod_shake", model_path, WITHIN_MS=60_000, LIGHT_MS=0) as camera:
        lines = (line for line in read_lines(camera.port) if line in ("yes", "no"))
        start = scene.frames
        scene.pose = gesture(axis, 15)
        assert [next(lines), next(lines)] == [answer] * 2
        assert scene.frames - start >= 8
        assert LIT in written(camera, led)
        other = {"LED_GREEN", "LED_RED"} - {led}
        assert written(camera, other.pop()) == [DARK]


def test_nod_shake_is_not_taken_in(scene: Scene, model_path: Path) -> None:
    """Looking aside and back, trembling, and rolling the head are neither yes nor no."""

    def pose(frame: int) -> Pose:
        if frame < 30:
            return 40 * np.sin(frame / 30 * np.pi), 0, 0
        if frame < 60:
            return gesture(1, 3)(frame)
        if frame < 90:
            return gesture(2, 25)(frame)
        return gesture(1, 15)(frame)

    with running("nod_shake", model_path, WITHIN_MS=60_000) as camera:
        scene.pose = lambda frame: pose(0)
        lines = read_lines(camera.port)
        start = scene.frames
        scene.pose = lambda frame: pose(frame - start)
        assert next(line for line in lines if line in ("yes", "no")) == "yes"
        assert scene.frames - start > 90


def test_nod_shake_needs_it_within_its_time(scene: Scene, model_path: Path) -> None:
    with running("nod_shake", model_path, WITHIN_MS=0) as camera:
        scene.pose = gesture(1, 15)
        scene.wait(40)
        assert written(camera, "LED_GREEN") == [DARK]


def fields(sentence: str) -> list[str]:
    """Return the fields of a sentence after a check of its form and checksum (NMEA 0183)."""
    matched = re.fullmatch(r"\$(HEAD,.*)\*([0-9A-F]{2})\r\n", sentence)
    assert matched
    assert reduce(xor, matched[1].encode()) == int(matched[2], 16)
    return matched[1].split(",")


@pytest.mark.parametrize("bus", [3, 1])
def test_pose_uart(scene: Scene, model_path: Path, bus: int) -> None:
    with running("pose_uart", model_path, BUS=bus) as camera:
        until(lambda: bool(written(camera, f"UART{bus}")), "a sentence")
        scene.show(12, -34, 5)
        until(lambda: len(written(camera, f"UART{bus}")) > 1, "another one")
        sent = written(camera, f"UART{bus}")
    assert fields(sent[0]) == ["HEAD", "0", "", "", "", ""]
    in_head = re.findall(r"\$HEAD\S+", head_of("pose_uart"))
    assert [fields(f"{sentence}\r\n")[1] for sentence in in_head] == ["1", "0"]
    assert sent[0].strip() == in_head[1]
    somebody = fields(sent[1])
    assert somebody[1] == "1"
    np.testing.assert_allclose([float(field) for field in somebody[2:5]], [12, -34, 5], atol=1)
    assert float(somebody[5]) >= 0


def test_count_viewers(model_path: Path) -> None:
    room = DemoFrame((Person((0, 0, 0), (130, 215), 1.35), Person((35, 0, 0), (350, 200), 1.35))).picture
    with running("count_viewers", model_path, "rt1062", [room], EVERY_S=1, LOOKED_S=0.01, LOOKING=15) as camera:
        file = camera.folder / "flash" / "viewers.csv"
        before = {path.name for path in file.parent.iterdir()}
        until(lambda: file.exists() and file.read_text().count("\n") >= 2, "two lines")
        rows = [line.split(",") for line in file.read_text().splitlines()]
        after = {path.name for path in file.parent.iterdir()}
    assert after - before == {"viewers.csv"}  # and no image
    for number, (at, people, viewers, seconds) in enumerate(rows):
        assert int(at) >= number + 1
        assert (people, viewers) == ("2", "1")
        assert 0 < float(seconds) <= int(at) + 1


def test_save_look_up(scene: Scene, model_path: Path, portrait: Image) -> None:
    with running("save_look_up", model_path, "rt1062", [portrait], PAUSE_MS=0) as camera:
        folder = camera.folder / "flash"

        def saved() -> list[Path]:
            return sorted(folder.glob("*.jpg"))

        scene.show(0, 10, 0)
        scene.wait(4)
        assert saved() == []
        scene.show(10, 30, 0)
        until(lambda: len(saved()) >= 3, "pictures")
        scene.show(0, 0, 0)
        scene.wait(2)
        names = [path.name for path in saved()]
        scene.wait(3)
        assert names == [path.name for path in saved()] == [f"up_{n + 1:04}.jpg" for n in range(len(names))]
        picture = cv2.imread(str(saved()[0]))
        assert picture is not None
        assert np.abs(picture[..., ::-1].astype(int) - view(portrait)).mean() < 5
        camera.reset()  # numbers go on
        scene.show(0, 30, 0)
        until(lambda: len(saved()) > len(names), "another picture")
        assert saved()[len(names)].name == f"up_{len(names) + 1:04}.jpg"


def test_save_look_up_pauses(scene: Scene, model_path: Path) -> None:
    shown: list[int] = []

    def frames(number: int) -> Image:
        shown.append(number)
        return FRAME

    scene.show(0, 30, 0)
    with running("save_look_up", model_path, frames=frames, PAUSE_MS=1_000_000) as camera:
        until(lambda: len(shown) > 10, "ten frames")
        assert [path.name for path in (camera.folder / "flash").glob("*.jpg")] == ["up_0001.jpg"]


@pytest.mark.parametrize(("example", "settings"), [("save_look_up", {}), ("count_viewers", {"EVERY_S": 0})])
def test_a_full_drive_gets_one_line(scene: Scene, model_path: Path, example: str, settings: dict[str, Any]) -> None:
    scene.show(0, 30, 0)
    with running(example, model_path, frames=[FRAME], **settings) as camera:
        (camera.folder / "flash" / "filling").write_bytes(bytes(camera.device.board.flash))
        lines = said_until_repl(camera)
    assert lines[-1].startswith(f"{example} stopped: cannot write ")
    assert lines[-1].endswith("free space on the drive")


def test_overlay(model_path: Path, portrait: Image) -> None:
    with running("overlay", model_path, frames=[portrait]) as camera:
        until(lambda: bool(camera.device.written), "a picture on the screen")
        ((to, screen), *_) = camera.device.written
    assert to == "display"
    assert screen.shape == (160, 128, 3)
    assert not screen[:16].any()  # the square image in the middle of the taller screen
    assert not screen[-16:].any()
    (face,) = Detector(model_path, "reference")(view(portrait))
    x, y, w, h = np.array(face.box) * 128 / 240
    yellow = (np.abs(screen.astype(int) - (255, 200, 0)).max(axis=2) < 10)[16:-16]
    rows, columns = np.nonzero(yellow)
    np.testing.assert_allclose([columns.min(), rows.min(), columns.max(), rows.max()], [x, y, x + w, y + h], atol=3)
    turned = rotation_from_angles(face.angles)
    middle = np.array(face.keypoints[2]) * 128 / 240 + (0, 16)
    for axis, color in enumerate(((230, 50, 50), (60, 190, 60), (60, 110, 255))):
        tip = middle + turned[:2, axis] * (w / 2, -w / 2)
        colored = np.argwhere(np.abs(screen.astype(int) - color).max(axis=2) < 10)[:, ::-1]
        assert np.linalg.norm(colored - tip, axis=1).min() < 3
