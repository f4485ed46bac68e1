"""stdout and stderr as people leave them: closed, full, or in a code page that lacks a letter."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


def prepare_streams() -> None:
    """Open what is closed on the null device, and replace letters that the code page lacks.

    Without it the next file that is opened would become stdout or stderr, and get what is printed there.
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
    """Let go what stdout still holds: nobody takes it, and the interpreter would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Drop what libpng, FFmpeg, OpenCV, LiteRT and TFLite Micro print from C: our one line says it."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
