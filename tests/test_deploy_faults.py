"""Each fault of a deploy ends in one clear line, and no byte is lost."""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import serial

from blazeposer.camera import VirtualCamera
from blazeposer.core.boards import find
from blazeposer.core.errors import PortError
from blazeposer.deploy import deployment
from blazeposer.deploy.bundle import MODEL, Bundle, make
from blazeposer.deploy.camera import SUFFIX
from blazeposer.openmv import romfs
from blazeposer.openmv.mpremote import mpremote
from conftest import CommandLine
from deploying import BOARD, FRAME, Silent, deploy, fails, held, restore, status
from standin import standin


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
    assert "another blazeposer command uses the camera" in lines[0]
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
    assert line.endswith("run `blazeposer restore` to undo the deploy")
    restore(camera, tmp_path)
    assert held(camera) == before


@pytest.mark.slow
def test_a_self_test_that_breaks(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    """The firmware refuses the network, for a reason that no PC can know."""
    before = held(camera)
    broken = replace(bundle, files={**bundle.files, "selftest.py": b"raise MemoryError('Failed to allocate tensors')"})
    line = fails(camera, broken, tmp_path)
    assert line == (
        "the self-test stopped (MemoryError: Failed to allocate tensors): run `blazeposer restore` to undo the deploy"
    )
    restore(camera, tmp_path)
    assert held(camera) == before


def test_a_self_test_that_lacks_its_files(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    script = b"from find_model import first_file; first_file(['/flash/nothing.bin'])"
    line = fails(camera, replace(bundle, files={**bundle.files, "selftest.py": script}), tmp_path)
    assert "self-test" in line
    assert "run `blazeposer deploy` again" in line


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


def test_a_backup_that_cannot_be_written(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    before = held(camera)
    (tmp_path / camera.device.serial).write_text("a file where the folder should be")
    assert "check --backups" in fails(camera, bundle, tmp_path)
    assert held(camera) == before


STUBBORN = b"import time\nwhile True:\n    try:\n        time.sleep_ms(20)\n    except:\n        pass\n"


@pytest.mark.slow
def test_a_script_that_cannot_be_stopped(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    """It swallows Ctrl-C: another reset is no help, and docs/troubleshooting.md says what is."""
    (camera.folder / "flash" / "main.py").write_bytes(STUBBORN)
    camera.reset()
    line = fails(camera, bundle, tmp_path)
    assert "if its main.py cannot be stopped, see docs/troubleshooting.md" in line
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
