"""Read what a camera prints."""

import time
from collections.abc import Generator

import serial

from blazeposer.core.errors import PortError
from blazeposer.openmv.serial_port import open_port
from blazeposer.stream.record import read_chunks
from waiting import HANG


def read_lines(port: str, silence: float = HANG) -> Generator[str, None, None]:
    """Yield the lines that the camera at a port prints. Raises PortError, also after `silence` seconds."""
    pending, deadline = b"", time.monotonic() + silence
    for data in read_chunks(port):
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace").strip()
        if lines:
            deadline = time.monotonic() + silence
        elif time.monotonic() > deadline:
            raise PortError(f"{port} sends nothing")


def connect(port: str) -> serial.SerialBase:
    """Open a camera's port. A read waits for all that it asks for, unless it hangs."""
    link = open_port(port)
    link.timeout = HANG
    return link


def said(link: serial.SerialBase, end: bytes) -> bytes:
    """Return the camera's output up to `end`."""
    text = bytes(link.read_until(end))
    assert text.endswith(end), text
    return text
