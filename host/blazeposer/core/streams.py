"""Keep a program working if its stdout or stderr is closed, takes no more text, or cannot encode some characters."""

import contextlib
import os
import sys
from collections.abc import Iterator


def prepare_streams() -> None:
    """Connect closed streams to the null device, and replace characters that stdout or stderr cannot encode. Without
    the null device, the next file that the program opens could take the place of a closed stdout and receive
    messages."""
    for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # `open` takes the lowest free file descriptor
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if number else "r"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # False if a test or a notebook has replaced the stream
            stream.reconfigure(errors="backslashreplace")


def drop_stdout() -> None:
    """Discard the buffered text for stdout. Otherwise, Python would report an error at exit if the program that reads
    stdout has ended."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Suppress messages that libpng, FFmpeg, OpenCV, LiteRT and TFLite Micro print from C code."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
