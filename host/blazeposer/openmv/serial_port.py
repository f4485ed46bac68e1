"""Open a camera's serial port."""

import os
import re

import serial

from blazeposer.core.errors import PortError

BAUD_RATE = 115200
"""Baud rate of a camera's port. With OpenMV firmware 5.0, the camera's REPL answers at every baud rate except
921600."""
_LATENCY = 0.02  # longest time in seconds that a read waits for bytes


def open_port(port: str, baud_rate: int = BAUD_RATE) -> serial.SerialBase:
    """Open a serial port for this program alone. Raises PortError if the port cannot be opened."""
    try:
        link = serial.serial_for_url(port, baud_rate, timeout=_LATENCY, dsrdtr=False, exclusive=True, do_not_open=True)
        # pyserial 3.5 deletes the bytes that arrive during the opening (serialposix.py, `open`). These bytes can be the
        # only line of a camera that has stopped. On Windows and at URLs such as socket://, pyserial deletes the bytes
        # in another way.
        link._reset_input_buffer = lambda: None
        link.open()
        del link._reset_input_buffer
        return link
    except (serial.SerialException, OSError, ValueError) as error:
        reason = _reason(error)
        if any(word in reason for word in _TAKEN):
            raise PortError(f"another program uses {port}: close OpenMV IDE, or the other program") from error
        raise PortError(f"cannot open {port} ({reason}): list the ports with `mpremote devs`") from error


_TAKEN = ("Resource temporarily unavailable", "Device or resource busy", "Access is denied")
"""Texts in pyserial's messages about a port that another program uses (Linux, macOS, Windows)."""


def _reason(error: Exception) -> str:
    if code := getattr(error, "errno", None):
        return os.strerror(code)
    reason = str(error).split(": ")[-1].split("] ")[-1]
    quoted = re.search(r"\(\d+, '(.+?)\.?'", reason)
    return quoted[1] if quoted else reason
