"""Shared by the tests of live sessions: records, a link that plays them, a camera that streams."""

import shutil
import socket
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

import numpy as np

from blazeposer.camera import VirtualCamera
from blazeposer.core.face import Face
from blazeposer.core.resources import board_dir, default_model
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.faces.position import HEAD
from blazeposer.live.centre import Centre
from blazeposer.live.links import Arrival
from blazeposer.live.session import Follower, Moment
from blazeposer.scene.sequence import frames
from blazeposer.stream.record import Counts, Record, Timing, as_line, parse_line

SIDE, FOV = 240, 55.0


def seen_face(angles: tuple[float, float, float], place: tuple[float, float, float] = (0.0, 0.0, 60.0)) -> Face:
    """A head of middling size at a place (x right, y up, z away, centimetres) as a camera of `FOV` sees it, turned by
    `angles` to the camera's axis. The rotation of the face is that too, as if it were to the line of sight."""
    rotation = rotation_from_angles(angles)
    points = HEAD @ rotation.T + np.array(place) * [1, 1, -1]
    focal = SIDE / 2 / np.tan(np.radians(FOV / 2))
    pixels = SIDE / 2 + focal * points[:, :2] * [1, -1] / -points[:, 2:]
    middle, size = pixels.mean(0), 16 * focal / place[2]
    x, y = (middle - size / 2).tolist()
    return Face.of((x, y, size, size), 0.9, pixels, rotation, 4.0)


def record(seq: int, *faces: Face) -> Record:
    """A record at 25 frames a second."""
    line = as_line(Record(seq, 40 * seq, 25.0, faces, (SIDE, SIDE), Timing(10.0, 20.0, 1.0)))
    found = parse_line(line)  # rounded as a stream is
    assert found
    return found


def nodding(count: int) -> list[Record]:
    """A head that turns left and right."""
    return [record(seq, seen_face((30 * float(np.sin(seq / 8)), 0.0, 0.0))) for seq in range(count)]


def moment(*faces: Face, seq: int = 0) -> Moment:
    """A moment with these faces, as a session makes it."""
    followed = Follower(smooth=False, fov=FOV)(Moment("test", "", Counts()), Arrival(record(seq, *faces), time.time()))
    return Centre()(followed)


class Keeper:
    """A view that keeps all moments."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []

    def show(self, moment: Moment) -> None:
        self.moments.append(moment)

    @property
    def records(self) -> list[Record]:
        return [moment.record for moment in self.moments if moment.record]


@dataclass
class ListLink:
    """Plays what it is given: arrivals' records, pauses (None), states (texts)."""

    items: Iterable[Record | str | None]
    pause: float = 0.0
    name: str = "list"
    state: str = ""
    blind: str = ""
    counts: Counts = field(default_factory=Counts)

    def arrivals(self) -> Generator[Arrival | None, None, None]:
        """See `links.Link`."""
        for item in self.items:
            time.sleep(self.pause)
            if isinstance(item, Record):
                self.counts.records += 1
                yield Arrival(item, time.time())
            else:
                self.state = self.state if item is None else item
                yield None


def streaming_camera(*, moves: bool = False) -> VirtualCamera:
    """A virtual camera that sees the demo's heads and runs main.py."""
    sequence = frames()
    camera = VirtualCamera(lambda number: sequence[number % len(sequence)].picture, moves=moves)
    for script in board_dir().glob("*.py"):
        shutil.copy(script, camera.folder / "flash")
    shutil.copy(default_model(), camera.folder / "flash" / "blazeposer.tflite")
    camera.reset()
    return camera


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody has now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
