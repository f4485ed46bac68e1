"""`blazeposer watch` on the virtual camera: unplugged, replugged, silent, restarted, taken."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from blazeposer.camera import VirtualCamera
from blazeposer.core.errors import PortError
from blazeposer.live.links import Arrival
from blazeposer.live.recording import read
from blazeposer.live.session import Moment, run
from blazeposer.live.usb import UsbLink
from blazeposer.openmv import ports
from live import FOV, record, streaming_camera
from waiting import HANG, InThread, until

pytestmark = pytest.mark.usefixtures("needs_virtual_camera")


@pytest.fixture
def camera(needs_virtual_camera: None) -> Iterator[VirtualCamera]:
    camera = streaming_camera()
    yield camera
    camera.stop()


class Watch:
    """A session in a thread; it ends when told."""

    def __init__(self, port: ports.Port, silence: float = 15.0, kind: type[UsbLink] = UsbLink) -> None:
        self.moments: list[Moment] = []
        self._stop = threading.Event()
        self.link = kind(port, silence)
        self._thread = InThread(lambda: run(self.link, [self], fov=FOV))

    def show(self, moment: Moment) -> None:
        self.moments.append(moment)
        if self._stop.is_set():
            raise _Stopped

    @property
    def states(self) -> list[str]:
        """Each that was, once in a row."""
        states = [moment.state for moment in self.moments]
        return [state for before, state in zip([None, *states], states, strict=False) if state != before]

    def records(self) -> int:
        return sum(moment.record is not None for moment in self.moments)

    def stop(self) -> None:
        self._stop.set()
        with pytest.raises(_Stopped):
            self._thread.join()


class _Stopped(Exception):
    pass


def test_a_camera_that_is_unplugged_comes_back(camera: VirtualCamera) -> None:
    watch = Watch(ports.find(camera.port))
    until(lambda: watch.records() >= 5, "five records")
    for _ in range(2):
        camera.unplug_after(0)
        until(lambda: "was unplugged: waiting until it is plugged in again" in watch.moments[-1].state, "the loss")
        before = watch.records()
        camera.plug_in()
        until(lambda before=before: watch.records() >= before + 5, "more records")  # type: ignore[misc]
        assert watch.moments[-1].state == ""
    watch.stop()
    assert watch.link.counts.restarts == 2
    assert watch.link.counts.garbled == 0
    assert sum(state.endswith(" was unplugged: waiting until it is plugged in again") for state in watch.states) == 2


def test_a_camera_that_comes_back_elsewhere_is_found(needs_virtual_camera: None) -> None:
    camera = streaming_camera(moves=True)
    try:
        port = ports.find(camera.port)
        watch = Watch(port)
        until(lambda: watch.records() >= 3, "three records")
        camera.reset()
        until(lambda: camera.port != port.device, "another port")
        before = watch.records()
        until(lambda: watch.records() >= before + 3, "more records")
        watch.stop()
        assert watch.moments[-1].name == camera.port
    finally:
        camera.stop()


def test_a_camera_without_its_script_says_why(camera: VirtualCamera) -> None:
    (camera.folder / "flash" / "blazeposer.tflite").unlink()
    camera.reset()
    watch = Watch(ports.find(camera.port), silence=2.0)
    until(
        lambda: (
            "sends no records: reset the camera; its last line was: " in watch.moments[-1].state
            if watch.moments
            else False
        ),
        "why",
    )
    watch.stop()


def test_what_is_said_while_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera of one image a second is no quiet one."""
    now = 0.0
    monkeypatch.setattr("blazeposer.live.usb.time", SimpleNamespace(monotonic=lambda: now, time=lambda: now))
    link = UsbLink(ports.Port("port"))

    def deliveries() -> Iterator[list[Arrival]]:
        nonlocal now
        for pause, seq in ((1.5, 0), (1.2, 1), (1.2, 2), (21.0, 3)):
            for _ in range(int(pause / 0.1)):
                now += 0.1
                yield []
            yield [Arrival(record(seq), now)]

    monkeypatch.setattr(link, "_deliveries", deliveries)
    states = [""]
    for _ in link._connected():
        states += [link.state] * (link.state != states[-1])
    assert states == [
        "",
        "port is connected: waiting for its first faces",
        "",
        "port sends nothing: waiting for its next faces",
        "port sends nothing: run `blazeposer deploy`, or reset the camera if it has main.py",
        "",
    ]


def test_a_port_that_never_was_is_an_error() -> None:
    with pytest.raises(PortError, match="mpremote devs"):
        run(UsbLink(ports.Port("socket://127.0.0.1:1")), [], fov=FOV)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
def test_a_taken_port_is_said() -> None:
    master, slave = os.openpty()
    watch = Watch(ports.Port(os.ttyname(slave)))
    try:
        until(lambda: len(watch.moments) > 0, "the port's opening")
        with pytest.raises(PortError, match=r"another program.*close OpenMV IDE"):
            run(UsbLink(ports.Port(os.ttyname(slave))), [], fov=FOV)
        watch.stop()
    finally:
        os.close(master)
        os.close(slave)


def test_watch_command_until_interrupted(camera: VirtualCamera, tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    command = [sys.executable, "-m", "blazeposer", "watch", "--port", camera.port, "--record", str(path), "--raw"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        until(lambda: path.exists() and len(path.read_text().splitlines()) >= 10, "ten records")
        watching.send_signal(signal.SIGINT)
        out, err = watching.communicate(timeout=HANG)
    assert (watching.returncode, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"Recording to {path}"
    assert re.search(r"face \d+ [+-]", out)
    assert lines[-1].endswith(" 0 lost, 0 repeated, 0 late, 0 garbled")
    assert len(list(read(path))) == int(lines[-1].split()[0])
