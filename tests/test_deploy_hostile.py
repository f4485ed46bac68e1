"""A camera that is broken, or made to hurt: whatever it says, one line on the PC, and no file where none belongs."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from blazeposer.core.errors import BlazePoserError, PortError
from blazeposer.core.prepare import Image
from blazeposer.deploy import camera as cameras
from blazeposer.deploy import deployment
from blazeposer.deploy.bundle import Bundle
from blazeposer.evaluate.validate import board
from blazeposer.openmv import mpremote as mpremotes
from blazeposer.openmv import romfs
from blazeposer.openmv.ports import Port
from conftest import CommandLine
from deploying import Silent

SHA = "ab" * 32
ANSWER: dict[str, Any] = {
    "version": "5.0.0",
    "arch": "OMV4 H7 1024",
    "id": "0123456789abcdef01234567",
    "start": "/flash",
    "drives": {"/flash": [512, 200]},
    "files": {"/flash/main.py": [5, SHA]},
    "rom": {
        "size": 131072,
        "ranges": False,
        "used": 3000,
        "header": 16,
        "sha256": "",
        "behind": [3000],
        "blank": 4000,
        "room": 512,
        "files": {"person.tflite": [16, 64, 2000, SHA]},
    },
}
"""Valid answers of a camera."""
SELF_TEST: dict[str, Any] = {"passed": True, "bytes": 10, "equal": 10, "largest": 0, "faces": [], "expected": []}


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Lets the camera at "/dev/camera" answer every command with this text."""
    monkeypatch.setenv("BLAZEPOSER_RUNTIME", str(tmp_path / "run"))

    def say(text: str) -> None:
        monkeypatch.setattr(cameras, "mpremote", lambda *_, **__: text)

    return say


def inside(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


def fails(bundle: Bundle, root: Path) -> str:
    """The line in which a deploy ends."""
    with pytest.raises(BlazePoserError) as raised, deployment.connected("/dev/camera", root) as asked:
        deployment.deploy(asked, lambda _: bundle, None, root, Silent())
    line = str(raised.value)
    assert line.isprintable()
    assert len(line) < 300
    return line


def changed(*path: str, to: Any) -> str:
    answer = copy.deepcopy(ANSWER)
    place = answer
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return json.dumps(answer)


def test_the_answer_that_the_others_are_made_of(says: Callable[[str], None], tmp_path: Path) -> None:
    says(json.dumps(ANSWER))
    with deployment.connected("/dev/camera", tmp_path) as asked:
        state = asked.state(["main.py"])
    assert (state.id, state.start, state.files) == (ANSWER["id"], "/flash", {"/flash/main.py": SHA})


@pytest.mark.parametrize(
    "text",
    [
        changed("start", to="/../../outside"),
        changed("start", to=["/flash"]),
        changed("start", to="/sdcard"),
        changed("id", to="*"),
        changed("id", to="../../outside"),
        changed("id", to=""),
        changed("id", to="ab" * 200),
        changed("version", to="5.0.0\x1b[2J\x1b]0;mine\x07"),
        changed("version", to=5),
        changed("version", to="five"),
        changed("arch", to=None),
        changed("drives", to=[]),
        changed("drives", "/flash", to=[0, 200]),
        changed("drives", "/flash", to=[512, -1]),
        changed("drives", "/flash", to=[512, 1e300]),
        changed("drives", "/flash", to=[[512], 200]),
        changed("drives", "/flash", to=[512, 200, 1]),
        changed("drives", "/../../x", to=[512, 200]),
        changed("files", to={"/flash/../../x": [5, SHA]}),
        changed("files", to={"/flash/boot.py": [5, SHA]}),
        changed("files", "/flash/main.py", to=[True, SHA]),
        changed("files", "/flash/main.py", to=[5, "../" * 21 + "x"]),
        changed("files", "/flash/main.py", to="x"),
        changed("rom", to=[]),
        changed("rom", "used", to=131073),
        changed("rom", "size", to=1 << 40),
        changed("rom", "sha256", to="../x"),
        changed("rom", "header", to=3001),
        changed("rom", "behind", to=[1 << 40]),
        changed("rom", "behind", to="3000"),
        changed("rom", "blank", to=131073),
        changed("rom", "room", to=131072),
        changed("rom", "files", to={"person.tflite": [65, 64, 2000, SHA]}),
        changed("rom", "files", to=["person.tflite"]),
        changed("rom", "files", to={"../../../x": [16, 64, 2000, SHA]}),
        changed("rom", "files", to={"/etc/x": [16, 64, 2000, SHA]}),
        changed("rom", "files", to={"a\\..\\..\\x": [16, 64, 2000, SHA]}),
        changed("rom", "files", to={"a\0b": [16, 64, 2000, SHA]}),
        changed("rom", "files", to={"x" * 300: [16, 64, 2000, SHA]}),
        changed("rom", "files", to={"person.tflite": [16, 64, 200_000_000, SHA]}),
        changed("rom", "files", to={"person.tflite": [-1, 64, 2000, SHA]}),
        json.dumps(ANSWER).replace("512", "1e999"),
        json.dumps(ANSWER).replace("512", "NaN"),
        json.dumps(ANSWER).replace("512", "9" * 5000),
        "[" * 100_000,
        '{"a":' * 100_000,
        "\x1b[31m",
        "",
    ],
)
def test_what_no_camera_says(says: Callable[[str], None], bundle: Bundle, tmp_path: Path, text: str) -> None:
    says(text)
    root = tmp_path / "a" / "b" / "backups"
    assert "does not answer like an OpenMV camera" in fails(bundle, root)
    assert inside(tmp_path) == []


@pytest.mark.parametrize("arch", ["\x1b[2J", "x" * 10_000, "some board"])
def test_a_board_that_nobody_knows(says: Callable[[str], None], bundle: Bundle, tmp_path: Path, arch: str) -> None:
    says(changed("arch", to=arch))
    fails(bundle, tmp_path)


@pytest.mark.parametrize(
    "result",
    [
        {**SELF_TEST, "bytes": 1e999},
        {**SELF_TEST, "equal": 1e999},
        {**SELF_TEST, "equal": 11},
        {**SELF_TEST, "largest": "\x1b[2J"},
        {**SELF_TEST, "faces": "many"},
        {**SELF_TEST, "expected": None},
        {},
    ],
)
def test_a_self_test_that_says_nonsense(says: Callable[[str], None], tmp_path: Path, result: dict[str, Any]) -> None:
    says(json.dumps(result))
    with (
        pytest.raises(BlazePoserError, match="self-test"),
        deployment.connected("/dev/camera", tmp_path) as asked,
    ):
        asked.self_test()


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "", "a//b", ".", "a\\b", "a\nb", "a\x1b[2J", "x" * 200])
def test_a_name_in_romfs_that_leads_out_of_it(path: str) -> None:
    """An image names its files as it likes; they become paths when it is packed again."""
    with pytest.raises(ValueError, match="is no path of a file"):
        romfs.pack({path: b"1"}, 16)
    name = path.encode()
    file = record(5, bytes([0x80 | len(name) >> 7, len(name) & 127]) + name + record(2, b"1"))
    image = b"\xd2\xcd\x31" + bytes([0x80 | len(file) >> 7, len(file) & 127]) + file
    with pytest.raises(ValueError, match=r"."):
        romfs.read(image)


def record(kind: int, payload: bytes) -> bytes:
    """A record of ROMFS (MicroPython, extmod/vfs_rom.c)."""
    return bytes([kind, 0x80 | len(payload) >> 7, len(payload) & 127]) + payload


def test_a_camera_that_does_not_stop_talking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    babble = tmp_path / "mpremote.py"
    babble.write_text("while True: print('x' * 1000, end='')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(mpremotes, "MOST", 100_000)
    with pytest.raises(PortError, match="reset the camera"):
        mpremotes.mpremote("/dev/camera", "exec", "pass")


def test_status_in_the_command_line(
    says: Callable[[str], None], tmp_path: Path, blazeposer_command: CommandLine
) -> None:
    says("[" * 100_000)
    run_ = blazeposer_command("status", "--port", "/dev/camera", "--backups", tmp_path)
    assert run_.status == 1
    assert run_.err.count("\n") == 1


@pytest.mark.parametrize("missed", [0, 1, 2])
@pytest.mark.usefixtures("says")
def test_a_camera_may_miss_one_ctrl_c(monkeypatch: pytest.MonkeyPatch, missed: int) -> None:
    attempts = []

    def say(port: str, *arguments: str, said: Callable[[str], None], expected: float = 0) -> str:
        attempts.append(arguments)
        if len(attempts) <= missed:
            raise mpremotes.NoRepl("no answer")
        return json.dumps(SELF_TEST)

    monkeypatch.setattr(cameras, "mpremote", say)
    asked = cameras.Camera(Port("/dev/camera"))
    if missed == 2:
        with pytest.raises(PortError, match="no answer"):
            asked.self_test()
    else:
        assert asked.self_test() == SELF_TEST
    assert attempts == [attempts[0]] * min(missed + 1, 2)


@pytest.mark.parametrize("line", ["[" * 100_000, "[[[1e999, 1, 1, 1], 1, [[1, 1]], [1, 2], 1]]", "[[1]]", "[3]"])
def test_faces_that_are_none(
    says: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, portrait: Image, line: str
) -> None:
    def say(port: str, *arguments: str, said: Callable[[str], None], expected: float = 0) -> str:
        said(line)
        return line

    monkeypatch.setattr(cameras, "mpremote", say)
    asked = cameras.Camera(Port("/dev/camera"))
    picture = np.asarray(cv2.resize(portrait, (128, 128)), np.uint8)
    with pytest.raises(PortError, match="sent an unreadable answer"):
        board.see(asked, [picture])
    with pytest.raises(PortError, match="sent an unreadable answer"):
        board.decoded_on(asked)
