"""Find camera drives that are mounted on this PC. While a camera drive is mounted, the PC may overwrite new files on
the drive with older data from the PC's memory."""

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

MARK = ".openmv_disk"
"""File on the drive from which the camera starts. Firmware 5.0 creates it (openmv, scripts/libraries/_boot.py)."""


def mounted() -> list[Path]:
    # Path.exists would raise an error for a drive that has no medium, or that this user may not read.
    return [folder for folder in _mounts() if os.path.exists(folder / MARK)]


def _mounts() -> Iterable[Path]:
    if sys.platform == "win32":
        present = ctypes.windll.kernel32.GetLogicalDrives()
        return [Path(f"{chr(65 + number)}:/") for number in range(26) if present >> number & 1]
    if sys.platform == "darwin":
        return Path("/Volumes").iterdir()
    return _fat_mounts(Path("/proc/mounts").read_bytes())


def _fat_mounts(table: bytes) -> list[Path]:
    """Return the FAT drives in Linux's table of mounted drives. Access to other drives may take a long time."""
    lines = (line.split() for line in table.splitlines())
    names = [line[1] for line in lines if line[2] in (b"vfat", b"msdos", b"exfat")]
    return [Path(os.fsdecode(name.decode("unicode_escape").encode("latin-1"))) for name in names]
