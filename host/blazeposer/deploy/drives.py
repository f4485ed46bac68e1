"""Drives of cameras that this PC has mounted: it may write its own idea of their files over what mpremote wrote."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

MARK = ".openmv_disk"
"""Firmware 5.0 makes this file on the drive that it starts from (openmv, scripts/libraries/_boot.py)."""


def mounted() -> list[Path]:
    """Return the drives of OpenMV cameras that are mounted now."""
    return [folder for folder in _mounts() if _exists(folder / MARK)]


def _mounts() -> Iterable[Path]:
    """Return the folders at which drives are mounted."""
    if sys.platform == "win32":
        present = ctypes.windll.kernel32.GetLogicalDrives()
        return [Path(f"{chr(65 + number)}:/") for number in range(26) if present >> number & 1]
    if sys.platform == "darwin":
        return Path("/Volumes").iterdir()
    return _fat_mounts(Path("/proc/mounts").read_bytes())


def _fat_mounts(table: bytes) -> list[Path]:
    """Return the FAT drives of Linux's table of mounts: a look at a network drive may take long."""
    lines = (line.split() for line in table.splitlines())
    names = [line[1] for line in lines if line[2] in (b"vfat", b"msdos", b"exfat")]
    return [Path(os.fsdecode(name.decode("unicode_escape").encode("latin-1"))) for name in names]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a drive without a medium, or not ours to look at
        return False
