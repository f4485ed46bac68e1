"""Read and write the JSON lines that a camera streams. `board/main.py` prints one JSON line for each frame.

    {"v": 1, "seq": 12, "t_ms": 3456, "fps": 7.3, "ms": [2.1, 126.3, 7.6], "size": [240, 240],
     "faces": [{"box": [x, y, w, h], "score": 0.93, "keypoints": [x0, y0, ..., x5, y5],
                "yaw": 1.2, "pitch": -3.4, "roll": 0.5, "err": 4.2, "id": 1}]}

A record without the key "v" has version 1. The keys "ms" and "size" of a record, and the key "id" of a face, may be
missing. If SMOOTH is on in `board/main.py`, each face in a record also has the key "steady" with its smoothed box,
keypoints and angles. A PC can add the key "position" (x, y, z in centimetres) to a face. A PC can also add the key
"source" to a record. The value of "source" is the name of an image or video file.
"""

import json
import re
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
"""Version of the format of records. A reader skips and counts records of unknown versions."""
MAX_LINE = 2200
"""Length in bytes of the longest record that a camera sends. This record has four faces with smoothed values."""
SILENCE = 20.0
"""Time in seconds without a record, after which a camera counts as silent. A cold start takes about five seconds."""
LARGEST = 1e6
"""Upper limit of every length, angle and number of pixels in a record."""
_CHUNK = 4096
_START = '{"v":'  # of a record
_LONGEST = 4096  # bytes of a line; a PC's record may have more faces or digits, and be longer than MAX_LINE
_RECENT = 32  # number of newest records that are compared with a repeated or late record
_SAID = 200  # largest length of the text `Reader.said`
# The REPL prints these lines after a script has ended: "OpenMV v5.0.0; MicroPython v1.28.0; ..." and 'Type "help()"
# ...' (MicroPython 1.28, shared/runtime/pyexec.c; openmv v5.0, omv_mpconfigport.h).
_GREETING = re.compile(r'(OpenMV .*; )?MicroPython .*; .*|Type "help\(\)" for more information\.')
_FARTHEST = 10_000  # largest number of frames lost in a row; a larger gap means that the script restarted


@dataclass(frozen=True)
class Timing:
    """The times that a camera needs for the parts of its work on one frame, in milliseconds."""

    picture: float
    """Time for which the camera waits for the sensor."""
    network: float
    """Time for preparing the image and running the network."""
    decode: float
    """Time for decoding the outputs into faces, or 0 if `network` includes this time."""


@dataclass(frozen=True)
class Record:
    """The record of one frame."""

    seq: int
    """Number of the frame since the script started. The first frame has number 0."""
    t_ms: int
    """Time of the image, in milliseconds since the script started."""
    fps: float
    """Frames per second, measured with the camera's clock."""
    faces: tuple[Face, ...]
    """Faces in the frame, the best score first."""
    size: tuple[int, int] = (240, 240)
    """Width and height of the camera's window, in pixels."""
    ms: Timing | None = None
    """Times that the camera needed for the frame, or None if the times are not known."""
    source: str = ""
    """Name of the image or video file, or "" if the record comes from a camera."""


def parse_line(line: str | bytes) -> Record | None:
    """Return the record in a line of text. Return None if the line contains no record, or a record of an unknown
    version."""
    try:
        return _record(json.loads(line))
    except (_NoRecord, ValueError, RecursionError):
        return None


def as_line(record: Record) -> str:
    """Return the record as a line of JSON without a newline character. The values of a face are rounded as in
    `face_as_json`."""
    head: dict[str, Any] = {"v": VERSION, "seq": record.seq, "t_ms": record.t_ms, "fps": record.fps}
    if record.ms:
        head["ms"] = [record.ms.picture, record.ms.network, record.ms.decode]
    head["size"] = record.size
    if record.source:
        head["source"] = record.source
    return json.dumps(head | {"faces": [face_as_json(face) for face in record.faces]}, separators=(",", ":"))


class _NoRecord(Exception):
    """Error for a JSON value that is not a record."""


class _OtherVersion(_NoRecord):
    """Error for a record with a version that this module cannot read."""


def _record(values: Any) -> Record:
    """Convert a JSON object to a record. Raises _NoRecord if the JSON object is not a record."""
    try:
        faces = values["faces"]
        if not isinstance(faces, list):
            raise _NoRecord
        if values.get("v", VERSION) != VERSION:
            raise _OtherVersion
        width, height = map(_count, values.get("size", Record.size))
        source = values.get("source", Record.source)
        if not (width * height > 0 and isinstance(source, str)):
            raise _NoRecord
        return Record(
            _count(values["seq"]),
            _count(values["t_ms"]),
            _number(values["fps"], 0),
            tuple(map(_face, faces)),
            (width, height),
            Timing(*(_number(v, 0) for v in values["ms"])) if "ms" in values else None,
            source,
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise _NoRecord from error


def face_as_json(face: Face) -> dict[str, Any]:
    """Return a face as JSON values, with lengths and angles rounded to hundredths."""
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


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**53:  # JavaScript and spreadsheets round larger numbers
        raise ValueError
    return value


def _number(value: Any, least: float = -LARGEST, most: float = LARGEST) -> float:
    """Return a JSON number as float. Raises ValueError outside the limits, and for values such as NaN, True and "1"."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError
    return float(value)


@dataclass
class Counts:
    """The numbers of received, lost, repeated, late and broken records from one camera."""

    records: int = 0
    lost: int = 0
    """Number of records that are missing between the received records."""
    skipped: int = 0
    """Number of records that the PC did not read in time. With Protocol V2, the camera keeps only the newest record."""
    repeated: int = 0
    """Number of records that arrived twice. The second copy is left out."""
    late: int = 0
    """Number of records that arrived after a newer record."""
    garbled: int = 0
    """Number of lines that contain a broken record or only a part of a record."""
    other_version: int = 0
    restarts: int = 0
    """Number of restarts of the camera's script or of the connection."""


class Reader:
    """A reader that finds records in the bytes from a camera, and skips all other bytes. A record is always at the end
    of a line, but the line may begin with other text. If the sequence number of a record was damaged during the
    transfer, a few other records count as lost or late. If `midway` is true, the bytes may begin in the middle of a
    record, so an incomplete first line does not count as a broken record."""

    def __init__(self, midway: bool = True) -> None:
        self.counts = Counts()
        self.said = ""
        """The last line that was neither a record nor the REPL's greeting. This line usually says why the camera sends
        no records. The text is printable, but its content is not checked."""
        self._pending = b""
        self._recent: OrderedDict[int, Record] = OrderedDict()
        self._last: int | None = None
        self._midway = midway

    def resume(self) -> None:
        """Prepare for a new connection to the camera. Records that the camera sent between the two connections do not
        count as lost."""
        self._pending, self._midway, self.said = b"", True, ""
        self._recent.clear()
        if self._last is not None:
            self.counts.restarts += 1
            self._last = None

    def feed(self, data: bytes) -> list[Record]:
        """Read `data`, the next bytes from the camera. Return the new records whose lines end in `data`, in the order
        of arrival."""
        *lines, pending = (self._pending + data).split(b"\n")
        self._pending = pending[-_LONGEST:]  # a longer line is noise, or a line whose end was lost
        records = [self._line(line.decode("latin-1")) for line in lines]
        return [record for record in records if record and self._is_new(record)]

    def take(self, values: Any) -> Record | None:
        """Return the record in a JSON object, or None if the object is not a record or the record is not new."""
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
            self.said = self.said if _GREETING.fullmatch(said) else plain(said[:_SAID])
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
    """Yield the bytes that the camera at `port` sends, until the connection is lost. If no bytes arrive for a moment,
    yield b"". The port is opened when the first bytes are requested, and closed when the iterator is closed. Raises
    PortError if the port cannot be opened or the connection is lost."""
    with open_port(port) as stream:
        while True:
            try:
                data = stream.read(_CHUNK)
            except (serial.SerialException, OSError) as error:
                raise PortError(f"the connection to {port} was lost: check the cable and start again") from error
            yield bytes(data)


def read_records(port: str, silence: float = SILENCE) -> Generator[Record, None, None]:
    """Yield the records that the camera at `port` streams. `port` is any name that pyserial opens, such as
    "/dev/ttyACM0", "COM3" or "socket://127.0.0.1:4000". Raises PortError if the port cannot be opened, if the
    connection is lost, or if the camera sends no record for `silence` seconds. The error message contains the camera's
    last line that was not a record, because this line usually says what is wrong."""
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
        raise PortError(
            f"{port} stopped sending records: reset the camera; its last line was: {reader.said}"
        ) from error
    raise PortError(silent(port, reader.said))


def silent(port: str, said: str) -> str:
    """Return one line that says why a camera sends no records, and what the user can do. `said` is the camera's
    last line that was not a record (see `Reader.said`), or ""."""
    if said:
        return f"{port} sends no records: reset the camera; its last line was: {said}"
    return f"{port} sends nothing: run `blazeposer deploy`, or reset the camera if it has main.py"
