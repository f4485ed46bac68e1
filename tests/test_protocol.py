"""The packed record, and the link that reads it and the camera's images through the package `openmv`."""

import os
import re
import signal
import subprocess
import sys
import time
from ast import literal_eval
from collections.abc import Iterator
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from blazeposer.camera import VirtualCamera, view
from blazeposer.commands.watch import camera_link
from blazeposer.core.errors import PortError
from blazeposer.core.face import Face, Keypoints
from blazeposer.core.prepare import Image
from blazeposer.core.resources import board_dir
from blazeposer.live.recording import read
from blazeposer.live.session import run
from blazeposer.live.usb import UsbLink
from blazeposer.openmv import ports
from blazeposer.stream import packed
from blazeposer.stream.record import VERSION, Counts, Reader, Record, Timing, as_line, parse_line
from breaking import damaged, replaced
from conftest import CommandLine
from live import FOV
from outputs import Outputs, synthetic_outputs
from test_board import fake_network, install, set_option
from test_watch import Watch
from waiting import HANG, until

__all__ = ["fake_network"]

POINTS = Keypoints(*((100.5 + n, 90.25 - n) for n in range(6)))
FACE = Face((71.2, 64.0, 88.1, 88.3), 0.935, POINTS, 1.2, -3.4, 0.5, 4.2, 1)
ROOM = 4
"""Faces for which a channel has room."""


def record(seq: int, faces: int = 1) -> Record:
    return Record(seq, 33 * seq, 29.9, (FACE,) * faces, (320, 200), Timing(3.1, 60.2, 1.4))


def pack(what: Record) -> bytes:
    """Return the record as board/channel.py packs it."""
    assert what.ms
    data = packed.HEAD.pack(VERSION, len(what.faces), *what.size, what.seq, what.t_ms, what.fps, *astuple(what.ms))
    for face in what.faces:
        data += packed.FACE.pack(
            face.id, face.score, face.err, *face.box, *np.ravel(face.keypoints).tolist(), *face.angles
        )
    return data.ljust(packed.HEAD.size + ROOM * packed.FACE.size, b"\xee")


def counted(*data: bytes) -> tuple[list[int], Counts]:
    reader = Reader()
    seen = [found.seq for each in data if (found := reader.take(packed.values(each)))]
    return seen, reader.counts


@pytest.mark.parametrize("faces", range(ROOM + 1))
def test_a_record_comes_back(faces: int) -> None:
    found = Reader().take(packed.values(pack(record(7, faces))))
    assert found == record(7, faces)
    assert parse_line(as_line(found)) == found


def test_a_clock_of_years_comes_back() -> None:
    old = replace(record(2**32 - 1), t_ms=10**12)
    assert Reader().take(packed.values(pack(old))) == old


def test_the_board_packs_what_the_pc_reads() -> None:
    source = (board_dir() / "channel.py").read_text()
    constants = {
        name: literal_eval(re.findall(rf"^{name} = (\S+)", source, re.M)[0]) for name in ("VERSION", "HEAD", "FACE")
    }
    assert constants == {"VERSION": VERSION, "HEAD": packed.HEAD.format, "FACE": packed.FACE.format}
    assert f'name="{packed.CHANNEL}"' in source


_ON_BOARD = """
import sys
sys.path[:] = [{modules!r}, {board!r}]
from channel import Channel
from collections import namedtuple
Face = namedtuple("Face", "box score keypoints angles err")
channel = Channel({room})
size = channel.size()
print(channel.poll(), size)
for seq, ids in enumerate({ids!r}):
    face = Face({box!r}, {score!r}, {points!r}, {angles!r}, {err!r})
    channel.publish((seq, 33 * seq, 29.9, 3.1, 60.2, 1.4), (320, 200), [(id, face, None) for id in ids])
    print(channel.poll(), bytes(channel.read(0, size)).hex(), channel.poll(), channel.size() == size)
"""


@pytest.mark.usefixtures("needs_virtual_camera")
def test_micropython_packs_what_the_pc_reads(tmp_path: Path) -> None:
    """Also, a record after a longer one still says how many faces it has."""
    (tmp_path / "protocol.py").write_text("def is_active(): return True\ndef register(name, backend): pass\n")
    script, ids = tmp_path / "script.py", [(1, 2), (), (7,), (1, 2, 3, 4)]
    script.write_text(
        _ON_BOARD.format(
            modules=str(tmp_path), board=str(board_dir()), room=ROOM, ids=ids, box=FACE.box, score=FACE.score,
            points=list(FACE.keypoints), angles=FACE.angles, err=FACE.err,
        )
    )  # fmt: skip
    command = [sys.executable, "-m", "micropython_unix", str(script)]
    first, *lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert first == f"False {packed.HEAD.size + ROOM * packed.FACE.size}"
    assert len(lines) == len(ids)
    for seq, (line, numbers) in enumerate(zip(lines, ids, strict=True)):
        before, data, after, same_size = line.split()
        assert (before, after, same_size) == ("True", "False", "True")
        expected = replace(record(seq), faces=tuple(replace(FACE, id=number) for number in numbers))
        assert Reader().take(packed.values(bytes.fromhex(data))) == expected


def test_what_is_lost_repeated_late_or_broken_is_counted() -> None:
    other = bytes([VERSION + 1]) + pack(record(3))[1:]
    cut = pack(record(4, ROOM))[:-1]
    seen, counts = counted(
        *(pack(record(n)) for n in (0, 1, 1, 5, 4)), other, cut, b"", pack(record(6)), pack(record(0, faces=2))
    )
    assert seen == [0, 1, 5, 4, 6, 0]
    assert counts == Counts(records=6, skipped=2, repeated=1, late=1, garbled=2, other_version=1, restarts=1)


ODD_FLOATS = [b"\0\0\xc0\x7f", b"\0\0\x80\xff", b"\xff\xff\x7f\x7f"]
"""NaN, infinity and a huge number."""
BROKEN = (
    st.builds(record, st.integers(0, 10**6), st.integers(0, 2))
    .map(pack)
    .flatmap(
        lambda data: (
            damaged(data)
            | replaced(data, packed.HEAD.size - 16, ODD_FLOATS)
            | st.integers(0, 255).map(lambda faces: data[:1] + bytes([faces]) + data[2:])
        )
    )
)


@given(st.lists(st.tuples(BROKEN, st.integers(0, 2)), max_size=8))
def test_a_record_is_read_after_whatever_is_broken(pieces: list[tuple[bytes, int]]) -> None:
    reader = Reader()
    for number, (broken, faces) in enumerate(pieces):
        reader.take(packed.values(broken))
        intact = replace(record(10**7 + number, faces), t_ms=10**9 + number)
        assert reader.take(packed.values(pack(intact))) == intact


@pytest.fixture
def camera(
    needs_virtual_camera: None, fake_network: list[Outputs], portrait: Image, model_path: Path
) -> Iterator[VirtualCamera]:
    """Runs main.py, and sees a person who stands still; faces are made up."""
    pytest.importorskip("openmv", reason="the extra `openmv` is not installed")
    fake_network += [synthetic_outputs(seed, faces=seed % 3) for seed in range(7)]
    with VirtualCamera([portrait]) as camera:
        install(camera, model_path)
        camera.reset()
        yield camera


def protocol_link() -> type[UsbLink]:
    """Imported late, since tests of all else need no package."""
    from blazeposer.live.protocol_v2 import ProtocolLink

    return ProtocolLink


def watch(port: str, silence: float = 15.0) -> Watch:
    return Watch(ports.find(port), silence, protocol_link())


def test_records_come_with_pictures(camera: VirtualCamera, portrait: Image) -> None:
    watching = watch(camera.port)

    def counts_of_faces() -> set[int]:
        return {len(moment.record.faces) for moment in watching.moments if moment.record}

    until(lambda: sum(moment.picture is not None for moment in watching.moments) >= 5, "five pictures")
    until(lambda: counts_of_faces() >= {0, 1, 2}, "records with none, one and two faces")
    watching.stop()
    records = [moment.record for moment in watching.moments if moment.record]
    assert {len(found.faces) for found in records} > {0}
    assert all(found.size == (240, 240) and found.ms for found in records)
    counts = watching.link.counts
    assert (counts.garbled, counts.other_version, counts.late, counts.restarts) == (0, 0, 0, 0)
    assert counts.lost == 0
    assert counts.records + counts.skipped == records[-1].seq - records[0].seq + 1
    picture = next(moment.picture for moment in watching.moments if moment.picture is not None)
    assert np.abs(picture.astype(int) - view(portrait)).mean() < 4  # JPEG


def test_a_record_comes_with_its_own_picture(
    needs_virtual_camera: None, fake_network: list[Outputs], model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image has the record's number, or the one before where PC or camera is slow."""
    pytest.importorskip("openmv", reason="the extra `openmv` is not installed")
    monkeypatch.setattr("blazeposer.live.protocol_v2._PICTURE", HANG)  # a busy PC may take longer
    fake_network += [synthetic_outputs(1, faces=1)]
    shades = 10

    def picture(number: int) -> Image:
        time.sleep(0.15)  # as a sensor and a network take, a little longer for a PC that does all of it
        return np.full((240, 240, 3), 20 + 20 * (number % shades), np.uint8)

    with VirtualCamera(picture) as camera:
        install(camera, model_path)
        camera.reset()
        watching = watch(camera.port)
        until(lambda: sum(moment.picture is not None for moment in watching.moments) >= 30, "thirty pictures")
        watching.stop()
    behind = [
        (moment.record.seq - round((float(moment.picture.mean()) - 20) / 20)) % shades
        for moment in watching.moments
        if moment.record and moment.picture is not None
    ]
    assert behind.count(0) > 0.6 * len(behind), behind


def test_both_links_bring_the_same(camera: VirtualCamera, fake_network: list[Outputs]) -> None:
    """The lines have one decimal, so theirs are the packed values, rounded."""
    fake_network[:] = [synthetic_outputs(2, faces=2)]
    set_option(camera, "CLOSER", "False")
    camera.reset()
    found: list[NDArray[np.float64]] = []
    for start in (watch, lambda port: Watch(ports.find(port))):
        watching = start(camera.port)
        until(lambda: watching.records() >= 3, "three records")  # noqa: B023
        watching.stop()
        moments = [moment.record for moment in watching.moments if moment.record]
        faces = [np.hstack([np.ravel(face.keypoints), face.box, face.angles, face.err]) for face in moments[-1].faces]
        found.append(np.array(faces))
    assert found[0].size
    np.testing.assert_allclose(found[0], found[1], atol=0.06)


def test_pictures_come_by_themselves_where_they_can(camera: VirtualCamera) -> None:
    from blazeposer.live.protocol_v2 import AutoLink

    watching = Watch(ports.find(camera.port), 15.0, AutoLink)
    until(lambda: any(moment.picture is not None for moment in watching.moments), "a picture")
    watching.stop()
    assert watching.moments[-1].blind == ""
    assert watching.link.counts.lost == 0


def test_a_camera_without_the_protocol_is_read_by_its_lines(
    camera: VirtualCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blazeposer.live import protocol_v2

    def refuse(name: str) -> None:
        raise protocol_v2.NoProtocolError(f"{name} does not answer in Protocol V2: update the camera")

    monkeypatch.setattr(protocol_v2, "_opened", refuse)
    watching = Watch(ports.find(camera.port), 15.0, protocol_v2.AutoLink)
    until(lambda: watching.records() >= 3, "three records")
    watching.stop()
    assert watching.moments[-1].blind == f"no images: {camera.port} does not answer in Protocol V2: update the camera"


@pytest.mark.parametrize(
    ("protocol", "web", "kind"),
    [("auto", True, "AutoLink"), ("auto", False, "UsbLink"), ("v2", False, "ProtocolLink"), ("json", True, "UsbLink")],
)
def test_which_link_a_session_takes(protocol: str, web: bool, kind: str) -> None:
    pytest.importorskip("openmv", reason="the extra `openmv` is not installed")
    assert type(camera_link(ports.Port("/dev/x"), protocol, web)).__name__ == kind


def test_without_the_package_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openmv", None)
    monkeypatch.delitem(sys.modules, "blazeposer.live.protocol_v2", raising=False)
    link = camera_link(ports.Port("/dev/x"), "auto", web=True)
    assert link.blind == "no images: openmv is not installed: run `pip install 'blazeposer[openmv]'`"


def test_a_camera_that_is_unplugged_comes_back(camera: VirtualCamera) -> None:
    watching = watch(camera.port)
    until(lambda: watching.records() >= 3, "three records")
    camera.unplug_after(0)
    gone = f"{camera.port} was unplugged: waiting until it is plugged in again"
    until(lambda: watching.moments[-1].state == gone, "the loss")
    before = watching.records()
    camera.plug_in()
    until(lambda: watching.records() >= before + 3, "more records")
    watching.stop()
    assert watching.moments[-1].state == ""
    assert watching.link.counts.restarts == 1


def test_a_camera_that_stops_says_why(camera: VirtualCamera) -> None:
    """Output without a listener is lost, as on a real camera, so the script waits for a listener first."""
    listening = "import protocol, time\nwhile not protocol.is_active():\n    time.sleep(0.05)\ntime.sleep(0.5)\n"
    (camera.folder / "flash" / "main.py").write_text(f"{listening}raise OSError('no model')\n")
    camera.reset()
    watching = watch(camera.port, silence=2.0)
    why = "sends no records: reset the camera; its last line was: OSError: no model"
    until(lambda: bool(watching.moments) and why in watching.moments[-1].state, "the reason")
    watching.stop()


def test_a_camera_without_the_channel_prints_its_records(camera: VirtualCamera) -> None:
    """One that has the scripts of an earlier version."""
    (camera.folder / "flash" / "channel.py").unlink()
    camera.reset()
    watching = watch(camera.port)
    until(lambda: watching.records() >= 3, "three records")
    watching.stop()


def test_the_command_until_interrupted(camera: VirtualCamera, tmp_path: Path) -> None:
    """Through a loss of the port, of which the package would log much, and then exit."""
    path = tmp_path / "session.jsonl"
    options = ["--protocol", "v2", "--port", camera.port, "--record", str(path)]
    command = [sys.executable, "-m", "blazeposer", "watch", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        until(lambda: path.exists() and len(path.read_text().splitlines()) >= 3, "three records")
        camera.unplug_after(0)
        time.sleep(0.5)
        camera.plug_in()
        before = len(path.read_text().splitlines())
        until(lambda: len(path.read_text().splitlines()) >= before + 3, "three more")
        watching.send_signal(signal.SIGINT)
        out, err = watching.communicate(timeout=HANG)
    assert (watching.returncode, err) == (0, "")
    assert "was unplugged: waiting until it is plugged in again" in out
    assert "1 restarts" in out.splitlines()[-1]
    # ^C may come when the last one is counted and not yet written
    assert int(out.splitlines()[-1].split()[0]) - len(list(read(path))) in (0, 1)


def test_no_package_is_one_line(blazeposer_command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openmv", None)
    monkeypatch.delitem(sys.modules, "blazeposer.live.protocol_v2", raising=False)
    ended = blazeposer_command("watch", "--protocol", "v2", "--port", "/dev/ttyACM9")
    assert ended.status == 1
    assert ended.err.startswith("blazeposer: openmv")
    assert "pip install 'blazeposer[openmv]'" in ended.err


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
class TestPorts:
    """Ports that are none, or not ours."""

    @pytest.fixture
    def port(self) -> Iterator[str]:
        """Yield the port of a device that never sends anything."""
        pytest.importorskip("openmv", reason="the extra `openmv` is not installed")
        master, slave = os.openpty()
        yield os.ttyname(slave)
        os.close(master)
        os.close(slave)

    def fails(self, port: str) -> str:
        with pytest.raises(PortError) as raised:
            run(protocol_link()(ports.Port(port)), [], fov=FOV)
        assert len(str(raised.value).splitlines()) == 1
        return str(raised.value)

    def test_a_port_has_one_user(self, port: str) -> None:
        with serial.Serial(port, exclusive=True):
            assert re.match(f"another program.*{re.escape(port)}.*close", self.fails(port))

    def test_a_device_that_does_not_answer(self, port: str, monkeypatch: pytest.MonkeyPatch) -> None:
        from blazeposer.live import protocol_v2

        monkeypatch.setattr(protocol_v2, "_ANSWER", 0.05)
        assert "does not answer in Protocol V2: update the camera to OpenMV firmware 5.0" in self.fails(port)

    def test_a_port_that_is_none(self, port: str) -> None:
        assert "mpremote devs" in self.fails("/dev/no-such-port")
        assert "Protocol V2 needs a serial port" in self.fails("socket://127.0.0.1:1")
