"""The virtual camera's resets: hard and soft, by the button, by a script and by mpremote."""

import time
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
import serial

from blazeposer.camera import VirtualCamera, reset
from blazeposer.camera.hardware import Hardware
from blazeposer.openmv import mpremote as mpremote_module
from blazeposer.openmv import ports
from blazeposer.openmv.mpremote import mpremote
from reading import connect, read_lines, said
from waiting import until

FRAME = np.full((240, 320, 3), 90, np.uint8)
TICKING = "import time\nwhile True:\n    print('tick')\n    time.sleep_ms(20)\n"


@pytest.fixture
def camera(needs_virtual_camera: None) -> Iterator[VirtualCamera]:
    with VirtualCamera([FRAME]) as camera:
        yield camera


def test_hard_reset_runs_boot_and_main(camera: VirtualCamera) -> None:
    """openmv v5.0: main.py runs after a hard boot."""
    (camera.folder / "flash" / "boot.py").write_text("print('boot')")
    (camera.folder / "flash" / "main.py").write_text("print('main')\nwhile True:\n    pass\n")
    camera.reset()
    assert list(islice(read_lines(camera.port), 2)) == ["boot", "main"]
    mpremote(camera.port, "exec", "pass")  # stops main.py
    reset(camera.port)
    assert list(islice(read_lines(camera.port), 2)) == ["boot", "main"]


def test_a_hard_reset_disconnects_programs(camera: VirtualCamera) -> None:
    """MicroPython 1.28, ports/stm32/powerctrl.c: NVIC_SystemReset resets the USB controller, too. So Ctrl-C cannot stop
    machine.reset(), and the next program finds a camera that has started again."""
    (camera.folder / "flash" / "main.py").write_text(TICKING)
    for pressed in (False, True):
        link = connect(camera.port)
        link.write(b"\r\x03")
        said(link, b">>> ")
        if pressed:
            camera.reset()
        else:
            link.write(b"import machine; machine.reset()\r\x03\x03")
        with pytest.raises((serial.SerialException, OSError)):
            link.read_until(b"the end")
        link.close()
        until(lambda: camera.is_plugged_in, "the reset")
        assert "tick" in list(islice(read_lines(camera.port), 2))


def test_a_reset_ends_when_the_camera_is_back(camera: VirtualCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    """mpremote 1.29 ends before the camera begins its reset. On a busy PC, the reset can begin much later."""
    (camera.folder / "flash" / "main.py").write_text(TICKING)
    answer = Hardware._on_reset

    def answer_late(hardware: Hardware) -> None:
        time.sleep(0.5)  # longer than mpremote takes to start again
        answer(hardware)

    monkeypatch.setattr(Hardware, "_on_reset", answer_late)
    for _ in range(2):
        reset(camera.port)
        assert mpremote(camera.port, "exec", "print('mine')") == "mine\n"


def test_a_reset_can_begin_before_mpremote_has_ended(camera: VirtualCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy PC, mpremote 1.29 can take longer than 0.1 s to end, and then loses the connection."""

    def mpremote_that_ends_late(port: str, command: str) -> None:
        mpremote(port, "exec", "--no-follow", "import machine; machine.reset()")
        raise ports.LostError("the connection was lost")

    (camera.folder / "flash" / "main.py").write_text(TICKING)
    monkeypatch.setattr(mpremote_module, "mpremote", mpremote_that_ends_late)
    reset(camera.port)
    assert "tick" in list(islice(read_lines(camera.port), 2))


def test_soft_reset_does_not_run_main(camera: VirtualCamera, link: serial.SerialBase) -> None:
    """openmv v5.0, ports/stm32/main.c: boot.py runs at every reset, main.py never after a soft one. In the raw REPL a
    soft reset stays in the raw REPL."""
    for name in ("boot.py", "main.py"):
        (camera.folder / "flash" / name).write_text(f"print('ran {name}')")
    said(link, b">>> ")
    link.write(b"x = 1\r\x04")
    text = said(link, b"MPY: soft reboot\r\n") + said(link, b">>> ")
    assert b"ran boot.py" in text
    assert b"ran main.py" not in text
    link.write(b"x\r")
    assert b"NameError" in said(link, b">>> ")
    link.write(b"\x01")
    said(link, b"raw REPL; CTRL-B to exit\r\n>")
    link.write(b"\x04")
    text = said(link, b"MPY: soft reboot\r\n") + said(link, b"raw REPL; CTRL-B to exit\r\n>")
    assert b"ran main.py" not in text
    assert b"Type" not in text
    link.write(b"print('raw')\x04")
    assert said(link, b"\x04\x04>") == b"OKraw\r\n\x04\x04>"


@pytest.mark.parametrize("ending", ["import machine; machine.soft_reset()", "import sys; sys.exit()"])
def test_scripts_can_soft_reset(link: serial.SerialBase, ending: str) -> None:
    said(link, b">>> ")
    link.write(ending.encode() + b"\r")
    said(link, b"MPY: soft reboot\r\n")
    said(link, b">>> ")


def test_ctrl_c_stops_main(camera: VirtualCamera) -> None:
    (camera.folder / "flash" / "main.py").write_text(TICKING)
    for _ in range(5):
        camera.reset()
        assert mpremote(camera.port, "exec", "print('mine')") == "mine\n"


def test_script_error_leads_to_the_repl(camera: VirtualCamera) -> None:
    (camera.folder / "flash" / "main.py").write_text("1 / 0\n")
    camera.reset()
    with connect(camera.port) as link:
        assert b"ZeroDivisionError" in said(link, b">>> ")
