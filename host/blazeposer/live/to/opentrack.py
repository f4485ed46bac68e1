"""opentrack's input "UDP over network" (tracker-udp/ftnoir_tracker_udp.cpp): six little-endian doubles a packet.

They are x, y, z in centimetres and yaw, pitch, roll in degrees, all to the camera's axis. Axes and signs are those of
opentrack's own tracker for webcams (tracker-neuralnet/ftnoir_tracker_neuralnet.cpp): x to the picture's right, y up, z
away from the camera; positive yaw turns the face to the picture's left, positive pitch up, positive roll clockwise. The
order is that of compat/euler.cpp: yaw about the vertical outermost, then pitch, then roll; 300W-LP has pitch outermost.
"""

from __future__ import annotations

import math
import socket
import struct
from collections.abc import Generator
from contextlib import contextmanager, suppress
from urllib.parse import SplitResult

import numpy as np
from numpy.typing import NDArray

from blazeposer.core.errors import InputError
from blazeposer.live.session import Moment
from blazeposer.live.to.leader import Leader

PORT = 4242
"""opentrack's default."""


def packet(position: tuple[float, float, float], rotation: NDArray[np.float64]) -> bytes:
    """48 bytes of a head at `position` (see `tracking.position`) that is turned by `rotation` (3, 3)."""
    right, up, forward = rotation.T
    yaw = math.atan2(-forward[0], forward[2])
    pitch = math.atan2(forward[1], math.hypot(forward[0], forward[2]))
    # What is left when yaw and pitch are taken back: how far the head's x and y axes are turned about its nose.
    level = np.array([math.cos(yaw), 0.0, math.sin(yaw)])
    roll = math.atan2(up @ level, right @ level)
    return struct.pack("<6d", *position, *map(math.degrees, (yaw, pitch, roll)))


class OpentrackView:
    """Sends one head. Nobody need listen."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._leader = Leader()

    def show(self, moment: Moment) -> None:
        """See `session.View`."""
        if (face := self._leader.of(moment)) and face.position:
            with suppress(OSError):  # nobody listens yet, or the network is away for a while
                self._link.send(packet(face.position, moment.to_axis(face).rotation))


@contextmanager
def open_view(url: SplitResult, camera: str) -> Generator[OpentrackView, None, None]:
    """See `open_output`."""
    port = url.port or PORT
    try:
        address = socket.getaddrinfo(url.hostname, port, type=socket.SOCK_DGRAM)[0]
    except OSError as error:
        raise InputError(f"{url.geturl()}: no such host ({error.strerror}): check the name") from error
    with socket.socket(*address[:3]) as link:
        link.setblocking(False)
        link.connect(address[4])
        yield OpentrackView(link)
