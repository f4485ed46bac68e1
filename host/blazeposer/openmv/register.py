"""The virtual cameras that run on this PC, for who looks for cameras: what USB's list of devices is for real ones."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def add(serial: str, port: str, protocol_port: str) -> None:
    """Enter the camera with this serial number, or its new ports."""
    folder = _folder()
    folder.mkdir(exist_ok=True)
    entry = folder / f"{serial}.new"
    entry.write_text(json.dumps({"port": port, "protocol": protocol_port, "process": os.getpid()}))
    entry.replace(folder / f"{serial}.json")


def remove(serial: str) -> None:
    """Strike a camera off."""
    (_folder() / f"{serial}.json").unlink(missing_ok=True)


def running() -> dict[str, str]:
    """Serial number -> port of each virtual camera that still runs."""
    return {serial: entry["port"] for serial, entry in _running().items()}


def protocol_port(port: str) -> str:
    """Where the virtual camera at this port speaks Protocol V2; a real camera does at the same one."""
    return next((entry["protocol"] for entry in _running().values() if entry["port"] == port), port)


def _running() -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted(_folder().glob("*.json")):
        try:
            entry = json.loads(path.read_text())
            os.kill(entry["process"], 0)
        except (OSError, ValueError):  # struck off just now, or its process was killed
            continue
        found[path.stem] = entry
    return found


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"blazeposer-cameras-{getattr(os, 'getuid', int)()}"
