"""Files to a camera, real or virtual, with mpremote."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from blazeposer.errors import PortError
from blazeposer.resources import board_dir, default_model

_TIMEOUT = 120.0  # seconds for one mpremote command; a model takes about ten


def copy_to_camera(
    port: str, model: Path | None = None, folder: str = "/flash", progress: Callable[[str], None] | None = None
) -> None:
    """Copy board/*.py and the model (by default ours) into `folder` of the camera at `port`; `reset` then runs it.

    The folder of a camera with a card in is "/sdcard". The model becomes blazeposer.tflite, as main.py looks for it.
    `progress` is called with each file's name before it is copied. Raises PortError.
    """
    model = model or default_model()
    sources = {path.name: path for path in sorted(board_dir().glob("*.py"))} | {"blazeposer.tflite": model}
    for name, source in sources.items():
        if progress:
            progress(name)
        mpremote(port, "fs", "cp", str(source), f":{folder}/{name}")


def reset(port: str) -> None:
    """Reset the camera at `port` by machine.reset(), after which main.py runs. Raises PortError."""
    mpremote(port, "reset")


def mpremote(port: str, *arguments: str) -> str:
    """What one mpremote command prints; a PortError has the last line of what it complains about."""
    command = [sys.executable, "-m", "mpremote", "connect", port, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise PortError(f"{port} does not answer: reset the camera and close OpenMV IDE") from error
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines() or ["no reason given"]
        reason = said[-1].removeprefix("mpremote: ").rstrip(".")
        hint = ": list the ports with `mpremote devs`, close OpenMV IDE" if "failed to access" in reason else ""
        raise PortError(f"mpremote {arguments[0]} failed at {port}: {reason}{hint}")
    return done.stdout
