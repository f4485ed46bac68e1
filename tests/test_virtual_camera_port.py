"""The virtual camera's port is for its user alone, and its MicroPython reaches nothing of the PC."""

import ctypes
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from blazeposer.camera import VirtualCamera, micropython
from blazeposer.camera.micropython import MicroPython
from blazeposer.core.errors import BlazePoserError, PortError
from blazeposer.openmv import register
from blazeposer.openmv.mpremote import mpremote
from reading import connect
from waiting import HANG, InThread, until

FRAME = np.full((240, 320, 3), 90, np.uint8)
needs_landlock = pytest.mark.skipif(
    sys.platform != "linux" or ctypes.CDLL(None).syscall(444, None, 0, 1) < 4,
    reason="this system lacks Landlock, or its version 4",
)


@pytest.fixture
def camera(needs_virtual_camera: None) -> Iterator[VirtualCamera]:
    with VirtualCamera([FRAME]) as camera:
        yield camera


def test_the_port_is_a_terminal_of_this_user_alone(camera: VirtualCamera) -> None:
    found = os.stat(camera.port)
    assert stat.S_ISCHR(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_uid == os.getuid()


def listening() -> set[str]:
    """Return the TCP sockets at which this process listens."""
    mine = {os.readlink(file) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()}
    table = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {f"socket:[{line[9]}]" for line in table if line[3] == "0A"} & mine


@pytest.mark.usefixtures("needs_virtual_camera")
def test_a_camera_listens_at_no_tcp_port() -> None:
    before = listening()  # other tests' of this process
    with VirtualCamera([FRAME]) as camera:
        mpremote(camera.port, "exec", "pass")
        assert listening() <= before


@pytest.mark.parametrize("name", ["system", "getenv", "putenv", "VfsPosix"])
@pytest.mark.parametrize("module", ["os", "uos", "vfs", "ml._os"])
def test_what_a_camera_lacks_is_not_there(camera: VirtualCamera, module: str, name: str) -> None:
    code = f"import {module.partition('.')[0]}; print(hasattr({module}, {name!r}))"
    assert mpremote(camera.port, "exec", code) == "False\n"


@needs_landlock
def test_nothing_of_the_pc_is_in_reach(camera: VirtualCamera, tmp_path: Path) -> None:
    """Whatever a script finds in its process, Linux does not let it out: here it takes the unix build's own modules."""
    secret, target = tmp_path / "secret", tmp_path / "target"
    secret.write_text("my password")
    again = "import sys\nfor name in ('os', 'uos', 'vfs'): sys.modules.pop(name, None)\nimport os, vfs\n"
    for attempt in (
        f"os.system('cat {secret} > {target}')",
        f"vfs.mount(vfs.VfsPosix('/'), '/pc'); print(open('/pc{secret}').read())",
        f"vfs.mount(vfs.VfsPosix('/'), '/pc'); open('/pc{target}', 'w')",
        f"vfs.mount(vfs.VfsPosix('/'), '/pc'); os.remove('/pc{secret}')",
        f"print(vfs._files.open('/../..{secret}', 'r').read())",
        "import socket; s = socket.socket(); s.connect(socket.getaddrinfo('127.0.0.1', 9)[0][-1])",
        "import socket; s = socket.socket(); s.bind(socket.getaddrinfo('127.0.0.1', 0)[0][-1])",
    ):
        try:
            said = mpremote(camera.port, "exec", again + attempt)
        except PortError as error:
            said = str(error)
        assert "password" not in said
        assert "system" in attempt or "Error" in said
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize(
    "question",
    [
        "'rename', old='/flash/a', new='/../../{name}'",
        "'rename', old='{path}', new='/flash/a'",
        "'load', path='/../../..{path}'",
        "'arena', path='/flash/../../../{path}'",
    ],
)
def test_questions_to_the_pc_stay_in_the_camera(camera: VirtualCamera, tmp_path: Path, question: str) -> None:
    outside = camera.folder.parent / f"{camera.folder.name}-outside"
    secret = tmp_path / "secret"
    secret.write_text("my password")
    (camera.folder / "flash" / "a").write_text("the camera's")
    question = question.format(name=outside.name, path=secret)
    if question.startswith("'rename', old='/tmp"):
        question = question.replace("old='", "old='/../..")
    with pytest.raises(PortError, match="no such file"):
        mpremote(camera.port, "exec", f"import csi; csi._ask({question})")
    assert not outside.exists()
    assert secret.read_text() == "my password"


@pytest.mark.usefixtures("needs_virtual_camera")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_leaves_nothing_behind(tmp_path: Path, portrait_path: Path, ending: signal.Signals) -> None:
    command = [sys.executable, "-m", "blazeposer", "camera", str(portrait_path)]
    (tmp_path / "tmp").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp"), "BLAZEPOSER_RUNTIME": str(tmp_path / "run")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout
            port = process.stdout.readline().strip()
            entries = tmp_path / "run" / "cameras"
            assert list((tmp_path / "tmp").iterdir())
            assert list(entries.iterdir())
            mpremote(port, "exec", "pass")
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            children += [
                child
                for task in Path(f"/proc/{process.pid}/task").iterdir()
                for child in (task / "children").read_text().split()
            ]
            assert children
            process.send_signal(ending)
            assert process.wait(HANG) == 0
        finally:
            process.kill()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert list(entries.iterdir()) == []
    assert not any(Path(f"/proc/{child}").exists() for child in children)


@pytest.mark.usefixtures("needs_virtual_camera")
def test_micropython_does_not_outlive_a_killed_camera(portrait_path: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "blazeposer", "camera", str(portrait_path)]
    environment = os.environ | {"TMPDIR": str(tmp_path), "BLAZEPOSER_RUNTIME": str(tmp_path / "run")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        mpremote(process.stdout.readline().strip(), "exec", "--no-follow", "while True: pass")
        tasks = Path(f"/proc/{process.pid}/task").iterdir()
        children = [child for task in tasks for child in (task / "children").read_text().split()]
        process.kill()
    assert children
    until(lambda: not any(is_alive(child) for child in children), "MicroPython's end")


def is_alive(pid: str) -> bool:
    """Return whether a process runs; one that has ended may wait for somebody who asks how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.usefixtures("needs_virtual_camera")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_to_any_command_leaves_nothing_behind(tmp_path: Path, ending: signal.Signals) -> None:
    """The program starts a camera of its own, as `demo` and `validate` do."""
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, time\nimport numpy as np\nfrom blazeposer import cli\n"
        "from blazeposer.camera import VirtualCamera\n"
        "def run(**_):\n"
        "    with VirtualCamera([np.zeros((240, 320, 3), np.uint8)]) as camera:\n"
        "        print(camera.port, flush=True)\n"
        "        time.sleep(60)\n"
        "cli.cli.main = run\n"
        "sys.exit(cli.main([]))\n"
    )
    (tmp_path / "tmp").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp"), "BLAZEPOSER_RUNTIME": str(tmp_path / "run")}
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout
            assert process.stdout.readline()
            process.send_signal(ending)
            assert process.wait(HANG) == 128 + ending
        finally:
            process.kill()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert list((tmp_path / "run" / "cameras").iterdir()) == []


def ends_with(camera: VirtualCamera, text: bytes) -> bool:
    """Return whether this is the last that waits for the next program."""
    cable = camera._cable
    return cable is not None and cable.outgoing.endswith(text)


def test_the_next_program_gets_the_latest_that_was_printed(camera: VirtualCamera) -> None:
    """MicroPython 1.28, shared/tinyusb/mp_usbd_cdc.c: "When not connected we always write to usb fifo"."""
    for number in range(3):
        with connect(camera.port) as link:
            link.write(b"\r\x03")
            link.read_until(b">>> ")
            link.write(b"import os\rwhile 'closed%d' not in os.listdir('/flash'): pass\r\r" % number)
            link.write(b"print('first', 'x' * 1000, 'late %d')\r" % number)
            link.read_until(b"\r\n... ")
        (camera.folder / "flash" / f"closed{number}").touch()
        ending = b"late %d\r\n>>> " % number
        until(partial(ends_with, camera, ending), "what is printed later")
    with connect(camera.port) as link:
        link.write(b"\rprint('new')\r")
        said = link.read_until(b"\r\nnew\r\n")
    assert b"late 2" in said
    assert b"late 1" not in said
    assert b"first" not in said


def test_ctrl_c_reaches_a_script_that_imports(camera: VirtualCamera) -> None:
    """On a camera nothing takes it for a file that is missing, as MicroPython 1.28's mp_vfs_import_stat does here."""
    with connect(camera.port) as link:
        link.write(b"\r\x03\x01")
        link.read_until(b"CTRL-B to exit\r\n>")
        for _ in range(20):
            link.write(b"while True:\n try:\n  import nothing\n except ImportError:\n  pass\n\x04")
            assert link.read_until(b"OK") == b"OK"
            link.write(b"\x03")
            assert b"KeyboardInterrupt" in link.read_until(b"\x04>")


@pytest.mark.usefixtures("needs_virtual_camera")
def test_what_the_camera_fails_with_is_said_when_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """The PC has no memory for one more process."""
    camera = VirtualCamera([FRAME])
    monkeypatch.setattr(camera, "_start_micropython", fail)
    camera.reset()
    assert not camera.is_running
    with pytest.raises(OSError, match="no more processes"):
        camera.stop()
    assert not camera.folder.exists()
    assert camera.device.serial not in register.running()


@pytest.mark.usefixtures("needs_virtual_camera")
@pytest.mark.parametrize(("start", "reason"), [("1 / 0", "divide by zero"), ("import sys\nsys.exit()", "it ends")])
def test_a_firmware_that_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, start: str, reason: str
) -> None:
    shutil.copytree(micropython._SHIMS, tmp_path / "shims")
    (tmp_path / "shims" / "start.py").write_text(start)
    monkeypatch.setattr(micropython, "_SHIMS", tmp_path / "shims")
    with pytest.raises(BlazePoserError, match=f"does not start: .*{reason}"):
        VirtualCamera([FRAME])


def test_a_cable_that_is_unplugged_during_a_reset(camera: VirtualCamera) -> None:
    resetting = InThread(camera.reset)
    until(lambda: not camera.is_plugged_in, "the reset")
    camera.unplug_after(0)
    resetting.join()
    until(lambda: camera._micropython is None, "the cut")
    camera.plug_in()
    assert mpremote(camera.port, "exec", "print(1)") == "1\n"


def fail(hard: bool) -> MicroPython:
    raise OSError("no more processes")


@pytest.mark.usefixtures("needs_virtual_camera")
def test_the_camera_may_stop_before_it_is_woken() -> None:
    with VirtualCamera([FRAME]) as camera:

        class Late(threading.Event):
            """Returns when the camera's thread has seen it, as it may on a busy PC."""

            def set(self) -> None:
                super().set()
                camera._thread.join()

        camera._stop = Late()
