"""Records and lines of a camera's stream."""

import json
import os
import socket
import threading
from collections.abc import Iterator

import pytest
import serial

from blazeposer.core.errors import PortError
from blazeposer.core.face import Face, Keypoints
from blazeposer.openmv.serial_port import open_port
from blazeposer.stream.record import Record, parse_line, read_records
from reading import read_lines

FACE = {
    "box": [1.5, -2, 30, 40.5],
    "score": 0.93,
    "keypoints": [0.5 * n for n in range(12)],
    "yaw": 1.2,
    "pitch": -3.4,
    "roll": 0.5,
    "err": 4.2,
}
LINE = json.dumps({"seq": 12, "t_ms": 3456, "fps": 9.8, "faces": [FACE]})


def test_line_becomes_a_record() -> None:
    points = Keypoints(*((float(n), n + 0.5) for n in range(6)))
    face = Face((1.5, -2.0, 30.0, 40.5), 0.93, points, 1.2, -3.4, 0.5, 4.2)
    assert parse_line(LINE) == Record(12, 3456, 9.8, (face,))
    assert parse_line(LINE.encode() + b"\r\n") == parse_line(LINE)
    assert face.angles == (1.2, -3.4, 0.5)
    assert face.err == 4.2


def test_line_without_faces() -> None:
    assert parse_line('{"seq": 0, "t_ms": 5, "fps": 0.5, "faces": []}') == Record(0, 5, 0.5, ())


@pytest.mark.parametrize(
    "line",
    [
        "",
        "MPY: soft reboot",
        LINE[:-5],
        LINE[7:],
        "[]",
        "12",
        "null",
        b"\xff\xfe\x00",
        "[" * 100_000,
        LINE.replace('"seq": 12', '"seq": "12"'),
        LINE.replace('"seq": 12', '"seq": -1'),
        LINE.replace('"seq": 12', '"seq": 1.5'),
        LINE.replace('"seq"', '"no"'),
        LINE.replace("9.8", "NaN"),
        LINE.replace("9.8", "true"),
        LINE.replace("9.8", "9" * 400),
        LINE.replace("-3.4", "Infinity"),
        LINE.replace("-3.4", '"-3.4"'),
        LINE.replace(', "err": 4.2', ""),
        LINE.replace("4.2", "null"),
        LINE.replace("[1.5, ", "["),
        LINE.replace("[0.0, ", "["),
        LINE.replace('"faces": [', '"faces": [3, '),
        LINE.replace('"faces": [', '"faces": [[], '),
        '{"seq": 0, "t_ms": 5, "fps": 0.5, "faces": {}}',
        '{"seq": 0, "t_ms": 5, "fps": 0.5, "faces": "none"}',
    ],
)
def test_garbage_is_no_record(line: str | bytes) -> None:
    assert line != LINE
    assert parse_line(line) is None


class Talker:
    """A port that says something and then, told so, hangs up."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self._connection: socket.socket | None = None
        self.is_open = threading.Event()
        """Set once a reader has opened the port."""
        threading.Thread(target=self._talk, daemon=True).start()

    def _talk(self) -> None:
        try:
            self._connection = self._server.accept()[0]
            self.is_open.wait()  # pyserial throws away what comes while it opens the port
            self._connection.sendall(self._said)
        except OSError:
            pass

    def hang_up(self) -> None:
        if self._connection:
            self._connection.close()
        self._server.close()


@pytest.fixture
def talker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Talker]:
    talker = Talker(request.param)

    def opened(port: str) -> serial.SerialBase:
        stream = open_port(port)
        talker.is_open.set()
        return stream

    monkeypatch.setattr("blazeposer.stream.record.open_port", opened)
    yield talker
    talker.hang_up()


NEXT = LINE.replace('"seq": 12', '"seq": 13')
NOISY = b"\xf0MPY: hello\r\n" + LINE.encode()[:20] + b"\n" + LINE.encode() + b"\r\n" + NEXT.encode() + b"\r\nand"


@pytest.mark.parametrize("talker", [NOISY], indirect=True)
def test_records_are_read_past_noise(talker: Talker) -> None:
    records = read_records(talker.port)
    assert next(records) == parse_line(LINE)
    assert next(records) == parse_line(NEXT)
    talker.hang_up()
    with pytest.raises(PortError, match="lost"):
        next(records)


STOPPED = b"BlazePoser stopped: no model\r\n"
GREETING = b'OpenMV v5.0.0; MicroPython v1.28.0; OPENMV4-STM32H743\r\nType "help()" for more information.\r\n>>> '
"""openmv v5.0, omv_mpconfigport.h; MicroPython 1.28, shared/runtime/pyexec.c."""


@pytest.mark.parametrize("talker", [STOPPED, STOPPED + GREETING], indirect=True)
def test_silent_camera_is_named_with_its_last_words(talker: Talker) -> None:
    with pytest.raises(PortError, match="BlazePoser stopped: no model"):
        next(read_records(talker.port, silence=5))


@pytest.mark.parametrize("talker", [b""], indirect=True)
def test_mute_camera(talker: Talker) -> None:
    with pytest.raises(PortError, match="sends nothing"):
        next(read_records(talker.port, silence=0.6))


@pytest.mark.parametrize("talker", [b"tick\n" * 200_000], indirect=True)
def test_talk_without_records_ends(talker: Talker) -> None:
    with pytest.raises(PortError, match="tick"):
        next(read_records(talker.port, silence=5))


@pytest.mark.parametrize(
    ("port", "reason"),
    [
        ("/dev/no-such-port", "(No such file or directory)"),
        ("socket://127.0.0.1:1", "(Connection refused)"),
        ("nonsense://x", "'nonsense' not known"),
        ("socket://127.0.0.1", ""),
    ],
)
def test_missing_port_is_one_line(port: str, reason: str) -> None:
    with pytest.raises(PortError) as raised:
        next(read_records(port))
    assert len(str(raised.value).splitlines()) == 1
    assert port in str(raised.value)
    assert reason in str(raised.value)
    assert "mpremote devs" in str(raised.value)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            "could not open port 'COM3': PermissionError(13, 'Access is denied.', None, 5)",
            "another program uses COM3",
        ),
        (
            "could not open port 'COM3': FileNotFoundError(2, 'The system cannot find the file specified.', None, 2)",
            "cannot open COM3 (The system cannot find the file specified): list",
        ),
        ("Could not configure port: (25, 'Inappropriate ioctl for device')", "(Inappropriate ioctl for device)"),
    ],
)
def test_reasons_of_other_systems(message: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyserial 3.5, serialwin32.py and serialposix.py, `open`."""

    def fail(*_: object, **__: object) -> None:
        raise serial.SerialException(message)

    monkeypatch.setattr(serial, "serial_for_url", fail)
    with pytest.raises(PortError) as raised:
        open_port("COM3")
    assert words in str(raised.value)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
def test_bytes_that_arrive_before_the_port_is_open_are_kept() -> None:
    """pyserial 3.5 deletes them (serialposix.py, `open`), but they can be all that a camera says."""
    master, slave = os.openpty()
    os.write(master, b"BlazePoser stopped\n")
    try:
        assert next(read_lines(os.ttyname(slave))) == "BlazePoser stopped"
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
def test_taken_port_is_one_line() -> None:
    master, slave = os.openpty()
    name = os.ttyname(slave)
    os.write(master, b"hello\n")
    try:
        first = read_lines(name)
        assert next(first) == "hello"
        with pytest.raises(PortError) as raised:
            next(read_records(name))
        assert len(str(raised.value).splitlines()) == 1
    finally:
        os.close(master)
        os.close(slave)
