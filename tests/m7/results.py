"""Compare the scripts' output on the emulated board with the host, on the same raw outputs."""

import json
from ast import literal_eval
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from blazeposer.core.contract import SCORE_THRESHOLD
from blazeposer.core.decode import decode
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.face import Face
from blazeposer.faces.tracker import Tracker, board_module
from blazeposer.stream.record import Record, parse_line
from outputs import Outputs, Quantization, assert_same, dequantized

WINDOW = 240  # main.py's and own.py's
CLOSE = 0.1
"""Pixels and degrees between a face of the board, in single precision, and the host's."""
ROUNDED = CLOSE + 0.05
"""The same in main.py's stream, which has one decimal."""


def check_own(lines: Sequence[str], frames: Sequence[Outputs], quantization: Quantization) -> int:
    """The faces that firmware/own.py printed; how many. Raises BlazePoserError where the host sees others."""
    pictures: list[list[SimpleNamespace]] = []
    for line in lines:
        kind, _, values = line.partition(", ")
        if kind == "frame":
            pictures.append([])
        elif kind == "face":
            box, score, keypoints, angles, err = literal_eval(values)
            pictures[-1].append(SimpleNamespace(box=box, score=score, keypoints=keypoints, angles=angles, err=err))
    _all_printed(pictures, frames)
    for number, (faces, frame) in enumerate(zip(pictures, frames, strict=True)):
        expected = [face.moved(0, 0, WINDOW, WINDOW) for face in decode(dequantized(frame, quantization))]
        _hold(number, faces, expected, CLOSE)
    return sum(map(len, pictures))


def check_main(lines: Sequence[str], frames: Sequence[Outputs], quantization: Quantization, smooth: bool) -> int:
    """The stream of main.py, its ids and with `smooth` its steadied faces; how many faces. Raises BlazePoserError."""
    streamed = [(record, line) for line in lines if (record := parse_line(line))]
    _all_printed(streamed, frames)
    looked = _looked_closer(frames, quantization)
    people = Tracker(smooth)
    for (record, line), expected in zip(streamed, looked, strict=True):
        _hold(record.seq, record.faces, expected, ROUNDED)
        followed = people.update(expected, record.t_ms / 1000)
        if [face.id for face in record.faces] != [face.id for face in followed]:
            raise BlazePoserError(f"frame {record.seq}: its faces do not bear the host's ids: {line}")
        if smooth:
            _hold(record.seq, _steadied(record, line), followed, ROUNDED)
    return sum(len(record.faces) for record, _ in streamed)


def _looked_closer(frames: Sequence[Outputs], quantization: Quantization) -> Iterator[list[Face]]:
    """The host's faces of each frame, in pixels of the image of which main.py looks at a part."""
    tracking = board_module("tracking")
    gaze = tracking.Gaze(SCORE_THRESHOLD)
    for frame in frames:
        x, y, side, _ = gaze.region(WINDOW, WINDOW)
        faces = decode(dequantized(frame, quantization), tracking.GUESS)
        yield gaze.saw([face.moved(x, y, side, side) for face in faces])


def _steadied(record: Record, line: str) -> list[SimpleNamespace]:
    """The faces of a record with the steadied values."""
    steady = [face["steady"] for face in json.loads(line)["faces"]]
    return [
        SimpleNamespace(
            box=values["box"],
            keypoints=values["keypoints"],
            angles=[values[name] for name in ("yaw", "pitch", "roll")],
            score=face.score,
            err=face.err,
        )
        for values, face in zip(steady, record.faces, strict=True)
    ]


def _all_printed(printed: Sequence[Any], frames: Sequence[Outputs]) -> None:
    if len(printed) != len(frames):
        raise BlazePoserError(f"{len(printed)} of {len(frames)} frames were printed")


def _hold(number: int, found: Sequence[Any], expected: list[Face], tolerance: float) -> None:
    try:
        assert_same(found, expected, pixels=tolerance, degrees=tolerance)
    except AssertionError as error:
        raise BlazePoserError(f"frame {number} is not as on the host: {' '.join(str(error).split())}") from error
