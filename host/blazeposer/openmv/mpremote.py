"""Run the tool mpremote in a subprocess, because mpremote cannot be used as a library."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from blazeposer.core.errors import PortError
from blazeposer.core.resources import board_dir, default_model
from blazeposer.openmv import ports
from blazeposer.openmv.ports import LostError

PATIENCE = 120.0
"""Longest time in seconds that a short command may run without output."""
MOST = 100_000_000
"""Largest number of characters in a camera's answer. A camera's whole flash in base64 has fewer characters."""
_ERRORS = ("SerialException", "BrokenPipe", "ConnectionRefused", "ConnectionReset", "PermissionError")
_LOST = (*_ERRORS, "Errno 5]", "Errno 6]")  # on Linux and macOS, these error numbers mean that the port is gone


class NoRepl(PortError):
    """Error for a camera that did not let mpremote into its REPL. The camera has run no command of mpremote."""


class Complaint(PortError):
    """Error for an mpremote command that failed on the camera. `reason` is the last line that mpremote printed."""

    def __init__(self, port: str, command: str, reason: str) -> None:
        full = "No space left" in reason or "ENOSPC" in reason
        hint = "delete files there, then run" if full else "reset the camera and run"
        super().__init__(f"mpremote {command} failed at {port} ({reason}): {hint} the command again")
        self.reason = reason


def mpremote(port: str, *arguments: str, expected: float = 0, said: Callable[[str], None] = lambda _: None) -> str:
    """Run mpremote at a serial port, and return its output. Several commands in `arguments` are separated by "+".

    `expected` is the number of seconds that the commands usually take. `said` gets each line of the output while
    mpremote runs. Raises PortError if mpremote or the camera reports an error.
    """
    command = [sys.executable, "-m", "mpremote", "connect", port, *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=os.environ | {"PYTHONUNBUFFERED": "1"},  # without this, mpremote prints its progress only at the end
    ) as process:
        assert process.stdout
        ended, given_up = threading.Event(), threading.Event()
        left, heard = MOST, time.monotonic()

        def give_up() -> None:
            while (wait := heard + PATIENCE + 3 * expected - time.monotonic()) > 0:
                if ended.wait(wait):
                    return
            given_up.set()
            process.kill()

        threading.Thread(target=give_up, daemon=True).start()
        lines = []
        try:
            # In text mode, \r also ends a line, for example a line that shows the progress.
            while line := process.stdout.readline(left):
                lines.append(line)
                heard = time.monotonic()
                if not (left := left - len(line)):
                    process.kill()
                    raise PortError(f"{port} sends data without an end: reset the camera and run the command again")
                said(line.strip())
            status = process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            ended.set()
    if given_up.is_set():
        raise PortError(f"{port} does not answer: reset the camera and close OpenMV IDE")
    text = "".join(lines)
    if status:
        raise _error(port, arguments[0], text)
    return text


def _error(port: str, command: str, text: str) -> PortError:
    if any(word in text for word in _LOST):
        return LostError(
            f"the connection to {port} was lost: check the cable, close OpenMV IDE and run the command again"
        )
    if "could not enter raw repl" in text:
        return NoRepl(
            f"{port} does not answer like an OpenMV camera: close OpenMV IDE and reset the camera; if its main.py "
            "cannot be stopped, see docs/troubleshooting.md"
        )
    last = (text.strip().splitlines() or ["no reason given"])[-1].removeprefix("mpremote: ").rstrip(".")
    if "failed to access" in last:
        return PortError(
            f"mpremote {command} failed at {port} ({last}): close OpenMV IDE, and list the ports with `mpremote devs`"
        )
    return Complaint(port, command, last)


def copy_to_camera(
    port: str, model: Path | None = None, folder: str = "/flash", progress: Callable[[str], None] = lambda _: None
) -> None:
    """Copy the scripts board/*.py and a network file (by default, the network file of this package) into a folder of
    the camera. The network file gets the name blazeposer.tflite. If the camera has an SD card, the caller must set
    `folder` to "/sdcard". The function overwrites files without asking, so users should run `blazeposer deploy`
    instead. `progress` gets the name of each file before the copy."""
    sources = {path.name: path for path in sorted(board_dir().glob("*.py"))}
    for name, source in (sources | {"blazeposer.tflite": model or default_model()}).items():
        progress(name)
        mpremote(port, "fs", "cp", str(source), f":{folder}/{name}")


def reset(port: str) -> None:
    """Reset the camera, and wait until the camera is back. Raises PortError."""
    ports.reset(ports.find(port), lambda: mpremote(port, "reset"), PATIENCE)
