"""Files to a camera, real or virtual, with mpremote, and no questions asked: `blazeposer deploy` is for people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from blazeposer.core.resources import board_dir, default_model
from blazeposer.openmv.mpremote import mpremote


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
