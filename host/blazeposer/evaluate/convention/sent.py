"""Known rotations sent in every format, and read back as the receiving programs read them: these are exact."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple, cast
from unittest.mock import patch

import numpy as np

from blazeposer.core.decode import Face
from blazeposer.core.errors import MissingExtraError
from blazeposer.core.resources import board_dir
from blazeposer.core.rotation import Floats, rotation_from_angles
from blazeposer.evaluate.convention import receivers
from blazeposer.evaluate.convention.seen import poses
from blazeposer.faces.position import HEAD
from blazeposer.live.links import Arrival
from blazeposer.live.recording import Recording, read
from blazeposer.live.session import Follower, Moment
from blazeposer.live.to import open_output
from blazeposer.stream import packed
from blazeposer.stream.faces import to_streamed
from blazeposer.stream.record import Counts, Reader, Record, as_line

EXAMPLE = 20.0
"""Degrees of each angle alone, whose values the report shows."""
WIDEST = (85.0, 60.0, 85.0)
"""Heads are sent up to these, degrees."""
EXACT = 0.03
"""Degrees that a format may be off: records hold hundredths of three angles, OSC single precision."""
SIDE = 240
_LARGEST = 65536  # bytes of a UDP packet


class Sent(NamedTuple):
    """The numbers that a format sent of one head, and the rotation (3, 3) that its receiver reads in them."""

    numbers: Floats
    rotation: Floats


def known_angles() -> Floats:
    """(n, 3) of the heads that are sent: first the three examples."""
    return np.concatenate([EXAMPLE * np.eye(3), poses(WIDEST)])


def moments() -> list[Moment]:
    """The heads, in the middle of the picture, as a session hands them to its views."""
    follow, made = Follower(smooth=False), []
    for number, rotation in enumerate(rotation_from_angles(known_angles())):
        points = 5 * (HEAD @ rotation.T)[:, :2] * [1, -1]
        points += SIDE / 2 - points.mean(0)  # the line of sight is the camera's axis
        face = Face((80.0, 80.0, 80.0, 80.0), 0.9, points, rotation, 4.0)
        record = Record(number, 40 * number, 25.0, (to_streamed(face),), (SIDE, SIDE))
        made.append(follow(Moment("", "", Counts()), Arrival(record, 0.04 * number)))
    return made


def through_stream(moments: Sequence[Moment]) -> list[Sent]:
    """A camera's JSON line."""
    return _of_lines(as_line(moment.record) for moment in moments if moment.record)


def through_channel(moments: Sequence[Moment]) -> list[Sent]:
    """The packed records of Protocol V2, as `board/channel.py` publishes them."""
    protocol = SimpleNamespace(register=lambda name, backend: None, is_active=lambda: True)
    channel = _board_module("channel", protocol=protocol).Channel(max_faces=1)
    records = []
    for moment in moments:
        if record := moment.record:
            frame = (record.seq, record.t_ms, record.fps, 0.0, 0.0, 0.0)
            channel.publish(frame, record.size, [(1, record.faces[0], None)])  # it has the names of the board's face
            records.append(Reader().take(packed.values(bytes(channel.read(0, channel.size())))))
    return _of_records(records)


def through_table(moments: Sequence[Moment]) -> list[Sent]:
    """A recording that is a table."""
    with TemporaryDirectory() as folder:
        recording, path = Recording(), Path(folder, "proof.csv")
        recording.start(path)
        for moment in moments:
            recording.show(moment)
        recording.stop()
        return _of_records(read(path))


def through_opentrack(moments: Sequence[Moment]) -> list[Sent]:
    """opentrack's packets, received by UDP."""
    angles = [receivers.opentrack_angles(packet) for packet in _received("opentrack", moments)]
    return [Sent(numbers, receivers.from_opentrack_angles(numbers)) for numbers in angles]


def through_vmc(moments: Sequence[Moment]) -> list[Sent]:
    """VMC's messages over OSC, received by UDP."""
    quaternions = [receivers.head_quaternion(bundle) for bundle in _received("osc", moments)]
    return [Sent(numbers, receivers.from_quaternion(numbers)) for numbers in quaternions]


def through_mqtt(moments: Sequence[Moment]) -> list[Sent]:
    """What is published for an MQTT broker."""
    try:
        from blazeposer.live.to.mqtt import MqttView
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "", "watch") from error
    broker = _Broker()
    view = MqttView(cast(Any, broker), "proof")
    for moment in moments:
        view.show(moment)
    return _of_lines(broker.published)


FORMATS: dict[str, Callable[[Sequence[Moment]], list[Sent]]] = {
    "JSON line: yaw, pitch, roll": through_stream,
    "Protocol V2: yaw, pitch, roll": through_channel,
    "recording (.csv): yaw, pitch, roll": through_table,
    "opentrack: yaw, pitch, roll": through_opentrack,
    "VMC over OSC: x, y, z, w of Unity": through_vmc,
    "MQTT: yaw, pitch, roll": through_mqtt,
}


class _Broker:
    """As much of an MQTT client as its view uses."""

    def __init__(self) -> None:
        self.published: list[str] = []

    def is_connected(self) -> bool:
        return True

    def publish(self, topic: str, line: str) -> None:
        self.published.append(line)


def _of_lines(lines: Iterable[str]) -> list[Sent]:
    return [Sent(angles, rotation_from_angles(angles)) for angles in map(receivers.stream_angles, lines)]


def _of_records(records: Iterable[Record | None]) -> list[Sent]:
    angles = [np.array(record.faces[0].angles) for record in records if record]
    return [Sent(numbers, rotation_from_angles(numbers)) for numbers in angles]


def _board_module(name: str, **imported: object) -> Any:
    """A script of the board's with stand-ins for the camera's modules that it imports."""
    module = ModuleType(name)
    with patch.dict(sys.modules, imported):
        exec((board_dir() / f"{name}.py").read_text(encoding="utf-8"), module.__dict__)
    return module


def _received(scheme: str, moments: Sequence[Moment]) -> Iterator[bytes]:
    """What a program that listens on this PC gets of each moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(10)
        with open_output(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", "proof") as view:
            for moment in moments:
                view.show(moment)
                yield listener.recv(_LARGEST)
