"""`blazeposer deploy`, `status` and `restore` on the virtual camera, with the real mpremote."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from blazeposer.camera import VirtualCamera
from blazeposer.commands.deploy import Terminal
from blazeposer.core.boards import find
from blazeposer.core.errors import BlazePoserError, PortError
from blazeposer.core.prepare import Image
from blazeposer.core.resources import default_model
from blazeposer.deploy import backup as backups
from blazeposer.deploy.bundle import MODEL, Bundle
from blazeposer.deploy.plan import Change, Plan
from blazeposer.openmv import ports, romfs
from conftest import CommandLine
from deploying import FRAME, MAIN, STOCK, Silent, deploy, held, in_use, restore, status
from reading import read_lines
from waiting import HANG


@pytest.fixture
def camera(needs_virtual_camera: None) -> Iterator[VirtualCamera]:
    with VirtualCamera([FRAME]) as camera:
        in_use(camera)
        yield camera


@pytest.mark.slow
@pytest.mark.usefixtures("needs_virtual_camera")
def test_the_whole_path_with_the_shipped_model(
    portrait: Image, tmp_path: Path, blazeposer_command: CommandLine
) -> None:
    """The README's flow: package, deploy, deploy again, status, restore, on the smallest camera, full of models."""
    with VirtualCamera([portrait], board="h7") as camera:
        in_use(camera)
        stock = {"person.tflite": bytes(100_000), "small.cascade": bytes(900)}
        camera.device.burn(romfs.pack(stock, 16))
        camera.reset()
        before = held(camera)
        options = ("--port", camera.port, "--backups", tmp_path / "backups")
        folder = tmp_path / "bundle"
        assert blazeposer_command("package", "--board", "h7", "-o", folder).status == 0

        run = blazeposer_command("deploy", folder, *options, "--dry-run")
        assert run.status == 0, run.err
        assert "no room for person.tflite (100,000 bytes): removed from the camera, saved in the backup" in run.out
        assert re.search(r"saves [\d,]{7} bytes, then writes [\d,]{7} bytes. This takes about \d+ s", run.out)
        assert held(camera) == before
        assert next(read_lines(camera.port))  # its own script runs again

        run = blazeposer_command("deploy", folder, *options, "--yes")
        assert run.status == 0, run.err
        assert re.search(r"Self-test passed in [\d.]+ s: 1 of 1 faces, 17472 of 17472 bytes equal", run.out)
        assert "1 faces in the first frame" in run.out
        after = held(camera)
        assert set(romfs.read(after["/rom"])) == {MODEL, "small.cascade"}
        assert after["/flash/notes.txt"] == before["/flash/notes.txt"]

        run = blazeposer_command("deploy", folder, *options, "--yes")
        assert run.status == 0, run.err
        assert "nothing to write" in run.out
        assert "0 bytes written" in run.out
        assert held(camera) == after

        run = blazeposer_command("status", folder, *options)
        assert run.status == 0, run.err
        assert "The camera has all files of the bundle." in run.out

        run = blazeposer_command("restore", *options, "--yes")
        assert run.status == 0, run.err
        assert held(camera) == before
        run = blazeposer_command("status", folder, *options)
        assert "The camera does not have all files" in run.out


def test_deploy_without_a_bundle_makes_one(
    camera: VirtualCamera, tmp_path: Path, blazeposer_command: CommandLine
) -> None:
    run = blazeposer_command("deploy", "--port", camera.port, "--backups", tmp_path, "--yes")
    assert run.status == 0, run.err
    files = romfs.read(camera.device.rom.read_bytes())
    assert files[MODEL].data == default_model().read_bytes()
    assert {path: file.data for path, file in files.items() if path != MODEL} == STOCK


def test_an_unchanged_deploy_writes_nothing(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    deploy(camera, bundle, tmp_path)
    paths = [camera.device.rom, *(camera.folder / "flash").iterdir()]
    times = {path: path.stat().st_mtime_ns for path in paths}
    outcome = deploy(camera, bundle, tmp_path)
    assert outcome.plan.is_empty
    assert outcome.backup is None
    assert {path: path.stat().st_mtime_ns for path in paths} == times
    assert len(backups.all_of(tmp_path)) == 1


def test_only_what_differs_is_sent_and_saved(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    deploy(camera, bundle, tmp_path)
    (camera.folder / "flash" / "main.py").write_bytes(MAIN)
    outcome = deploy(camera, bundle, tmp_path)
    assert outcome.plan.changes == (Change("/flash/main.py", len(MAIN), len(bundle.files["main.py"])),)
    assert outcome.backup
    assert outcome.backup.contents() == {"/flash/main.py": MAIN}


@pytest.mark.slow
def test_backups_are_undone_one_by_one(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    first = held(camera)
    deploy(camera, bundle, tmp_path)
    (camera.folder / "flash" / "main.py").write_bytes(b"print('second')\n")
    second = held(camera)
    deploy(camera, bundle, tmp_path)
    restore(camera, tmp_path)
    assert held(camera) == second
    restore(camera, tmp_path)
    assert held(camera) == {**first, "/flash/main.py": MAIN}
    with pytest.raises(BlazePoserError, match="no backup"):
        restore(camera, tmp_path)


@pytest.mark.slow
def test_restore_keeps_what_was_changed_since(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    deploy(camera, bundle, tmp_path)
    mine = b"print('my own changes')\n"
    (camera.folder / "flash" / "main.py").write_bytes(mine)
    outcome = restore(camera, tmp_path)
    assert (camera.folder / "flash" / "main.py").read_bytes() == MAIN
    assert outcome.backup
    (kept,) = outcome.backup.folder.glob("found-*/flash/main.py")
    assert kept.read_bytes() == mine


@pytest.mark.slow
def test_restore_of_a_named_backup(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    before = held(camera)
    outcome = deploy(camera, bundle, tmp_path)
    assert outcome.backup
    restore(camera, tmp_path / "elsewhere", outcome.backup.folder)
    assert held(camera) == before


@pytest.mark.slow
def test_restore_of_another_cameras_backup(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    with VirtualCamera([FRAME]) as other:
        outcome = deploy(other, bundle, tmp_path)
    assert outcome.backup
    before = held(camera)
    with pytest.raises(BlazePoserError, match="is a backup of another camera"):
        restore(camera, tmp_path, outcome.backup.folder)
    assert held(camera) == before


@pytest.mark.slow
def test_a_changed_backup_is_not_restored(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    outcome = deploy(camera, bundle, tmp_path)
    after = held(camera)
    assert outcome.backup
    (outcome.backup.folder / "rom").write_bytes(b"other")
    with pytest.raises(BlazePoserError, match="changed this backup"):
        restore(camera, tmp_path)
    assert held(camera) == after


@pytest.mark.slow
def test_an_erased_rom_comes_back_erased(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    camera.device.burn(b"")
    camera.reset()
    deploy(camera, bundle, tmp_path)
    assert set(romfs.read(camera.device.rom.read_bytes())) == {MODEL}
    restore(camera, tmp_path)
    assert held(camera)["/rom"] == b""


@pytest.mark.slow
def test_a_damaged_rom_is_replaced_and_comes_back(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    damaged = romfs.pack(STOCK, 16)[:100] + b"\xff" * 3000
    camera.device.burn(damaged)
    camera.reset()
    before = held(camera)
    assert status(camera, bundle, tmp_path).items["/rom"] == "damaged"
    deploy(camera, bundle, tmp_path)
    assert set(romfs.read(camera.device.rom.read_bytes())) == {MODEL}
    restore(camera, tmp_path)
    assert held(camera)["/rom"][:100] == before["/rom"][:100]


@pytest.mark.parametrize(
    "content",
    [
        b"somebody's own data" * 500,
        romfs.pack(STOCK, 16).replace(b"\xd2\xcd1", b"\xd2\xcd1\xff\xff\xff", 1),
        bytes(5000),
        b"\xff" * 5000 + b"behind erased flash" * 100,
    ],
    ids=["no magic", "damaged length", "zeros", "blank beginning"],
)
@pytest.mark.slow
def test_what_is_no_image_is_saved_before_it_is_erased(
    camera: VirtualCamera, bundle: Bundle, tmp_path: Path, content: bytes
) -> None:
    camera.device.burn(content)
    camera.reset()
    before = held(camera)
    deploy(camera, bundle, tmp_path)
    assert set(romfs.read(camera.device.rom.read_bytes())) == {MODEL}
    restore(camera, tmp_path)
    assert held(camera) == before


@pytest.mark.slow
@pytest.mark.usefixtures("needs_virtual_camera")
def test_a_deploy_ends_with_a_hard_reset_at_which_the_port_may_change(bundle: Bundle, tmp_path: Path) -> None:
    """openmv v5.0, ports/stm32/main.c: main.py runs on the first start only, not after a soft reset."""
    with VirtualCamera([FRAME], moves=True) as camera:
        port = camera.port
        outcome = deploy(camera, bundle, tmp_path)
        assert outcome.record
        assert camera.port != port
        assert status(camera, bundle, tmp_path).is_deployed


@pytest.mark.usefixtures("needs_virtual_camera")
def test_the_only_camera_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLAZEPOSER_RUNTIME", str(tmp_path))
    with pytest.raises(PortError, match="plug it in"):
        ports.find()
    with VirtualCamera([FRAME]) as camera:
        assert ports.find() == ports.Port(camera.port, camera.device.serial, virtual=True)
        with VirtualCamera([FRAME]) as other:
            with pytest.raises(PortError, match=r"2 cameras \(.*: virtual OpenMV .*--port"):
                ports.find()
            assert ports.find(other.port).serial == other.device.serial
        camera.unplug_after(0)
        while ports.cameras():
            time.sleep(0.01)
        camera.plug_in()
        assert ports.find().device == camera.port
    assert ports.cameras() == []


def test_cameras_are_known_by_their_usb_ids(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """PyPI openmv-ota, data/boards.json `runtime`: OpenMV Cam RT1062 is 37c5:1060."""

    class Usb:
        def __init__(self, device: str, vid: int | None, pid: int | None) -> None:
            self.device, self.vid, self.pid, self.serial_number = device, vid, pid, "123"

        def __lt__(self, other: "Usb") -> bool:
            return self.device < other.device

    monkeypatch.setenv("BLAZEPOSER_RUNTIME", str(tmp_path))
    listed = [Usb("/dev/ttyS0", None, None), Usb("/dev/ttyUSB0", 0x0403, 0x6001), Usb("/dev/ttyACM3", 0x37C5, 0x1060)]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: listed)
    assert ports.find() == ports.Port("/dev/ttyACM3", "123")
    listed[-1].device = "/dev/ttyACM7"
    found = ports.again(ports.Port("/dev/ttyACM3", "123"))
    assert found
    assert found.device == "/dev/ttyACM7"


def test_a_camera_is_back_after_it_was_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = ports.Port("COM3", "123"), ports.Port("COM7", "123")
    seen = iter([[before], [before], [], [], []])
    monkeypatch.setattr(ports, "cameras", lambda: next(seen, [after]))
    assert ports.reset(before, nothing, HANG) == after


def test_a_camera_is_back_at_the_same_port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A reset can be so short that nobody sees the camera gone. Then the port's file is new."""
    port = ports.Port(str(tmp_path / "ttyACM3"), "123")
    monkeypatch.setattr(ports, "cameras", lambda: [port])
    monkeypatch.setattr(ports, "UNTIL_RESET", HANG)
    (tmp_path / "ttyACM3").symlink_to("old")

    def reset() -> None:
        (tmp_path / "ttyACM3").unlink()
        (tmp_path / "ttyACM3").symlink_to("new")
        raise ports.LostError("the connection was lost")

    assert ports.reset(port, reset, HANG) == port


def test_a_camera_that_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    port = ports.Port("COM3", "123")
    seen = iter([[port]])
    monkeypatch.setattr(ports, "cameras", lambda: next(seen, []))
    with pytest.raises(PortError, match="plug it in again"):
        ports.reset(port, nothing, 0.01)


@pytest.mark.parametrize("port", [ports.Port("COM3", "123"), ports.Port("rfc2217://camera:2217")])
def test_a_lost_connection_is_no_reset(monkeypatch: pytest.MonkeyPatch, port: ports.Port) -> None:
    def lose() -> None:
        raise ports.LostError("the connection was lost")

    monkeypatch.setattr(ports, "cameras", lambda: [port])
    monkeypatch.setattr(ports, "UNTIL_RESET", 0.01)
    assert ports.reset(port, nothing, HANG) == port
    with pytest.raises(PortError, match="was lost"):
        ports.reset(port, lose, HANG)


def nothing() -> None:
    """Stand for a command that a camera obeys."""


def test_the_plan_has_to_be_agreed_to(
    camera: VirtualCamera,
    bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    blazeposer_command: CommandLine,
) -> None:
    bundle.write(tmp_path / "bundle")
    before = held(camera)
    arguments = ("deploy", tmp_path / "bundle", "--port", camera.port, "--backups", tmp_path / "backups")
    run = blazeposer_command(*arguments)
    assert run.status == 1
    assert run.err.splitlines()[-1].endswith("add --yes to agree to the plan, or --dry-run to see it only")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(click, "confirm", lambda question: False)
    run = blazeposer_command(*arguments)
    assert run.status == 0
    assert "Nothing was written." in run.out
    assert held(camera) == before
    assert not list((tmp_path / "backups").rglob("backup.json"))


def test_each_consent_is_a_question_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def confirm(question: str) -> bool:
        asked.append(question)
        return True

    class State:
        board, version, start = find("h7"), "5.0.0", "/flash"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(click, "confirm", confirm)
    plan = Plan((Change("/flash/main.py", 5, 7),), ("/flash/main.py",), consents=("it is large",))
    with Terminal(yes=False, dry_run=False) as guide:
        assert guide.consent(State(), plan)  # type: ignore[arg-type]
    assert asked == ["it is large", "Continue?"]
    assert "/flash/main.py  5 bytes replaced by 7" in capsys.readouterr().out


@pytest.mark.slow
def test_a_large_rewrite_is_asked_for(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    """Old bytes behind the image leave no room to append."""
    large = {"large.tflite": bytes(1_200_000)}
    camera.device.burn(romfs.pack(large, 16), behind=bytes(9000))
    camera.reset()
    guide = Silent()
    deploy(camera, bundle, tmp_path, guide=guide)
    assert guide.plan
    assert guide.plan.consents == ("the whole ROMFS will be rewritten: 1.2 MB",)
    assert romfs.read(camera.device.rom.read_bytes())["large.tflite"].data == large["large.tflite"]


def test_status_starts_the_script_again(camera: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    status(camera, bundle, tmp_path)
    lines = read_lines(camera.port)
    assert "mine" in [next(lines) for _ in range(5)]
    lines.close()


@pytest.mark.slow
def test_backups_can_be_listed(
    camera: VirtualCamera, bundle: Bundle, tmp_path: Path, blazeposer_command: CommandLine
) -> None:
    deploy(camera, bundle, tmp_path)
    run = blazeposer_command("restore", "--list", "--backups", tmp_path)
    assert run.status == 0
    assert run.out.count("\n") == 1
    assert camera.device.serial in run.out
    assert " done " in run.out
