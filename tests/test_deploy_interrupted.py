"""A deploy or a restore that is interrupted: the next one completes it, and no byte is lost."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blazeposer.camera import VirtualCamera
from blazeposer.core.errors import BlazePoserError, PortError
from blazeposer.deploy import backup as backups
from blazeposer.deploy.bundle import MODEL, Bundle
from blazeposer.openmv import romfs
from deploying import BOARD, FRAME, Silent, deploy, fails, held, in_use, restore, status
from waiting import HANG


@pytest.mark.slow
@pytest.mark.usefixtures("needs_virtual_camera")
def test_a_board_that_resets_in_the_middle(bundle: Bundle, tmp_path: Path) -> None:
    """Its port goes and comes back under another name, and its old main.py runs."""
    with VirtualCamera([FRAME], board=BOARD, moves=True) as camera:
        in_use(camera)
        before = held(camera)

        for point in (300, 20_000, 50_000):
            camera.reset_after(point)
            assert "close OpenMV IDE" in fails(camera, bundle, tmp_path)
            while not camera.is_plugged_in:
                time.sleep(0.01)
            status(camera, bundle, tmp_path)
        deploy(camera, bundle, tmp_path)
        assert status(camera, bundle, tmp_path).is_deployed
        restore(camera, tmp_path)
        assert held(camera) == before


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


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["reading the camera's state", "writing", "testing the network on the camera"])
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
        "blazeposer: interrupted: run the command again to complete it, or run `blazeposer restore` to undo a deploy"
    )
    assert "Traceback" not in error
    deploy(camera, bundle, tmp_path / "backups")
    assert romfs.read(camera.device.rom.read_bytes())[MODEL].data == bundle.model
    restore(camera, tmp_path / "backups")
    assert held(camera) == before


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
