"""The virtual cameras that run on this PC, for who looks for cameras: what USB's list of devices is for real ones."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path


def add(serial: str, port: str) -> None:
    """Enter the camera with this serial number, or its new port."""
    folder = _folder()
    folder.mkdir(exist_ok=True)
    entry = folder / f"{serial}.new"
    entry.write_text(json.dumps({"port": port, "process": os.getpid()}))
    entry.replace(folder / f"{serial}.json")


def remove(serial: str) -> None:
    """Strike a camera off."""
    (_folder() / f"{serial}.json").unlink(missing_ok=True)


def running() -> dict[str, str]:
    """Serial number -> port of each virtual camera that still runs."""
    found = {}
    for path in sorted(_folder().glob("*.json")):
        try:
            entry = json.loads(path.read_text())
            os.kill(entry["process"], 0)
        except (OSError, ValueError):  # struck off just now, or its process was killed
            continue
        found[path.stem] = entry["port"]
    return found


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"blazeposer-cameras-{getattr(os, 'getuid', int)()}"
