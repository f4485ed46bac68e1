"""Read files that come from other people."""

import errno
import stat
from pathlib import Path


def read_file(path: Path) -> bytes:
    """Return a file's bytes. Raises OSError for a pipe or a device, because reading a pipe or a device could wait
    forever."""
    if not stat.S_ISREG(mode := path.stat().st_mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))
    return path.read_bytes()
