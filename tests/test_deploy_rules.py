"""Rules of the firmware for a deploy: one test a rule, each with its source.

"openmv v5.0" is github.com/openmv/openmv at that version.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import blazeposer.deploy as deploy_package
from blazeposer.camera import VirtualCamera
from blazeposer.camera.virtual import FIRMWARES
from blazeposer.core.boards import BOARDS, find
from blazeposer.core.errors import BlazePoserError, PortError
from blazeposer.core.resources import board_dir
from blazeposer.deploy import drives, plan
from blazeposer.deploy.bundle import GOLDEN, MODEL, SCRIPTS, Bundle, make
from blazeposer.deploy.plan import STORES, Store, choose_store
from blazeposer.deploy.state import ROM, Drive, Rom, RomFileState, State
from blazeposer.faces.tracker import board_module
from blazeposer.openmv import romfs, serial_port
from blazeposer.openmv.mpremote import mpremote
from deploying import FRAME, MAIN, STOCK, deploy, held, in_use, restore, status


@pytest.fixture
def with_card(needs_virtual_camera: None) -> Iterator[VirtualCamera]:
    with VirtualCamera([FRAME], card=True) as camera:
        in_use(camera)
        yield camera


def state(board: str, start: str = "/flash", rom_files: tuple[str, ...] = ()) -> State:
    """A camera in words."""
    kind = find(board)
    available = {"/flash": Drive(512, kind.flash), "/sdcard": Drive(512, 1 << 26)}
    files = {path: RomFileState(0, 16, 1, "") for path in rom_files}
    rom = Rom(kind.romfs, ranges=False, used=16, header=16, sha256="", files=files, behind=(), blank=16, room=0)
    return State("5.0.0", kind, "00", start, available, {}, {}, rom)


def misaligned(model: bytes, align: int) -> bytes:
    """An image in which a model lies at no multiple of `align`."""
    images = (romfs.pack({"a": bytes(size), MODEL: model}, 4) for size in range(64))
    return next(image for image in images if romfs.read(image)[MODEL].offset % align)


@pytest.mark.usefixtures("needs_virtual_camera")
@pytest.mark.parametrize("version", ["4.5.9", "4.8.1"])
def test_firmware_before_5_is_refused(bundle: Bundle, tmp_path: Path, version: str) -> None:
    """openmv 4.x has no `csi` or no Protocol V2, and other draw calls: board/main.py needs 5.0."""
    with VirtualCamera([FRAME], version=version) as camera:
        before = held(camera)
        with pytest.raises(BlazePoserError, match=f"{version}.*update"):
            deploy(camera, bundle, tmp_path)
        assert held(camera) == before


@pytest.mark.usefixtures("needs_virtual_camera")
@pytest.mark.parametrize("board", ["h7plus", "portenta", "nicla"])
def test_boards_are_told_apart_by_their_architecture(bundle: Bundle, tmp_path: Path, board: str) -> None:
    """openmv v5.0, boards/*/board_config.h: OMV_BOARD_TYPE is "H7" on five boards, OMV_BOARD_ARCH differs on all."""
    with VirtualCamera([FRAME], board=board) as camera:
        assert status(camera, bundle, tmp_path).state.board == find(board)


@pytest.mark.slow
def test_a_card_is_what_the_camera_starts_from(with_card: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    """openmv v5.0, scripts/libraries/_boot.py: the working directory is /sdcard if a card is in; ports/stm32/main.c:
    that directory's main.py runs, and no other."""
    (with_card.folder / "flash" / "main.py").write_text("print('of the flash')")
    before = held(with_card)
    with pytest.raises(BlazePoserError, match=r"card.*remove the card"):
        deploy(with_card, bundle, tmp_path)
    assert held(with_card) == before
    outcome = deploy(with_card, bundle, tmp_path, to="sdcard")
    assert outcome.record
    assert (with_card.folder / "sdcard" / MODEL).read_bytes() == bundle.model
    assert held(with_card)["/rom"] == before["/rom"]
    assert held(with_card)["/flash/main.py"] == before["/flash/main.py"]
    assert outcome.backup
    assert outcome.backup.contents()["/sdcard/main.py"] == MAIN
    assert status(with_card, bundle, tmp_path).is_deployed
    restore(with_card, tmp_path)
    assert held(with_card) == before


def test_model_in_rom_and_scripts_on_the_card(with_card: VirtualCamera, bundle: Bundle, tmp_path: Path) -> None:
    """Same source: only where main.py lies depends on the card."""
    deploy(with_card, bundle, tmp_path, to="rom")
    assert MODEL in romfs.read(with_card.device.rom.read_bytes())
    assert (with_card.folder / "sdcard" / "main.py").read_bytes() == bundle.files["main.py"]
    assert not (with_card.folder / "flash" / "main.py").exists()


@pytest.mark.slow
def test_an_ae3_starts_from_a_card_with_the_next_firmware(
    needs_virtual_camera: None, bundle: Bundle, tmp_path: Path
) -> None:
    """openmv pull request 3210, merged in July 2026: an SD card by SPI, on its battery shield."""
    with VirtualCamera([FRAME], board="ae3", version=FIRMWARES["5.1"], card=True) as camera:
        in_use(camera)
        assert deploy(camera, bundle, tmp_path, to="sdcard").record
        assert (camera.folder / "sdcard" / MODEL).read_bytes() == bundle.model
    with pytest.raises(BlazePoserError, match="cannot load this model"):
        choose_store(bundle, state("ae3"), "sdcard")


def test_without_a_card_there_is_no_sdcard(bundle: Bundle) -> None:
    without = state("rt1062")
    without.drives.pop("/sdcard")
    with pytest.raises(BlazePoserError, match=r"/sdcard.*insert a card"):
        choose_store(bundle, without, "sdcard")


def test_models_are_looked_for_in_one_order(bundle: Bundle) -> None:
    """The camera's scripts take the first that exists, so that one in /rom keeps others from being used."""
    assert tuple(f"/{store}/{MODEL}" for store in STORES) == board_module("find_model").MODELS
    with pytest.raises(BlazePoserError, match=r"/rom/blazeposer\.tflite.*--to rom"):
        choose_store(bundle, state("rt1062", rom_files=(MODEL,)), "flash")
    assert choose_store(bundle, state("rt1062", rom_files=("other.tflite",)), "flash") == "flash"


def test_no_other_script_names_the_models_paths() -> None:
    scripts = [*board_dir().glob("*.py"), *board_dir().glob("examples/*.py")]
    scripts += (Path(deploy_package.__file__).parent / "scripts").glob("*.py")
    code = {path.name: [line.partition("#")[0] for line in path.read_text().splitlines()] for path in scripts}
    assert [name for name, lines in code.items() if any(".tflite" in line for line in lines)] == ["find_model.py"]


@pytest.mark.parametrize(("board", "to"), [("h7", "flash"), ("nicla", "flash"), ("h7", "sdcard")])
def test_the_shipped_model_loads_from_rom_only_on_small_cameras(board: str, to: Store) -> None:
    """openmv v5.0, modules/py_ml.c: a file is copied to the heap, where the arena has to lie too; board_config.h:
    /flash has 128 KB."""
    with pytest.raises(BlazePoserError, match=rf"[\d,]+ bytes.*/{to}.*--to rom"):
        choose_store(make(), state(board), to)
    assert choose_store(make(), state("rt1062"), to) == to


@pytest.mark.parametrize("to", ["flash", "sdcard"])
def test_n6_takes_models_from_rom_only(small_model: Path, tmp_path: Path, to: Store) -> None:
    """openmv issue 3272: files under 1 MB fail to load on the N6."""
    compiled = tmp_path / "network_rel.bin"
    compiled.write_bytes(b"NBIN" + bytes(1000))
    bundle = make(small_model, find("n6"), stedgeai=compiled)
    with pytest.raises(BlazePoserError, match=rf"[\d,]+ bytes.*/{to}.*--to rom"):
        choose_store(bundle, state("n6"), to)
    assert choose_store(bundle, state("n6"), None) == "rom"


def test_the_virtual_n6_refuses_files(needs_virtual_camera: None, small_model: Path) -> None:
    """openmv issue 3272."""
    with VirtualCamera([FRAME], board="n6") as camera:
        (camera.folder / "flash" / MODEL).write_bytes(small_model.read_bytes())
        with pytest.raises(PortError, match="loads models from /rom only"):
            mpremote(camera.port, "exec", f"import ml; ml.Model('/flash/{MODEL}')")


@pytest.mark.usefixtures("needs_virtual_camera")
@pytest.mark.parametrize(("board", "align"), [("nicla", 16), ("n6", 32)])
def test_models_in_rom_are_aligned(small_model: Path, board: str, align: int) -> None:
    """PyPI openmv-ota, data/boards.json: 32 bytes on the N6, 16 elsewhere; else the first inference fails."""
    with VirtualCamera([FRAME], board=board) as camera:
        load = f"import ml; print(ml.Model('/rom/{MODEL}').len)"
        camera.device.burn(romfs.pack({"a": b"12345", MODEL: small_model.read_bytes()}, align))
        camera.reset()
        assert mpremote(camera.port, "exec", load) == f"{small_model.stat().st_size}\n"
        camera.device.burn(misaligned(small_model.read_bytes(), align))
        camera.reset()
        with pytest.raises(PortError, match=f"no multiple of {align}"):
            mpremote(camera.port, "exec", load)


@pytest.mark.usefixtures("needs_virtual_camera")
def test_an_unaligned_model_is_replaced(bundle: Bundle, tmp_path: Path) -> None:
    """Same source: the same bytes at another place are not the same."""
    with VirtualCamera([FRAME]) as camera:
        camera.device.burn(misaligned(bundle.model, 16))
        camera.reset()
        assert status(camera, bundle, tmp_path).items[f"{ROM}/{MODEL}"] == "not aligned"
        deploy(camera, bundle, tmp_path)
        assert romfs.read(camera.device.rom.read_bytes())[MODEL].offset % 16 == 0


@pytest.mark.usefixtures("needs_virtual_camera")
def test_a_deploy_replaces_the_image_and_keeps_the_files(bundle: Bundle, tmp_path: Path) -> None:
    """mpremote 1.29, `romfs deploy` writes a whole image, in which what is not merged is lost: ours appends."""
    with VirtualCamera([FRAME]) as camera:
        in_use(camera)
        deploy(camera, bundle, tmp_path)
        assert {p: f.data for p, f in romfs.read(camera.device.rom.read_bytes()).items()} == {
            **STOCK,
            MODEL: bundle.model,
        }


@pytest.mark.slow
@pytest.mark.usefixtures("needs_virtual_camera")
def test_of_two_forms_of_a_module_the_other_goes(small_model: Path, tmp_path: Path) -> None:
    """MicroPython 1.28, py/builtinimport.c, stat_file_py_or_mpy: a .py is taken before a .mpy of the same name."""
    with VirtualCamera([FRAME], board="h7") as camera:
        (camera.folder / "flash" / "shape.py").write_text("print('py')")
        (camera.folder / "flash" / "shape.mpy").write_bytes(b"M\x06\x00\x1f" + bytes(9))
        assert mpremote(camera.port, "exec", "import shape") == "py\n"
        (camera.folder / "flash" / "blazeposer.py").write_text("old = 1")
        assert deploy(camera, make(small_model, find("h7"), mpy=True), tmp_path).record
        assert not (camera.folder / "flash" / "blazeposer.py").exists()
        assert (camera.folder / "flash" / "blazeposer.mpy").exists()
        restore(camera, tmp_path)
        assert (camera.folder / "flash" / "blazeposer.py").read_text() == "old = 1"
        assert not (camera.folder / "flash" / "blazeposer.mpy").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("needs_virtual_camera")
def test_a_mounted_drive_stops_a_deploy(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """openmv v5.0, ports/stm32/main.c: the drive is also a USB disk; _boot.py: it is marked by .openmv_disk."""
    with VirtualCamera([FRAME]) as camera:
        in_use(camera)
        before = held(camera)
        drive = camera.folder / "flash"
        monkeypatch.setattr(drives, "_mounts", lambda: [Path("/"), drive])
        with pytest.raises(BlazePoserError, match=f"{re.escape(str(drive))}.*eject"):
            deploy(camera, bundle, tmp_path)
        assert held(camera) == before
        monkeypatch.setattr(drives, "_mounts", lambda: [Path("/")])
        deploy(camera, bundle, tmp_path)
        monkeypatch.setattr(drives, "_mounts", lambda: [Path("/"), drive])
        assert deploy(camera, bundle, tmp_path).plan.changes == ()


def test_mounts_that_may_be_a_cameras() -> None:
    """proc(5), getmntent(3): spaces in names are octal."""
    table = b"/dev/sda1 / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\n/dev/sdb1 /media/me/NO\\040NAME vfat rw 0 0\n"
    assert drives._fat_mounts(table) == [Path("/media/me/NO NAME")]
    assert drives.mounted() == [path for path in drives._mounts() if (path / drives.MARK).exists()]


def test_the_serial_port_is_a_repl() -> None:
    """openmv v5.0, common/omv_protocol.h: 921600 baud speaks Protocol V2, any other rate is the REPL."""
    assert serial_port.BAUD_RATE != 921_600


def test_every_script_of_the_board_is_deployed_or_known_not_to_be() -> None:
    """A new script has to be decided upon: onto the camera, or run from the PC."""
    not_deployed = {"bench.py"}
    assert {path.name for path in board_dir().glob("*.py")} - not_deployed == set(SCRIPTS)
    assert GOLDEN in plan.NAMES
    assert {*SCRIPTS} <= {*plan.NAMES}
    assert len(BOARDS) == 9


@pytest.mark.usefixtures("needs_virtual_camera")
class TestVirtualStores:
    """The virtual camera's drives and ROMFS."""

    def test_a_full_drive_keeps_what_fits(self) -> None:
        """MicroPython 1.28, extmod/vfs_fat_file.c: ENOSPC after as many bytes as there was room for."""
        script = "f = open('/flash/x', 'wb')\nf.write(bytes(100000))\nf.write(bytes(100000))"
        with VirtualCamera([FRAME], board="h7") as camera:
            with pytest.raises(PortError, match=r"OSError: 28|ENOSPC"):
                mpremote(camera.port, "exec", script)
            size = (camera.folder / "flash" / "x").stat().st_size
            assert 100_000 < size <= find("h7").flash
            free = mpremote(camera.port, "exec", "import os; print(os.statvfs('/flash')[3])")
            assert int(free) == 0

    def test_a_rename_replaces(self) -> None:
        """MicroPython 1.28, extmod/vfs_fat.c: f_rename onto an existing file removes that first."""
        with VirtualCamera([FRAME]) as camera:
            (camera.folder / "flash" / "a").write_text("new")
            (camera.folder / "flash" / "b").write_text("old")
            mpremote(camera.port, "exec", "import os; os.rename('/flash/a', '/flash/b')")
            assert (camera.folder / "flash" / "b").read_text() == "new"
            assert not (camera.folder / "flash" / "a").exists()

    def test_drives_and_paths(self) -> None:
        """openmv v5.0, scripts/libraries/_boot.py."""
        script = "import os, sys; print(os.getcwd(), sorted(os.listdir('/')), sys.path)"
        with VirtualCamera([FRAME], card=True) as camera:
            assert mpremote(camera.port, "exec", script).strip() == (
                "/sdcard ['flash', 'rom', 'sdcard'] ['', '.frozen', '/rom', '/rom/lib', '/flash', '/flash/lib', "
                "'/sdcard', '/sdcard/lib']"
            )
            assert (camera.folder / "sdcard" / ".openmv_disk").exists()

    def test_a_damaged_rom_is_no_rom(self) -> None:
        """MicroPython 1.28, extmod/vfs_rom.c: what is no ROMFS is not mounted."""
        with VirtualCamera([FRAME]) as camera:
            camera.device.burn(b"nonsense")
            camera.reset()
            assert mpremote(camera.port, "exec", "import os; print(os.listdir('/'))") == "['flash']\n"
