"""The stream of a camera: one JSON line a frame, as `board/main.py` prints it.

    {"seq": 12, "t_ms": 3456, "fps": 9.8, "faces": [{"box": [x, y, w, h], "score": 0.93,
     "keypoints": [x0, y0, ..., x5, y5], "yaw": 1.2, "pitch": -3.4, "roll": 0.5, "err": 4.2}]}

This module is the only place on the PC that knows these names. A test holds it and `board/main.py` together.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import serial

from blazeposer.contract import ANGLES, BOX_VALUES, KEYPOINTS
from blazeposer.errors import PortError

BAUD_RATE = 115200
"""Any rate but 921600 reaches the plain REPL of a camera (OpenMV firmware 5.0)."""
MAX_LINE = 1000
"""Bytes of the longest record, that of four faces."""
SILENCE = 15.0
"""Seconds without a record after which a camera counts as silent: a cold start takes about five."""
_CHUNK = 4096
_LATENCY = 0.02  # seconds that bytes may wait until they are read


@dataclass(frozen=True)
class StreamedFace:
    """One face. Pixels are those of the camera's window, angles are degrees in the convention of `rotation.py`."""

    box: tuple[float, float, float, float]
    """x, y of the top left corner, width, height."""
    score: float
    """Probability, 0 to 1."""
    keypoints: tuple[tuple[float, float], ...]
    """Six points x, y in the order of `contract.KEYPOINTS`."""
    yaw: float
    pitch: float
    roll: float
    err: float
    """Expected angle between the streamed and the true rotation."""

    @property
    def angles(self) -> tuple[float, float, float]:
        """Yaw, pitch, roll."""
        return self.yaw, self.pitch, self.roll


@dataclass(frozen=True)
class Record:
    """One frame."""

    seq: int
    """Frames since the script started; that of the first is 0."""
    t_ms: int
    """Milliseconds since the script started, when the picture was taken."""
    fps: float
    faces: tuple[StreamedFace, ...]
    """Best score first."""


def parse_line(line: str | bytes) -> Record | None:
    """The record in a line, or None if it is none: a boot message, half a line, noise."""
    try:
        values = json.loads(line)
        if not isinstance(values["faces"], list):
            return None
        faces = tuple(map(_face, values["faces"]))
        return Record(_count(values["seq"]), _count(values["t_ms"]), _finite(values["fps"]), faces)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _face(values: Any) -> StreamedFace:
    box, points = [[_finite(v) for v in values[name]] for name in ("box", "keypoints")]
    if len(box) != BOX_VALUES or len(points) != 2 * len(KEYPOINTS):
        raise ValueError
    return StreamedFace(
        (box[0], box[1], box[2], box[3]),
        _finite(values["score"]),
        tuple(zip(points[::2], points[1::2], strict=True)),
        *(_finite(values[name]) for name in (*ANGLES, "err")),
    )


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value


def _finite(value: Any) -> float:
    """A number as JSON has it: Python would also take NaN, True and "1"."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def read_lines(port: str, silence: float = SILENCE) -> Generator[str, None, None]:
    """Lines that the camera at `port` prints, until the port is lost.

    `port` is whatever pyserial opens: "/dev/ttyACM0", "COM3", "socket://127.0.0.1:4000". The port opens when the first
    line is asked for, and closes with the iterator. Raises PortError, also after `silence` seconds without a line.
    """
    with _open(port) as stream:
        pending, deadline = b"", time.monotonic() + silence
        while True:
            try:
                data = stream.read(_CHUNK)
            except (serial.SerialException, OSError) as error:
                raise PortError(f"the connection to {port} was lost: check the cable and start again") from error
            *lines, pending = (pending + data).split(b"\n")
            pending = pending[-MAX_LINE:]  # noise without a line's end
            for line in lines:
                yield line.decode(errors="replace").strip()
            if lines:
                deadline = time.monotonic() + silence
            elif time.monotonic() > deadline:
                raise PortError(f"{port} says nothing: is main.py on the camera, and was it reset?")


def read_records(port: str, silence: float = SILENCE) -> Generator[Record, None, None]:
    """Records that the camera at `port` streams, other lines left out; see `read_lines`.

    The PortError of a camera that sends no record for `silence` seconds names the last other line, which is usually
    the camera's reason.
    """
    deadline, said = time.monotonic() + silence, ""
    try:
        for line in read_lines(port, silence):
            record = parse_line(line)
            if record is not None:
                yield record
                deadline, said = time.monotonic() + silence, ""
            elif time.monotonic() > deadline:
                break
            else:
                said = line or said
    except PortError as error:
        if not said:
            raise
        raise PortError(f"{port} sends no records any more, its last line is: {said}") from error
    raise PortError(f"{port} sends no records, its last line is: {said}")


def _open(port: str) -> serial.SerialBase:
    try:
        return serial.serial_for_url(port, BAUD_RATE, timeout=_LATENCY, dsrdtr=False, exclusive=True)
    except (serial.SerialException, OSError, ValueError) as error:
        raise PortError(f"cannot open {port} ({_reason(error)}): list the ports with `mpremote devs`") from error


def _reason(error: Exception) -> str:
    """The end of pyserial's message, which repeats the port's name before the reason."""
    return str(error).split(": ")[-1].split("] ")[-1].rstrip("')")
