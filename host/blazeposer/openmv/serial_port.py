"""Opens a camera's serial port, or says in one line why not."""

from __future__ import annotations

import os
import re

import serial

from blazeposer.core.errors import PortError

BAUD_RATE = 115200
"""Any rate but 921600 reaches the plain REPL of a camera (OpenMV firmware 5.0)."""
_LATENCY = 0.02  # seconds that bytes may wait until they are read


def open_port(port: str, baud_rate: int = BAUD_RATE) -> serial.SerialBase:
    """Return the port, opened for this program alone; see `stream.read_chunks`. Raises PortError."""
    try:
        return serial.serial_for_url(port, baud_rate, timeout=_LATENCY, dsrdtr=False, exclusive=True)
    except (serial.SerialException, OSError, ValueError) as error:
        reason = _reason(error)
        if any(word in reason for word in _TAKEN):
            raise PortError(f"another program has {port} open: close OpenMV IDE, or what else reads it") from error
        raise PortError(f"cannot open {port} ({reason}): list the ports with `mpremote devs`") from error


_TAKEN = ("Resource temporarily unavailable", "Device or resource busy", "Access is denied")
"""Ends of pyserial's messages about a port that has its user already, on Linux, on macOS and on Windows."""


def _reason(error: Exception) -> str:
    """Return the reason in pyserial's message: the system's own words where it quotes them.

    The message has the port's name before the reason, and on Linux after it too.
    """
    if code := getattr(error, "errno", None):
        return os.strerror(code)
    reason = str(error).split(": ")[-1].split("] ")[-1]
    quoted = re.search(r"\(\d+, '(.+?)\.?'", reason)
    return quoted[1] if quoted else reason
