"""Each fault of a deploy ends in one clear line, and no byte is lost."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import serial

from blazeposer.camera import VirtualCamera
from blazeposer.core.boards import find
from blazeposer.core.errors import BlazePoserError, PortError
from blazeposer.deploy import backup as backups
from blazeposer.deploy import deployment
from blazeposer.deploy.bundle import MODEL, Bundle, make
from blazeposer.deploy.camera import SUFFIX
from blazeposer.deploy.deployment import Status
from blazeposer.openmv import romfs
from blazeposer.openmv.mpremote import mpremote
from conftest import CommandLine
from deploying import FRAME, Silent, deploy, held, in_use, restore, status
from standin import standin
from waiting import HANG

BOARD = "h7"


@pytest.fixture
def camera(needs_virtual_camera: None) -> Iterator[VirtualCamera]:
    with VirtualCamera([FRAME], board=BOARD) as camera:
        in_use(camera)
        yield camera


def fails(camera: VirtualCamera, bundle: Bundle, root: Path, **options: object) -> str:
    """The line in which a deploy ends."""
    with pytest.raises(BlazePoserError) as raised:
        deploy(camera, bundle, root, **options)  # type: ignore[arg-type]
    line = str(raised.value)
    assert "\n" not in line
    assert "Traceback" not in line
    return line


def test_flash_full(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    (camera.folder / "flash" / "log.txt").write_bytes(bytes(120_000))
    before = held(camera)
    assert "delete files there" in fails(camera, bundle, tmp_path)
    assert held(camera) == before
    assert not list(tmp_path.rglob("backup.json"))


@pytest.mark.slow
def test_flash_that_fills_up_meanwhile(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    before = held(camera)

    def fill(stage: str) -> None:
        if stage == "writing":
            (camera.folder / "flash" / "log.txt").write_bytes(bytes(122_000))

    line = fails(camera, bundle, tmp_path, guide=Silent(fill))
    assert "No space left" in line
    assert line.endswith("delete files there, then run the command again")
    (camera.folder / "flash" / "log.txt").unlink()
    assert {path: data for path, data in held(camera).items() if not path.endswith(SUFFIX)} == before
    deploy(camera, bundle, tmp_path)
    restore(camera, tmp_path)
    assert held(camera) == before


def test_romfs_too_small(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    before = held(camera)
    large = replace(bundle, files={**bundle.files, MODEL: standin(ballast=140_000)})
    line = fails(camera, large, tmp_path, to="rom")
    assert "131,072" in line
    assert held(camera) == before


@pytest.mark.slow
@pytest.mark.usefixtures("needs_virtual_camera")
def test_a_board_that_resets_in_the_middle(bundle: Bundle, tmp_path: Path) -> None:
    """Its port goes and comes back under another name, and its old main.py runs."""
    with VirtualCamera([FRAME], board=BOARD, moves=True) as camera:
        in_use(camera)
        before = held(camera)

        def moved_status() -> Status:
            port = camera.port
            found = status(camera, bundle, tmp_path)
            while camera.port == port:  # it ends with a reset, a tenth of a second after mpremote has gone
                time.sleep(0.01)
            return found

        for point in (300, 20_000, 50_000):
            camera.reset_after(point)
            assert "close OpenMV IDE" in fails(camera, bundle, tmp_path)
            while not camera.is_plugged_in:
                time.sleep(0.01)
            moved_status()
        deploy(camera, bundle, tmp_path)
        assert moved_status().is_deployed
        restore(camera, tmp_path)
        assert held(camera) == before


def test_a_model_compiled_for_another_board(camera: VirtualCamera, model_path: Path, tmp_path: Path) -> None:
    pytest.importorskip("ethosu", reason="Vela is not installed")
    before = held(camera)
    bundle = make(model_path, find("ae3"))
    assert "this bundle is for another board (ae3)" in fails(camera, bundle, tmp_path)
    assert "was compiled for the NPU of the AE3" in fails(camera, replace(bundle, board=""), tmp_path)
    assert held(camera) == before


def test_a_model_that_is_none(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    before = held(camera)
    broken = replace(bundle, files={**bundle.files, MODEL: b"TFL3" * 100})
    fails(camera, broken, tmp_path)
    assert held(camera) == before


def test_ide_holds_the_port(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    before = held(camera)
    with serial.serial_for_url(camera.port, timeout=1, exclusive=True) as ide:
        ide.read(1)
        assert "close OpenMV IDE" in fails(camera, bundle, tmp_path)
    assert held(camera) == before


def test_a_port_that_is_not_there(bundle: Bundle, tmp_path: Path) -> None:
    with (
        pytest.raises(PortError, match=r"mpremote devs"),
        deployment.connected("/dev/no-such-port", tmp_path) as camera,
    ):
        deployment.deploy(camera, lambda _: bundle, None, tmp_path, Silent())


def test_two_deploys_at_once(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    lines: list[str] = []

    def second(stage: str) -> None:
        if stage == "writing":
            lines.append(fails(camera, bundle, tmp_path))

    deploy(camera, bundle, tmp_path, guide=Silent(second))
    assert len(lines) == 1
    assert "another blazeposer works on the camera" in lines[0]
    assert status(camera, bundle, tmp_path).is_deployed


@pytest.fixture
def babbler() -> Iterator[str]:
    """A port at which something answers, but no camera."""
    noise = random.Random(1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def babble() -> None:
            with contextlib.suppress(OSError):
                while not ended.is_set():
                    connection = server.accept()[0]
                    with connection, contextlib.suppress(OSError):
                        while not ended.is_set():
                            connection.sendall(noise.randbytes(40))
                            time.sleep(0.05)

        thread = threading.Thread(target=babble, daemon=True)
        thread.start()
        yield f"socket://127.0.0.1:{server.getsockname()[1]}"
        ended.set()
        server.shutdown(socket.SHUT_RDWR)


def test_a_camera_that_answers_garbage(
    babbler: str, bundle: Bundle, tmp_path: Path, blazeposer_command: CommandLine
) -> None:
    bundle.write(tmp_path / "bundle")
    run_ = blazeposer_command("deploy", tmp_path / "bundle", "--port", babbler, "--backups", tmp_path, "--yes")
    assert run_.status == 1
    assert f"{babbler} does not answer like an OpenMV camera: close OpenMV IDE and" in run_.err.splitlines()[-1]
    assert "Traceback" not in run_.err + run_.out


@pytest.mark.parametrize(
    "said", ["print('hello')", "print('{}')", "print('[1]')", 'print(\'{"version": "5.0", "arch": 3}\')']
)
def test_a_camera_whose_answer_is_no_answer(
    camera: VirtualCamera, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr("blazeposer.deploy.camera.script", lambda name, **values: said)
    before = held(camera)
    fails(camera, bundle, tmp_path)
    assert held(camera) == before


def test_micropython_that_is_not_openmv(
    camera: VirtualCamera, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "blazeposer.deploy.camera.script", lambda name, **values: "raise ImportError(\"no module named 'omv'\")"
    )
    assert "not OpenMV's firmware" in fails(camera, bundle, tmp_path)


@pytest.mark.slow
def test_a_failed_self_test(camera: VirtualCamera, bundle: Bundle, tmp_path: Path, model_path: Path) -> None:
    """Golden outputs of another network: faces differ, so it does not pass."""
    before = held(camera)
    golden = make(model_path).files["selftest.bin"]
    wrong = replace(bundle, files={**bundle.files, "selftest.bin": golden})
    line = fails(camera, wrong, tmp_path)
    assert "the self-test failed (0 of 1 faces, " in line
    assert line.endswith("run `blazeposer restore` to go back")
    restore(camera, tmp_path)
    assert held(camera) == before


@pytest.mark.slow
def test_a_self_test_that_breaks(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    """The firmware refuses the network, for a reason that no PC can know."""
    before = held(camera)
    broken = replace(bundle, files={**bundle.files, "selftest.py": b"raise MemoryError('Failed to allocate tensors')"})
    line = fails(camera, broken, tmp_path)
    assert line == (
        "the self-test broke (MemoryError: Failed to allocate tensors): run `blazeposer restore` to go back"
    )
    restore(camera, tmp_path)
    assert held(camera) == before


def test_a_self_test_that_lacks_its_files(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    script = b"from find_model import first_file; first_file(['/flash/nothing.bin'])"
    line = fails(camera, replace(bundle, files={**bundle.files, "selftest.py": script}), tmp_path)
    assert "self-test" in line
    assert "run the deploy again" in line


@pytest.mark.parametrize(("board", "model"), [("ae3", b"\0\0\0\0TFL3 ethos-u"), ("n6", b"NBIN")])
@pytest.mark.usefixtures("needs_virtual_camera")
def test_the_virtual_camera_has_no_npu(board: str, model: bytes) -> None:
    """Its AE3 and N6 show all of a deploy but the network's run."""
    with VirtualCamera([FRAME], board=board) as camera:
        camera.device.burn(romfs.pack({MODEL: model}, 32))
        camera.reset()
        with pytest.raises(PortError, match=r"/rom/blazeposer\.tflite.*NPU"):
            mpremote(camera.port, "exec", f"import ml; ml.Model('/rom/{MODEL}')")


@pytest.mark.slow
def test_a_script_that_never_streams(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    silent = replace(bundle, files={**bundle.files, "main.py": b"while True: print('nothing to say')\n"})
    line = fails(camera, silent, tmp_path, patience=20)
    assert "nothing to say" in line
    restore(camera, tmp_path)


@pytest.mark.slow
def test_a_user_who_changes_files_after_a_cut(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    """The next deploy keeps the first one's backup, and the user's new file beside it."""
    before = held(camera)
    camera.unplug_after(25_000)
    fails(camera, bundle, tmp_path)
    camera.plug_in()
    mine = b"print('changed after the cut')\n"
    (camera.folder / "flash" / "main.py").write_bytes(mine)
    outcome = deploy(camera, bundle, tmp_path)
    assert outcome.backup
    (kept,) = outcome.backup.folder.glob("found-*/flash/main.py")
    assert kept.read_bytes() == mine
    restore(camera, tmp_path)
    assert held(camera) == before


@pytest.mark.slow
def test_a_restore_that_is_cut(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    before = held(camera)
    deploy(camera, bundle, tmp_path)
    after = held(camera)
    for point in (2_000, 8_000, 14_000):
        camera.unplug_after(point)
        with pytest.raises(PortError, match="was lost"):
            restore(camera, tmp_path)
        camera.plug_in()
    assert status(camera, bundle, tmp_path).unfinished
    assert held(camera) != after
    restore(camera, tmp_path)
    assert held(camera) == before
    assert status(camera, bundle, tmp_path).unfinished is None


@pytest.mark.slow
def test_a_cut_while_the_backup_is_written(
    camera: VirtualCamera, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The PC dies: a folder without its note is no backup, and nothing was written on the camera."""
    before = held(camera)

    def die(backup: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(backups, "_note", die)
        with pytest.raises(KeyboardInterrupt):
            deploy(camera, bundle, tmp_path)
    assert backups.all_of(tmp_path) == []
    assert held(camera) == before
    deploy(camera, bundle, tmp_path)
    restore(camera, tmp_path)
    assert held(camera) == before


def test_a_backup_that_cannot_be_written(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    before = held(camera)
    (tmp_path / camera.device.serial).write_text("a file where the folder should be")
    assert "check --backups" in fails(camera, bundle, tmp_path)
    assert held(camera) == before


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["asking the camera", "writing", "self-test on the camera"])
def test_ctrl_c(camera: VirtualCamera, bundle: Bundle, tmp_path: Path, stage: str) -> None:
    before = held(camera)
    bundle.write(tmp_path / "bundle")
    command = [sys.executable, "-m", "blazeposer", "deploy", str(tmp_path / "bundle"), "--port", camera.port]
    command += ["--backups", str(tmp_path / "backups"), "--yes"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if line.strip() == f"{stage} ...":
                break
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        error = process.stderr.read()
        assert process.wait(HANG) == 130
    assert error.splitlines()[-1] == (
        "blazeposer: interrupted: run the command again to complete it, or `blazeposer restore` to undo a deploy"
    )
    assert "Traceback" not in error
    deploy(camera, bundle, tmp_path / "backups")
    assert romfs.read(camera.device.rom.read_bytes())[MODEL].data == bundle.model
    restore(camera, tmp_path / "backups")
    assert held(camera) == before


STUBBORN = b"import time\nwhile True:\n    try:\n        time.sleep_ms(20)\n    except:\n        pass\n"


@pytest.mark.slow
def test_a_script_that_cannot_be_stopped(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    """It swallows Ctrl-C: another reset is no help, and docs/troubleshooting.md says what is."""
    (camera.folder / "flash" / "main.py").write_bytes(STUBBORN)
    camera.reset()
    line = fails(camera, bundle, tmp_path)
    assert "if its main.py cannot be stopped, docs/troubleshooting.md says how it starts without" in line
    pages = (Path(__file__).parents[1] / "docs" / "troubleshooting.md").read_text()
    assert "## `main.py` cannot be stopped" in pages


@pytest.mark.usefixtures("needs_virtual_camera")
def test_a_card_without_main_lets_a_camera_start_without_its_script() -> None:
    """openmv v5.0, scripts/libraries/_boot.py and ports/stm32/main.c: the card's main.py runs if a card is in, and no
    other; so the advice in docs/troubleshooting.md works."""
    with VirtualCamera([FRAME], board=BOARD, card=True) as camera:
        (camera.folder / "flash" / "main.py").write_bytes(STUBBORN)
        camera.reset()
        mpremote(camera.port, "fs", "rm", ":/flash/main.py")
        assert not (camera.folder / "flash" / "main.py").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("needs_virtual_camera")
def test_a_card_that_is_swapped_after_a_cut(bundle: Bundle, tmp_path: Path) -> None:
    """Each card gets its own files back, and nothing of the other's."""
    with VirtualCamera([FRAME], board=BOARD, card=True) as camera:
        in_use(camera)
        card, other = camera.folder / "sdcard", camera.folder / "other"
        shutil.copytree(card, other)
        (other / "main.py").write_bytes(b"print('of the other card')\n")
        first = held(camera)

        def swap() -> None:
            card.rename(camera.folder / "drawer")
            other.rename(card)
            (camera.folder / "drawer").rename(other)

        root = tmp_path / "backups"

        def cut_writing(stage: str) -> None:
            if stage == "writing":
                camera.unplug_after(14_000)  # the card has its number then

        fails(camera, bundle, root, to="sdcard", guide=Silent(cut_writing))
        (cut,) = backups.all_of(root)
        swap()
        camera.plug_in()
        second = held(camera)
        assert status(camera, bundle, root).unfinished is None
        with pytest.raises(BlazePoserError, match="SD card"):
            restore(camera, root)
        deploy(camera, bundle, root, to="sdcard")
        restore(camera, root)
        assert held(camera) == second
        swap()
        camera.reset()
        unfinished = status(camera, bundle, root).unfinished
        assert unfinished
        assert unfinished.folder == cut.folder
        restore(camera, root)
        assert held(camera) == first
