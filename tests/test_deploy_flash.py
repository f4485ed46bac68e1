"""ROMFS written as each board's firmware lets it be: appended to, its model replaced, or rewritten."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from blazeposer.camera import VirtualCamera, device
from blazeposer.camera.virtual import FIRMWARES
from blazeposer.core.boards import BOARDS, find
from blazeposer.core.errors import PortError
from blazeposer.deploy import flash as rom_changes
from blazeposer.deploy.bundle import MODEL, PROGRAM, Bundle, load, make
from blazeposer.openmv import flash, romfs
from conftest import CommandLine
from deploying import FRAME, STOCK, deploy, held, in_use, restore, seen, status
from standin import standin

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("needs_virtual_camera")]  # test_rom_changes.py is quick
LARGE = {**STOCK, "models/large.tflite": bytes(range(251)) * 4800}
"""A ROM image as large as a new camera's: 1.2 MB."""
STREAMS = b'import time\nwhile True:\n    print(\'{"seq":1,"t_ms":1,"fps":1.0,"faces":[]}\')\n    time.sleep_ms(20)\n'
PASSES = b'print(\'{"equal": 1, "bytes": 1, "largest": 0, "faces": [], "expected": [], "passed": true}\')\n'

HASTY_MPREMOTE = """
import sys
from mpremote import main, transport_serial
transport_serial.SerialTransport.exec_raw.__defaults__ = (10 * float(sys.argv.pop(1)), None)
sys.exit(main.main())
"""
"""mpremote with as much less patience as cameras take less time here: it waits 10 s for an answer (1.29)."""


@pytest.fixture(scope="module")
def models(small_model: Path) -> tuple[Bundle, Bundle]:
    """Two bundles with different models."""
    bundle = make(small_model)
    return bundle, replace(bundle, files={**bundle.files, MODEL: standin(ballast=9000)})


def runnable(bundle: Bundle, board: str) -> Bundle:
    """The bundle as a virtual camera of this board can run it: those with an NPU cannot run a network."""
    if not find(board).npu:
        return bundle
    model = b"NBIN" + bundle.model.removeprefix(b"NBIN") if board == "n6" else bundle.model
    return replace(bundle, files={**bundle.files, MODEL: model, PROGRAM: STREAMS, "selftest.py": PASSES})


def packaged(board: str, model: Path, folder: Path, blazeposer_command: CommandLine) -> Bundle:
    """Return what `blazeposer package` makes for this board."""
    compiled: list[str | Path] = []
    if board == "ae3":
        pytest.importorskip("ethosu", reason="Vela is not installed")
    if board == "n6":  # what only ST's compiler makes
        compiled = ["--stedgeai", folder / "network_rel.bin"]
        (folder / "network_rel.bin").write_bytes(b"NBIN" + model.read_bytes())
    run = blazeposer_command("package", "--board", board, "--model", model, *compiled, "--output", folder / "bundle")
    assert run.status == 0, run.err
    return load(folder / "bundle")


def operations(camera: VirtualCamera) -> dict[str, int]:
    """Bytes of flash that were erased and written since the last call."""
    done = {"erase": 0, "write": 0}
    for to, value in camera.device.written:
        if to == "ROMFS":
            done[value[0]] += value[2]
    camera.device.written.clear()
    return done


def files(camera: VirtualCamera) -> dict[str, bytes]:
    return {path: file.data for path, file in romfs.read(camera.device.rom.read_bytes()).items()}


def stocked(camera: VirtualCamera, stock: dict[str, bytes] = STOCK, behind: bytes = b"") -> None:
    in_use(camera)
    camera.device.burn(romfs.pack(stock, camera.device.board.romfs_align), behind)
    camera.reset()


def test_what_mpremote_cannot_do(models: tuple[Bundle, Bundle], tmp_path: Path) -> None:
    """mpremote 1.29, `romfs deploy`, on firmware 5.0.0: one erase for the whole image, of which it waits 10 s for the
    end; a camera with its stock models takes longer and is left without any. Appending erases one block."""
    bundle, _ = models
    with VirtualCamera([FRAME], board="h7plus") as camera:
        stocked(camera, LARGE)
        before = held(camera)
        image = tmp_path / "new.romfs"
        image.write_bytes(romfs.pack({**LARGE, MODEL: bundle.model}, 16))
        command = [sys.executable, "-c", HASTY_MPREMOTE, str(device.PACE), "connect", camera.port]
        old = subprocess.run([*command, "romfs", "deploy", str(image)], capture_output=True, text=True, check=False)
        assert old.returncode
        assert "timeout waiting for first EOF reception" in old.stdout + old.stderr
        assert rom_changes.seconds_to_erase(status(camera, bundle, tmp_path).state.board, len(image.read_bytes())) > 10
        assert held(camera)["/rom"] != before["/rom"]

        stocked(camera, LARGE)
        operations(camera)
        deploy(camera, bundle, tmp_path)
        done = operations(camera)
        assert done["erase"] == 4096
        assert done["write"] < len(bundle.model) + 2 * 4096
        assert files(camera) == {**LARGE, MODEL: bundle.model}
        restore(camera, tmp_path)
        assert held(camera) == before


@pytest.mark.parametrize("version", FIRMWARES.values())
@pytest.mark.parametrize("board", [board.key for board in BOARDS])
def test_every_board(
    board: str,
    version: str,
    small_model: Path,
    models: tuple[Bundle, Bundle],
    tmp_path: Path,
    blazeposer_command: CommandLine,
) -> None:
    """Package, deploy, status, an unchanged deploy, another model, back to the first, back to nothing of ours."""
    first = runnable(packaged(board, small_model, tmp_path, blazeposer_command), board)
    second = runnable(models[1], board)
    with VirtualCamera([FRAME], board=board, version=version) as camera:
        stocked(camera)
        before = held(camera)
        operations(camera)
        deploy(camera, first, tmp_path)
        done = operations(camera)
        assert done["erase"] == flash.of(find(board)).block
        assert done["write"] < 200_000
        assert files(camera) == {**STOCK, MODEL: first.model}
        assert status(camera, first, tmp_path).is_deployed
        assert deploy(camera, first, tmp_path).plan.is_empty
        assert operations(camera) == {"erase": 0, "write": 0}

        deploy(camera, second, tmp_path)
        assert operations(camera)["erase"] == flash.of(find(board)).block
        assert files(camera) == {**STOCK, MODEL: second.model}
        assert status(camera, second, tmp_path).is_deployed
        restore(camera, tmp_path)
        assert files(camera) == {**STOCK, MODEL: first.model}
        restore(camera, tmp_path)
        assert files(camera) == STOCK
        assert {path: data for path, data in held(camera).items() if path != "/rom"} == {
            path: data for path, data in before.items() if path != "/rom"
        }


@pytest.mark.parametrize("older", [False, True], ids=["append", "replace"])
def test_the_worst_moment(
    older: bool, models: tuple[Bundle, Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power goes when the first block is erased and not written again: ROMFS is empty, and nothing is lost."""
    first, second = models
    steps = rom_changes.steps

    def cut(operations: rom_changes.Operations) -> list[str]:
        calls = steps(operations)
        return [*calls[: calls.index("erase(4096)") + 1], "raise OSError('cut')"]

    with VirtualCamera([FRAME], board="nicla") as camera:
        stocked(camera)
        if older:
            deploy(camera, first, tmp_path / "older")
        before = seen(camera)
        for number, mend in enumerate((deploy, restore)):
            root = tmp_path / str(number)
            with monkeypatch.context() as patched:
                patched.setattr(rom_changes, "steps", cut)
                with pytest.raises(PortError, match="cut"):
                    deploy(camera, second, root)
            assert seen(camera)["/rom"] is None
            assert status(camera, second, root).items["/rom"] == "half-written"
            if mend is deploy:
                deploy(camera, second, root)
                assert files(camera) == {**STOCK, MODEL: second.model}
                assert status(camera, second, root).is_deployed
            restore(camera, root)
            assert seen(camera) == before


def test_what_takes_a_long_erase_is_said_before(
    models: tuple[Bundle, Bundle], tmp_path: Path, blazeposer_command: CommandLine
) -> None:
    """The plan names the way, the bytes, the seconds and the risk."""
    models[0].write(tmp_path / "bundle")
    with VirtualCamera([FRAME], board="h7plus") as camera:
        ways = {b"": "adds blazeposer.tflite to ROMFS: erases 4,096 bytes", bytes(900): "with 4 files: erases"}
        for behind, words in ways.items():
            stocked(camera, LARGE, behind)
            arguments = ("deploy", tmp_path / "bundle", "--port", camera.port, "--backups", tmp_path, "--dry-run")
            run = blazeposer_command(*arguments)
            assert run.status == 0, run.err
            assert words in run.out
            assert re.search(r"takes about \d+ s; if the cable is pulled out then, /rom (is|may be) empty", run.out)


def test_a_deploy_goes_on_in_another_way(
    models: tuple[Bundle, Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its backup has the first block, as it was going to append; what is rewritten then joins it before it goes."""
    with VirtualCamera([FRAME], board="nicla") as camera:
        stocked(camera)
        before = held(camera)
        with monkeypatch.context() as patched:
            patched.setattr(rom_changes, "steps", lambda operations: ["raise OSError('cut')"])
            with pytest.raises(PortError, match="cut"):
                deploy(camera, models[0], tmp_path)
        camera.device.burn(before["/rom"], behind=bytes(900))
        camera.reset()
        deploy(camera, models[0], tmp_path)
        assert files(camera) == {**STOCK, MODEL: models[0].model}
        restore(camera, tmp_path)
        assert held(camera) == before
