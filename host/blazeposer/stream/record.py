"""The stream of a camera: one JSON line a frame, as `board/main.py` prints it.

    {"v": 1, "seq": 12, "t_ms": 3456, "fps": 7.3, "ms": [2.1, 126.3, 7.6], "size": [240, 240],
     "faces": [{"box": [x, y, w, h], "score": 0.93, "keypoints": [x0, y0, ..., x5, y5],
                "yaw": 1.2, "pitch": -3.4, "roll": 0.5, "err": 4.2, "id": 1}]}

A record without "v" is of version 1; "ms", "size" and "id" may be missing. With SMOOTH in `board/main.py` a face
also has "steady": box, keypoints and angles as the camera steadied them, for readers that do not by themselves. A PC
adds "position" (x, y, z in centimetres) where it estimates that, and "source", the file, where that is what it reads.
This module is the only place on the PC that knows these names. A test holds it and `board/main.py` together.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import serial

from blazeposer.core.contract import ANGLES, BOX_VALUES, KEYPOINTS
from blazeposer.core.errors import PortError
from blazeposer.core.face import Face, Keypoints
from blazeposer.core.text import plain
from blazeposer.openmv.serial_port import open_port

VERSION = 1
"""Version of the record. A reader leaves out, and counts, records of a version that it does not know."""
MAX_LINE = 2200
"""Bytes of the longest record, that of four faces, steadied ones beside them."""
SILENCE = 20.0
"""Seconds without a record after which a camera counts as silent: a cold start takes about five."""
LARGEST = 1e6
"""No length, angle or count of pixels of a record is beyond this."""
_CHUNK = 4096
_START = '{"v":'  # of a record
_LONGEST = 4096  # bytes of a line: records of a PC with more faces or digits are longer than MAX_LINE
_RECENT = 32  # records among which a repeated or late one is looked for
_SAID = 200  # characters of a line that is no record
_FARTHEST = 10_000  # frames that can be lost at once; a farther jump is another run of the script


@dataclass(frozen=True)
class Timing:
    """The time of each part of a frame, in milliseconds."""

    picture: float
    """Waiting for the sensor."""
    network: float
    """Preparing the image and running the network."""
    decode: float
    """Decoding the outputs into faces; 0 where it is part of `network`."""


@dataclass(frozen=True)
class Record:
    """One frame."""

    seq: int
    """Frames since the script started; that of the first is 0."""
    t_ms: int
    """Milliseconds since the script started, when the image was taken."""
    fps: float
    """Frames a second, by the camera's clock."""
    faces: tuple[Face, ...]
    """Best score first."""
    size: tuple[int, int] = (240, 240)
    """Width and height of the camera's window, pixels."""
    ms: Timing | None = None
    """Times of the parts of a frame."""
    source: str = ""
    """Name of the image or video, if it is from a file."""


def parse_line(line: str | bytes) -> Record | None:
    """Return the record in a line, or None if it is none: a boot message, half a line, noise, another version."""
    try:
        return _record(json.loads(line))
    except (_NoRecord, ValueError, RecursionError):
        return None


def as_line(record: Record) -> str:
    """Return the record as a line, without its end. `parse_line` gives it back, as `face_as_json` rounds it."""
    head: dict[str, Any] = {"v": VERSION, "seq": record.seq, "t_ms": record.t_ms, "fps": record.fps}
    if record.ms:
        head["ms"] = [record.ms.picture, record.ms.network, record.ms.decode]
    head["size"] = record.size
    if record.source:
        head["source"] = record.source
    return json.dumps(head | {"faces": [face_as_json(face) for face in record.faces]}, separators=(",", ":"))


class _NoRecord(Exception):
    """A JSON value that is no record."""


class _OtherVersion(_NoRecord):
    """A record of a version that this module does not know."""


def _record(values: Any) -> Record:
    """Return the record of a JSON value. Raises _NoRecord."""
    try:
        faces = values["faces"]
        if not isinstance(faces, list):
            raise _NoRecord
        if values.get("v", VERSION) != VERSION:
            raise _OtherVersion
        width, height = map(_count, values.get("size", Record.size))
        if not width * height > 0:
            raise _NoRecord
        return Record(
            _count(values["seq"]),
            _count(values["t_ms"]),
            _number(values["fps"], 0),
            tuple(map(_face, faces)),
            (width, height),
            Timing(*(_number(v, 0) for v in values["ms"])) if "ms" in values else None,
            _text(values.get("source", "")),
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise _NoRecord from error


def face_as_json(face: Face) -> dict[str, Any]:
    """Return a face as JSON values, lengths and angles rounded to hundredths."""
    values: dict[str, Any] = {
        "box": [round(value, 2) for value in face.box],
        "score": round(face.score, 3),
        "keypoints": [round(value, 2) for point in face.keypoints for value in point],
        **{name: round(angle, 2) for name, angle in zip(ANGLES, face.angles, strict=True)},
        "err": round(face.err, 2),
    }
    if face.id is not None:
        values["id"] = face.id
    if face.position is not None:
        values["position"] = [round(value, 1) for value in face.position]
    return values


def _face(values: Any) -> Face:
    box, points = [[_number(v) for v in values[name]] for name in ("box", "keypoints")]
    if len(box) != BOX_VALUES or len(points) != 2 * len(KEYPOINTS):
        raise ValueError
    x, y, z = map(_number, values.get("position", (0, 0, 0)))
    yaw, pitch, roll = (_number(values[name], -180, 180) for name in ANGLES)
    return Face(
        (box[0], box[1], box[2], box[3]),
        _number(values["score"], 0, 1),
        Keypoints(*zip(points[::2], points[1::2], strict=True)),
        yaw,
        pitch,
        roll,
        _number(values["err"], 0),
        _count(values["id"]) if "id" in values else None,
        (x, y, z) if "position" in values else None,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**53:  # beyond that, JavaScript and spreadsheets round
        raise ValueError
    return value


def _number(value: Any, least: float = -LARGEST, most: float = LARGEST) -> float:
    """Return a number as JSON has it: Python would also take NaN, True and "1"."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError
    return float(value)


@dataclass
class Counts:
    """The number of records that came over a link, and of those that did not."""

    records: int = 0
    lost: int = 0
    """Records missing in the sequence."""
    skipped: int = 0
    """Records missing where the camera keeps the newest one only, and it was not asked in time."""
    repeated: int = 0
    """Records that came once more; left out."""
    late: int = 0
    """Records after a younger one."""
    garbled: int = 0
    """Lines that are a broken record, or hold a piece of one."""
    other_version: int = 0
    restarts: int = 0
    """Restarts of the camera's script, or of the link."""


class Reader:
    """Makes records of bytes as they come; whatever comes, it reads on.

    A record is the end of its line: before it may be a line without its own end. Where a sequence number is garbled, a
    few records count as lost or late. `midway`: the first line may be the end of one, which is no loss.
    """

    def __init__(self, midway: bool = True) -> None:
        self.counts = Counts()
        self.said = ""
        """The last line that was no record: usually why the camera sends none. Printable, but otherwise anything."""
        self._pending = b""
        self._recent: OrderedDict[int, Record] = OrderedDict()
        self._last: int | None = None
        self._midway = midway

    def resume(self) -> None:
        """Start anew after the link was lost: records that went by meanwhile count as no loss."""
        self._pending, self._midway, self.said = b"", True, ""
        self._recent.clear()
        if self._last is not None:
            self.counts.restarts += 1
            self._last = None

    def feed(self, data: bytes) -> list[Record]:
        """Return the records that are complete with these bytes, in the order in which they came."""
        *lines, pending = (self._pending + data).split(b"\n")
        self._pending = pending[-_LONGEST:]  # noise, or a line's end that was lost
        records = [self._line(line.decode("latin-1")) for line in lines]
        return [record for record in records if record and self._is_new(record)]

    def take(self, values: Any) -> Record | None:
        """Return the record that came whole, as a JSON value; None if it is none, or not a new one."""
        try:
            record = _record(values)
        except _OtherVersion:
            self.counts.other_version += 1
        except _NoRecord:
            self.counts.garbled += 1
        else:
            return record if self._is_new(record, newest_only=True) else None
        return None

    def _line(self, line: str) -> Record | None:
        start = max(0, line.rfind(_START))
        record, rest = None, line[:start]
        try:
            record = _record(json.loads(line[start:]))
        except _OtherVersion:
            self.counts.other_version += 1
        except (_NoRecord, ValueError, RecursionError):
            rest = line
        if not self._midway and ("{" in rest or "}" in rest):
            self.counts.garbled += 1
        elif not record and (said := rest.encode("latin-1").decode(errors="replace").strip()):
            self.said = plain(said[:_SAID])
        self._midway = False
        return record

    def _is_new(self, record: Record, newest_only: bool = False) -> bool:
        counts, seq, last = self.counts, record.seq, self._last
        if self._recent.get(seq) == record:
            counts.repeated += 1
            return False
        counts.records += 1
        missing = 0
        if last is not None and last - _RECENT <= seq < last and seq not in self._recent:
            counts.late += 1
            missing = -1
        else:
            if last is not None and (seq <= last or seq > last + _FARTHEST):
                counts.restarts += 1
                self._recent.clear()
            elif last is not None:
                missing = seq - last - 1
            self._last = seq
        if newest_only:
            counts.skipped = max(0, counts.skipped + missing)
        else:
            counts.lost = max(0, counts.lost + missing)
        self._recent[seq] = record
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        return True


def read_chunks(port: str) -> Generator[bytes, None, None]:
    """Yield bytes that the camera at `port` sends, until the port is lost; b"" when none came for a moment.

    `port` is whatever pyserial opens: "/dev/ttyACM0", "COM3", "socket://127.0.0.1:4000". The port opens when the first
    bytes are asked for, and closes with the iterator. Raises PortError.
    """
    with open_port(port) as stream:
        while True:
            try:
                data = stream.read(_CHUNK)
            except (serial.SerialException, OSError) as error:
                raise PortError(f"the connection to {port} was lost: check the cable and start again") from error
            yield bytes(data)


def read_records(port: str, silence: float = SILENCE) -> Generator[Record, None, None]:
    """Yield records that the camera at `port` streams; see `read_chunks`.

    The PortError of a camera that sends no record for `silence` seconds names the last other line, which is usually
    the camera's reason.
    """
    reader, deadline = Reader(), time.monotonic() + silence
    try:
        for data in read_chunks(port):
            for record in reader.feed(data):
                yield record
                deadline, reader.said = time.monotonic() + silence, ""
            if time.monotonic() > deadline:
                break
    except PortError as error:
        if not reader.said:
            raise
        raise PortError(f"{port} sends no records any more, its last line is: {reader.said}") from error
    raise PortError(silent(port, reader.said))


def silent(port: str, said: str) -> str:
    """Return in one line why a camera sends no records; `said` is its last other line."""
    if said:
        return f"{port} sends no records, its last line is: {said}"
    return f"{port} says nothing: is main.py on the camera, and was it reset?"
