"""Print a line for each change that a script makes to the virtual camera's LEDs, pins, buses, screen or drives."""

from collections.abc import Callable
from typing import Any

import cv2

from blazeposer.camera.device import Device


class Words:
    """A listener that prints lines. The caller must add the method `heard` to `Device.listeners`."""

    def __init__(self, device: Device, say: Callable[[str], None]) -> None:
        self._screen = device.folder / "screen.png"
        self._say = say
        self._last: dict[str, str] = {}

    def heard(self, to: str, value: Any) -> None:
        """Print a line about a target's new value (see `Device.written`). Skip a line that repeats the target's last
        line."""
        if to == "ROMFS":
            return
        name, words = _in_words(to, value)
        if to == "display":
            words += f", see {self._screen}"
            new = self._screen.with_suffix(".new")
            new.write_bytes(cv2.imencode(".png", value[..., ::-1])[1].tobytes())
            new.replace(self._screen)  # replace the file at once, so that nobody sees half an image
        if words and words != self._last.get(name):
            self._say(f"{name}: {words}")
        self._last[name] = words


def _in_words(to: str, value: Any) -> tuple[str, str]:
    """Return the name of the changed pin, bus, screen or file, and a text about the new state."""
    if to.startswith("LED_"):
        return f"{to.removeprefix('LED_').lower()} LED", "off" if value else "on"  # an LED is on if its pin is low
    if to == "file":
        path, size = value
        return path, f"{size:,} bytes written"
    if to == "display":
        height, width = value.shape[:2]
        return "screen", f"{width} x {height} pixels"
    if to == "USB HID":
        return "mouse", _mouse(*value)
    if isinstance(value, list):
        frequency, pulse = value
        return f"pin {to}", f"pulses of {round(pulse / 10_000) * 10:,} us at {frequency} Hz"
    return (to, value.strip()) if isinstance(value, str) else (f"pin {to}", str(value))


def _mouse(buttons: int, right: int, down: int, wheel: int) -> str:
    words = [f"{abs(right)} to the {'right' if right > 0 else 'left'}"] if right else []
    words += [f"{abs(down)} {'down' if down > 0 else 'up'}"] if down else []
    words += [f"wheel {wheel:+}"] if wheel else []
    words += [f"{name} button" for bit, name in enumerate(("left", "right", "middle")) if buttons & 1 << bit]
    return ", ".join(words) or "rests"
