"""stdout and stderr of a program, which may be closed, full, or in a code page that lacks some characters."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


def prepare_streams() -> None:
    """Open closed streams on the null device, and replace characters that the code page lacks.

    Without this, the next file that the program opens could become stdout or stderr, and printed text would go into the
    file.
    """
    for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if number else "r"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a test or a notebook has replaced it
            stream.reconfigure(errors="backslashreplace")


def drop_stdout() -> None:
    """Discard the text that is still buffered for stdout. The reader is gone, and Python would report an error at its
    end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Suppress messages that libpng, FFmpeg, OpenCV, LiteRT and TFLite Micro print from C. The project prints its own
    line."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
