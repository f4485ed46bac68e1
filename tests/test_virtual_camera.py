"""The virtual camera as a device: mpremote, the REPL, resets, files, frames, and what goes wrong."""

import hashlib
import importlib.util
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import serial

from blazeposer.camera import VirtualCamera, copy_to_camera, reset, view
from blazeposer.commands.camera import frames_of
from blazeposer.core.errors import BlazePoserError, PortError
from blazeposer.core.prepare import Image, rgb565
from blazeposer.core.resources import board_dir
from blazeposer.openmv import mpremote as mpremote_module
from blazeposer.openmv.mpremote import mpremote
from conftest import CommandLine
from reading import read_lines, said
from waiting import HANG

FRAME = np.full((240, 320, 3), 90, np.uint8)


@pytest.fixture
def camera(needs_virtual_camera: None) -> Iterator[VirtualCamera]:
    with VirtualCamera([FRAME]) as camera:
        yield camera


def test_mpremote_exec(camera: VirtualCamera) -> None:
    assert mpremote(camera.port, "exec", "print(6 * 7)") == "42\n"


def test_mpremote_reports_an_exception(camera: VirtualCamera) -> None:
    with pytest.raises(PortError, match="ZeroDivisionError"):
        mpremote(camera.port, "exec", "1 / 0")


def test_mpremote_files(camera: VirtualCamera, tmp_path: Path) -> None:
    source, back = tmp_path / "a.bin", tmp_path / "b.bin"
    source.write_bytes(bytes(range(256)) * 9)
    mpremote(camera.port, "fs", "cp", str(source), ":/flash/a.bin")
    assert (camera.folder / "flash" / "a.bin").read_bytes() == source.read_bytes()
    assert "a.bin" in mpremote(camera.port, "fs", "ls", ":/flash")
    assert hashlib.sha256(source.read_bytes()).hexdigest() in mpremote(camera.port, "fs", "sha256sum", ":/flash/a.bin")
    mpremote(camera.port, "fs", "cp", ":/flash/a.bin", str(back))
    assert back.read_bytes() == source.read_bytes()


def test_real_micropython(camera: VirtualCamera) -> None:
    assert mpremote(camera.port, "exec", "import sys; print(sys.implementation.name)") == "micropython\n"


def test_file_system_is_its_own(camera: VirtualCamera, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("")
    assert mpremote(camera.port, "exec", "import os; print(os.getcwd(), sorted(os.listdir('/')))") == (
        "/flash ['flash', 'rom']\n"
    )
    with pytest.raises(PortError, match="OSError"):
        mpremote(camera.port, "exec", f"open({str(tmp_path / 'secret')!r})")


def test_raw_repl_and_raw_paste(link: serial.SerialBase) -> None:
    """The sequence of bytes in MicroPython's documentation, "reference/repl.html", raw mode and raw-paste mode."""
    said(link, b">>> ")
    link.write(b"\x01")
    assert said(link, b"raw REPL; CTRL-B to exit\r\n>")
    link.write(b"print('raw')\x04")
    assert said(link, b"\x04\x04>") == b"OKraw\r\n\x04\x04>"
    link.write(b"\x05A\x01")
    assert said(link, b"\x00\x01") == b"R\x01\x80\x00\x01"  # yes, and a window of 128 bytes
    link.write(b"print('paste')\x04")
    assert said(link, b"\x04\x04>") == b"\x04paste\r\n\x04\x04>"
    link.write(b"\x02")
    said(link, b">>> ")


def test_lines_that_are_typed_ahead_are_not_lost(link: serial.SerialBase) -> None:
    said(link, b">>> ")
    link.write(b"import time; time.sleep_ms(50)\rprint(1)\rprint(2)\rprint(3)\r")
    text = said(link, b"\r\n3\r\n>>> ")
    assert text.index(b"\r\n1\r\n") < text.index(b"\r\n2\r\n")


def test_ctrl_c_stops_what_came_by_raw_paste(link: serial.SerialBase) -> None:
    """The script comes as `mpremote run` sends it."""
    said(link, b">>> ")
    link.write(b"\x01")
    said(link, b"raw REPL; CTRL-B to exit\r\n>")
    link.write(b"\x05A\x01")
    said(link, b"R\x01\x80\x00\x01")
    link.write(b"while True: print('tick')\x04")
    said(link, b"tick\r\n")
    link.write(b"\r\x03")
    assert b"KeyboardInterrupt" in said(link, b"\x04>")


def test_ctrl_c_within_a_question_leaves_the_hardware_usable(camera: VirtualCamera, link: serial.SerialBase) -> None:
    said(link, b">>> ")
    for pause in (0.02, 0.03, 0.04):
        link.write(b"import omv\rwhile True: omv.version_string()\r\r")
        said(link, b"... ")
        time.sleep(pause)
        link.write(b"\x03")
        assert b"KeyboardInterrupt" in said(link, b">>> ")
    link.write(b"print(omv.version_string())\r")
    assert b"\r\n5.0.0\r\n" in said(link, b">>> ")


def test_nothing_of_what_is_typed_ahead_is_lost(link: serial.SerialBase) -> None:
    said(link, b">>> ")
    link.write(b"".join(b"print(%d * 1000)\r" % number for number in range(1, 101)))
    lines = said(link, b"\r\n100000\r\n>>> ").split(b"\r\n")
    assert [line for line in lines if line.isdigit()] == [b"%d000" % number for number in range(1, 101)]


def test_port_has_one_user(camera: VirtualCamera, link: serial.SerialBase) -> None:
    said(link, b">>> ")
    with pytest.raises(PortError) as raised:
        next(read_lines(camera.port, silence=5))
    assert len(str(raised.value).splitlines()) == 1
    link.write(b"1+1\r")
    assert b"2" in said(link, b">>> ")


def test_slow_reader_gets_everything(link: serial.SerialBase) -> None:
    said(link, b">>> ")
    link.write(b"for i in range(30000): print(i)\r\r")
    time.sleep(0.5)
    numbers = said(link, b"29999\r\n").split(b"\r\n")[-30001:-1]
    assert numbers == [b"%d" % number for number in range(30000)]


@pytest.mark.slow
def test_copy_and_reset(camera: VirtualCamera, tmp_path: Path) -> None:
    model = tmp_path / "mine.tflite"
    copied: list[str] = []
    model.write_bytes(b"a model" * 50)
    copy_to_camera(camera.port, model, progress=copied.append)
    assert copied == [*sorted(path.name for path in board_dir().glob("*.py")), "blazeposer.tflite"]
    for name in copied:
        source = model if name == "blazeposer.tflite" else board_dir() / name
        assert (camera.folder / "flash" / name).read_bytes() == source.read_bytes()


@pytest.mark.slow
def test_copy_errors_are_one_line(camera: VirtualCamera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for port, model, folder in (
        ("/dev/no-such-port", None, "/flash"),
        (camera.port, tmp_path / "missing.tflite", "/flash"),
        (camera.port, None, "/rom"),
        (camera.port, None, "/sdcard"),
    ):
        with pytest.raises(PortError) as raised:
            copy_to_camera(port, model, folder)
        assert len(str(raised.value).splitlines()) == 1
        assert "Traceback" not in str(raised.value)
    monkeypatch.setattr(mpremote_module, "PATIENCE", 0.01)
    with pytest.raises(PortError, match="does not answer"):
        reset(camera.port)


def test_frames_count_from_each_start(camera: VirtualCamera) -> None:
    shown: list[int] = []

    def frames(number: int) -> Image:
        shown.append(number)
        return FRAME

    script = (
        "import csi; c = csi.CSI(); c.pixformat(csi.RGB565); c.framesize(csi.QVGA); [c.snapshot() for _ in range(3)]"
    )
    with VirtualCamera(frames) as other:
        mpremote(other.port, "exec", script, "soft-reset", "exec", script)
    assert shown == [0, 1, 2, 0, 1, 2]


def test_snapshots_can_be_skipped(camera: VirtualCamera) -> None:
    """openmv v5.0, modules/py_csi.c, py_csi_snapshot: with `frames` it takes one more than that, with `time` as long as
    that has not passed, and returns None; both take keywords only."""
    script = (
        "import csi, time; c = csi.CSI(); c.pixformat(csi.RGB565); c.framesize(csi.QVGA)\n"
        "print(c.snapshot(frames=3), c.snapshot(frames=-5), c.snapshot(time=0), c.snapshot() is None)\n"
        "t = time.ticks_ms(); print(c.snapshot(time=50), time.ticks_diff(time.ticks_ms(), t) > 50)"
    )
    taken: list[int] = []

    def frames(number: int) -> Image:
        taken.append(number)
        return FRAME

    with VirtualCamera(frames) as other:
        assert mpremote(other.port, "exec", script) == "None None None False\nNone True\n"
        assert len(taken) > 6
        taken.clear()
        mpremote(other.port, "exec", script.partition("print(")[0] + "c.snapshot(frames=3)")
        assert taken == [0, 1, 2, 3]
    with pytest.raises(PortError, match="TypeError"):
        mpremote(camera.port, "exec", "import csi; csi.CSI().snapshot(3)")


def test_window_of_a_qvga_picture_is_its_middle() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    np.testing.assert_array_equal(view(picture), rgb565(picture[:, 40:280]))


@pytest.mark.parametrize("shape", [(480, 640), (300, 300), (500, 200), (60, 700), (1, 1)])
def test_window_shows_the_largest_centred_square(shape: tuple[int, int]) -> None:
    height, width = shape
    side = min(shape)
    picture = np.zeros((*shape, 3), np.uint8)
    top, left = (height - side) // 2, (width - side) // 2
    picture[top : top + side, left : left + side] = 255
    pixels = view(picture)
    assert pixels.shape == (240, 240, 3)
    assert pixels[3:-3, 3:-3].min() == 255


def test_gray_view_has_three_equal_channels(portrait: Image) -> None:
    pixels = view(portrait, gray=True)
    assert np.ptp(pixels, axis=2).max() == 0
    assert np.ptp(pixels) > 100


@pytest.mark.usefixtures("needs_virtual_camera")
def test_stop_frees_everything(tmp_path: Path) -> None:
    port = tmp_path / "port"
    with VirtualCamera([FRAME], port) as camera:
        folder = camera.folder
        assert mpremote(camera.port, "exec", "print('first')") == "first\n"
        with pytest.raises(BlazePoserError, match=f"{port}: .*choose another --port"):
            VirtualCamera([FRAME], port)
    assert not folder.exists()
    with VirtualCamera([FRAME], port) as again:
        assert again.port == str(port)
        assert mpremote(again.port, "exec", "print('again')") == "again\n"


@pytest.mark.usefixtures("needs_virtual_camera")
def test_no_frames() -> None:
    with pytest.raises(BlazePoserError, match="no image"):
        VirtualCamera([])


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_get_one_line(
    monkeypatch: pytest.MonkeyPatch, system: str, blazeposer_command: CommandLine
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    run = blazeposer_command("camera")
    assert run.status == 1
    assert run.err.startswith("blazeposer: the virtual camera runs on Linux only")
    assert run.err.count("\n") == 1


@pytest.mark.usefixtures("needs_virtual_camera")
@pytest.mark.parametrize("missing", ["micropython_unix", "tflite_micro"])
def test_missing_wheel_gets_one_line(
    monkeypatch: pytest.MonkeyPatch, missing: str, blazeposer_command: CommandLine
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    run = blazeposer_command("camera")
    assert run.status == 1
    assert "pip install 'blazeposer[demo]'" in run.err
    assert run.err.count("\n") == 1


@pytest.mark.usefixtures("needs_virtual_camera")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_command_serves_a_picture(portrait_path: Path, ending: signal.Signals) -> None:
    command = [sys.executable, "-m", "blazeposer", "camera", str(portrait_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            port = process.stdout.readline().strip()
            script = (
                "import csi; c = csi.CSI(); c.pixformat(csi.RGB565); c.framesize(csi.QVGA);"
                "c.snapshot(); print(c.snapshot().width())"
            )
            assert mpremote(port, "exec", script) == "320\n"
            process.send_signal(ending)
            assert process.wait(HANG) == 0
        finally:
            process.kill()


def test_sources_are_shown_again_and_again(tmp_path: Path) -> None:
    shades = (40, 120, 200)
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    (tmp_path / "pictures").mkdir()
    for shade in shades:
        picture = np.full((48, 64, 3), shade, np.uint8)
        writer.write(picture)
        cv2.imwrite(str(tmp_path / "pictures" / f"{shade:03}.png"), picture)
    writer.release()
    for source in ("v.avi", "pictures"):
        frames = frames_of(str(tmp_path / source))
        assert callable(frames)
        shown = [frames(number).mean() for number in range(7)]
        np.testing.assert_allclose(shown, [*shades, *shades, shades[0]], atol=3)


def test_command_without_its_source(tmp_path: Path, blazeposer_command: CommandLine) -> None:
    run = blazeposer_command("camera", tmp_path / "missing.jpg")
    assert run.status == 1
    assert run.err.count("\n") == 1
    assert "missing.jpg" in run.err
