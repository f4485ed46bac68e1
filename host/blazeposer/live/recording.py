"""Write the pose records of a session to a file (a recording), and replay a recording at its original speed. A .jsonl
recording contains JSON lines in the format in which cameras print pose records. A .csv recording is a table with one
row for each face. Recordings contain raw values, which are not smoothed."""

import csv
import json
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import astuple
from itertools import chain, groupby
from pathlib import Path
from typing import Any, TextIO

from blazeposer.core.contract import ANGLES, KEYPOINTS
from blazeposer.core.errors import InputError
from blazeposer.core.table import ENCODING, rows
from blazeposer.live.links import PAUSE, Arrival
from blazeposer.live.session import Moment
from blazeposer.media.output import make_folder
from blazeposer.stream.record import Reader, Record, as_line, face_as_json

LONGEST_PAUSE = 10.0
"""Longest pause between two records in a replay, in seconds. Pauses in a recording are longer if the camera was
unplugged or its clock was wrong."""
_TIMES = ("picture_ms", "network_ms", "decode_ms")
_FRAME = ("seq", "t_ms", "fps", "width", "height", *_TIMES)
_POINTS = tuple(f"{name}_{axis}" for name in KEYPOINTS for axis in "xy")
_BOX = ("box_x", "box_y", "box_w", "box_h")
COLUMNS = (*_FRAME, "id", "score", *ANGLES, "err", *_BOX, *_POINTS)
"""Columns of a .csv file. For a frame without faces, the file has one row with empty cells for the face."""


class Recording:
    """A `View` that writes pose records to a file between the calls of `start` and `stop`. Any thread may call these
    two methods."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self._file: TextIO | None = None
        self._lock = threading.Lock()

    def start(self, path: Path) -> None:
        """Start a recording in a new file with the suffix .jsonl or .csv. Raises InputError if the file exists or
        cannot be written, or if its name has another suffix."""
        _check_suffix(path)
        with self._lock:
            make_folder(path.parent)
            try:
                self._file = path.open("x", encoding="utf-8", newline="")
            except OSError as error:
                raise InputError(f"{path}: cannot write this recording ({error.strerror}): use another file") from error
            self.path = path
            if _is_table(path):
                csv.writer(self._file).writerow(COLUMNS)

    def stop(self) -> None:
        """End the running recording, if there is one."""
        with self._lock:
            if self._file:
                self._file.close()
            self._file = self.path = None

    def show(self, moment: Moment) -> None:
        """Write the pose record in `moment` to the file. Raises InputError if the disk is full."""
        with self._lock:
            if not self._file or not self.path or not moment.record:
                return
            try:
                if _is_table(self.path):
                    csv.writer(self._file).writerows(_rows(moment.record))
                else:
                    self._file.write(as_line(moment.record) + "\n")
                self._file.flush()  # keeps the records even if the session ends with an error
            except OSError as error:
                raise InputError(f"{self.path}: cannot write it ({error.strerror}): free some space") from error


class ReplayLink:
    """A `Link` that replays a recording at its original speed."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.state = ""
        self.blind = "a recording contains no images"
        self._reader = Reader(midway=False)
        self.counts = self._reader.counts
        self._records = read(path, self._reader)

    def arrivals(self) -> Generator[Arrival | None, None, None]:
        due, last = time.monotonic(), None
        for record in self._records:
            if last is not None and record.t_ms > last:
                due += min((record.t_ms - last) / 1000, LONGEST_PAUSE)
            last = record.t_ms
            while (wait := due - time.monotonic()) > PAUSE:
                time.sleep(PAUSE)
                yield None
            time.sleep(max(0.0, wait))
            yield Arrival(record, time.time())


def read(path: Path, reader: Reader | None = None) -> Iterator[Record]:
    """Yield the pose records of a recording. The `reader` counts broken records. Raises InputError."""
    _check_suffix(path)
    reader = reader or Reader(midway=False)
    try:
        with path.open(encoding=ENCODING, errors="replace", newline="") as file:
            for line in _lines(file, path) if _is_table(path) else file:
                yield from reader.feed(line.encode())
            yield from reader.feed(b"\n")
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot read the recording ({reason}): check the path") from error
    if not reader.counts.records:
        raise InputError(f"{path}: the recording is empty: make a recording with `blazeposer watch --record FILE`")


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in (".jsonl", ".csv"):
        raise InputError(f"{path}: the name of a recording must end with .jsonl or .csv: use another name")


def _is_table(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _rows(record: Record) -> Iterator[list[Any]]:
    timing = astuple(record.ms) if record.ms else ("",) * 3
    frame = [record.seq, record.t_ms, record.fps, *record.size, *timing]
    for face in map(face_as_json, record.faces):
        pose = [face[name] for name in ("score", *ANGLES, "err")]
        yield [*frame, face.get("id", ""), *pose, *face["box"], *face["keypoints"]]
    if not record.faces:
        yield frame + [""] * (len(COLUMNS) - len(frame))


def _lines(table: TextIO, path: Path) -> Iterator[str]:
    """Yield one JSON line for each frame of a .csv recording. Raises InputError if a column of `COLUMNS` is missing."""
    seen = rows(table)
    if not (first := next(seen, None)):
        return
    if missing := [name for name in COLUMNS if name not in first]:
        raise InputError(f"{path}: row 2, column {missing[0]}: the cell is missing: use the recording without changes")
    for _, faces in groupby(chain([first], seen), key=lambda row: [row.get(name) for name in _FRAME]):
        try:
            yield json.dumps(_as_json([{name: _number(row[name]) for name in COLUMNS} for row in faces])) + "\n"
        except (KeyError, ValueError, TypeError):
            yield "{broken}\n"


def _as_json(rows: list[dict[str, float | None]]) -> dict[str, Any]:
    frame = rows[0]
    result: dict[str, Any] = {name: frame[name] for name in ("seq", "t_ms", "fps")}
    result["size"] = [frame["width"], frame["height"]]
    if frame[_TIMES[0]] is not None:
        result["ms"] = [frame[name] for name in _TIMES]
    result["faces"] = [
        {name: row[name] for name in ("id", "score", *ANGLES, "err") if name != "id" or row[name] is not None}
        | {"box": [row[name] for name in _BOX], "keypoints": [row[name] for name in _POINTS]}
        for row in rows
        if row["score"] is not None
    ]
    return result


def _number(cell: str) -> float | None:
    """Return the number in a table cell. A value such as 1.0 is returned as the integer 1, because the library pandas
    writes the integer 1 as 1.0 if the column has empty cells."""
    if not cell:
        return None
    value = float(cell)
    return int(value) if value.is_integer() else value
