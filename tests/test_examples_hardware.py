"""The virtual camera's hardware for the scripts in board/examples: LEDs, pins, buses, a mouse, a screen and files."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from blazeposer.camera import VirtualCamera, drawing
from blazeposer.camera.showing import Words
from blazeposer.core.boards import BOARDS
from blazeposer.core.errors import PortError
from blazeposer.openmv.mpremote import mpremote

FRAME = np.full((240, 320, 3), 90, np.uint8)
SNAPSHOT = "import csi; c = csi.CSI(); c.pixformat(csi.RGB565); c.framesize(csi.QVGA); img = c.snapshot();"
YELLOW = (255, 200, 0)


@pytest.fixture(scope="module")
def h7(needs_virtual_camera: None) -> Iterator[VirtualCamera]:
    with VirtualCamera([FRAME], board="h7") as camera:
        yield camera


@pytest.fixture
def camera(h7: VirtualCamera) -> VirtualCamera:
    h7.device.written.clear()
    return h7


def execute(camera: VirtualCamera, script: str) -> str:
    return mpremote(camera.port, "exec", script)


def test_leds_are_on_at_a_low_level(camera: VirtualCamera) -> None:
    """docs.openmv.io, quick references of all cameras: LED_RED, LED_GREEN and LED_BLUE are active low. The class LED
    hides that (openmv v5.0, scripts/libraries/machine.py)."""
    execute(camera, "from machine import LED; r = LED('LED_RED'); r.on(); r.off(); r.value(True); r.value(0)")
    assert list(camera.device.written) == [("LED_RED", level) for level in (1, 0, 1, 0, 1)]


def test_pwm_takes_pulses_that_fit_its_period(camera: VirtualCamera) -> None:
    """docs.openmv.io, machine.PWM: `duty_ns` is the high time of each cycle."""
    execute(camera, "from machine import PWM; p = PWM('P7', freq=50, duty_ns=1500000); p.duty_ns(2000000)")
    assert list(camera.device.written) == [("P7", [50, 1_500_000]), ("P7", [50, 2_000_000])]
    with pytest.raises(PortError, match="ValueError"):
        execute(camera, "from machine import PWM; PWM('P7', freq=50, duty_ns=20000001)")


def test_uart_takes_text_and_bytes(camera: VirtualCamera) -> None:
    """docs.openmv.io, machine.UART.write: the number of bytes written."""
    script = "from machine import UART; u = UART(3, 115200); print(u.write('one\\r\\n'), u.write(b'two'))"
    assert execute(camera, script) == "5 3\n"
    assert list(camera.device.written) == [("UART3", "one\r\n"), ("UART3", "two")]


def test_a_mouse_needs_its_usb_mode(camera: VirtualCamera) -> None:
    """docs.openmv.io, pyb.usb_mode (VCP+MSC unless boot.py says otherwise), pyb.USB_HID, pyb.hid_mouse."""
    with pytest.raises(PortError, match="USB mode"):
        execute(camera, "import pyb; print(pyb.usb_mode()); pyb.USB_HID()")
    script = "import pyb; print(pyb.usb_mode()); pyb.usb_mode('VCP+HID'); m = pyb.USB_HID(); m.send((1, -127, 127, 0))"
    assert execute(camera, script) == "VCP+MSC\n"
    assert list(camera.device.written) == [("USB HID", [1, -127, 127, 0])]
    with pytest.raises(PortError, match="mouse"):
        execute(camera, "import pyb; pyb.usb_mode('VCP+HID'); pyb.USB_HID().send((0, 128, 0, 0))")


def test_which_boards_have_pyb() -> None:
    """docs.openmv.io, pyb: STM32-based boards only, and off on the N6."""
    assert [board.key for board in BOARDS if not board.pyb] == ["rt1062", "ae3", "n6"]


@pytest.mark.usefixtures("needs_virtual_camera")
def test_a_board_without_pyb() -> None:
    with VirtualCamera([FRAME], board="rt1062") as camera, pytest.raises(PortError, match="ImportError"):
        execute(camera, "import pyb")


@pytest.mark.parametrize(
    "call", ["draw_rectangle(1, 2, 3, 4)", "draw_line((1, 2, 3.0, 4))", "draw_circle((1, 2))", "draw_string(1, 2, 'a')"]
)
def test_draw_calls_take_one_tuple_of_integers(camera: VirtualCamera, call: str) -> None:
    """openmv v5.0, modules/py_image.c: the numbers of a draw call are one tuple, no more arguments of their own."""
    with pytest.raises(PortError, match=r"Error|NotOnCamera"):
        execute(camera, f"{SNAPSHOT} img.{call}")


def test_what_is_drawn_is_in_files_and_on_the_screen(camera: VirtualCamera) -> None:
    """docs.openmv.io, image.Image: draw calls change the image. display.SPIDisplay: 128x160; the hints CENTER and
    SCALE_ASPECT_KEEP fit the image in."""
    execute(
        camera,
        f"{SNAPSHOT} import display, image\n"
        f"img.draw_rectangle((10, 20, 101, 51), color={YELLOW}, thickness=3).save('drawn.jpg')\n"
        "display.SPIDisplay().write(img, hint=image.CENTER | image.SCALE_ASPECT_KEEP)",
    )
    picture = cv2.imread(str(camera.folder / "flash" / "drawn.jpg"))
    assert picture is not None
    rows, columns = np.nonzero(picture[..., 0] < 60)  # BGR
    assert (rows.min(), rows.max()) == (pytest.approx(19, abs=4), pytest.approx(71, abs=4))
    assert (columns.min(), columns.max()) == (pytest.approx(9, abs=4), pytest.approx(111, abs=4))
    (_, (to, screen)) = camera.device.written
    assert to == "display"
    assert screen.shape == (160, 128, 3)
    assert not screen[:32].any()
    assert not screen[-32:].any()
    assert (screen[32:-32] == YELLOW).all(axis=2).any()


def test_a_sensor_can_be_mounted_in_any_way() -> None:
    """docs.openmv.io, csi.CSI.hmirror and vflip."""
    picture = np.zeros((240, 240, 3), np.uint8)
    picture[:80, :80] = 255  # top left
    with VirtualCamera([picture], board="h7") as camera:
        for call, corner in (("c.hmirror(False)", (0, 0)), ("c.hmirror(True)", (0, 1)), ("c.vflip(True)", (1, 0))):
            before = f"c.window((240, 240)); {call}; img ="
            execute(camera, f"{SNAPSHOT.replace('img =', before)} img.save('corner.jpg')")
            seen = cv2.imread(str(camera.folder / "flash" / "corner.jpg"))
            assert seen is not None
            y, x = (120 * half for half in corner)
            assert seen[y : y + 120, x : x + 120].mean() > 3 * seen.mean()


def test_a_picture_is_gone_after_the_next(camera: VirtualCamera) -> None:
    """openmv v5.0: a snapshot overwrites the frame buffer."""
    with pytest.raises(PortError, match="this image is gone"):
        execute(camera, f"{SNAPSHOT} c.snapshot(); img.save('old.jpg')")


def test_letters_take_8_by_10_pixels() -> None:
    """docs.openmv.io, image.Image.draw_string."""
    picture = np.zeros((40, 100, 3), np.uint8)
    drawing.draw(picture, "string", [10, 5], [255, 255, 255], text="-888", scale=2)
    rows, columns = np.nonzero(picture[..., 0])
    assert 5 <= rows.min() < rows.max() < 25
    assert 10 <= columns.min() < columns.max() < 10 + 4 * 16
    assert rows.max() - rows.min() > 12


def test_what_scripts_do_is_told_in_words(camera: VirtualCamera) -> None:
    """A line whenever something changes, in the examples' units; files with their size."""
    lines: list[str] = []
    camera.device.listeners.append(Words(camera.device, lines.append).heard)
    try:
        execute(
            camera,
            f"{SNAPSHOT} import display, image, pyb\n"
            "from machine import LED, PWM, UART\n"
            "led = LED('LED_RED'); led.on(); led.on(); led.off()\n"
            "servo = PWM('P7', freq=50, duty_ns=1500000); servo.duty_ns(1500400); servo.duty_ns(1750000)\n"
            "UART(3).write('$HEAD*00\\r\\n')\n"
            "pyb.usb_mode('VCP+HID'); mouse = pyb.USB_HID(); mouse.send((1, 12, -3, 0)); mouse.send((0, 0, 0, 0))\n"
            "display.SPIDisplay().write(img, hint=image.CENTER | image.SCALE_ASPECT_KEEP)\n"
            "file = open('/flash/told.csv', 'w'); file.write('12345'); file.close()\n",
        )
    finally:
        camera.device.listeners.clear()
    screen = camera.folder / "screen.png"
    assert lines == [
        "red LED: off",
        "red LED: on",
        "red LED: off",
        "pin P7: pulses of 1,500 us at 50 Hz",
        "pin P7: pulses of 1,750 us at 50 Hz",
        "UART3: $HEAD*00",
        "mouse: 12 to the right, 3 up, left button",
        "mouse: rests",
        f"screen: 128 x 160 pixels, see {screen}",
        "/flash/told.csv: 5 bytes written",
    ]
    assert cv2.imread(str(screen)).shape == (160, 128, 3)  # type: ignore[union-attr]


def test_a_list_of_files_has_their_sizes(camera: VirtualCamera) -> None:
    """MicroPython 1.28, extmod/vfs_fat.c: `ilistdir` gives name, kind, 0, size."""
    (camera.folder / "flash" / "five.txt").write_text("12345")
    assert "           5 five.txt" in mpremote(camera.port, "fs", "ls").splitlines()
    found = execute(camera, "import os; print([e for e in os.ilistdir('/flash') if e[0] == 'five.txt'])")
    assert found == "[('five.txt', 32768, 0, 5)]\n"
