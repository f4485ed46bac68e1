"""opentrack's input "UDP over network" (tracker-udp/ftnoir_tracker_udp.cpp): six little-endian doubles a packet.

They are x, y, z in centimetres and yaw, pitch, roll in degrees, all to the camera's axis. Axes and signs are those of
opentrack's own tracker for webcams (tracker-neuralnet/ftnoir_tracker_neuralnet.cpp): x to the image's right, y up, z
away from the camera; positive yaw turns the face to the image's left, positive pitch up, positive roll clockwise. The
order is that of compat/euler.cpp: yaw about the vertical outermost, then pitch, then roll; 300W-LP has pitch outermost.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from urllib.parse import SplitResult

import numpy as np
from numpy.typing import NDArray

from blazeposer.live.to.udp import HeadView

PORT = 4242
"""Default of opentrack."""


def packet(position: Sequence[float] | NDArray[np.float64], rotation: NDArray[np.float64]) -> bytes:
    """Return the 48 bytes of a head at `position`, centimetres, that is turned by `rotation` (3, 3)."""
    right, up, forward = rotation.T
    yaw = math.atan2(-forward[0], forward[2])
    pitch = math.atan2(forward[1], math.hypot(forward[0], forward[2]))
    # What is left when yaw and pitch are taken back: how far the head's x and y axes are turned about its nose.
    level = np.array([math.cos(yaw), 0.0, math.sin(yaw)])
    roll = math.atan2(up @ level, right @ level)
    return struct.pack("<6d", *position, *map(math.degrees, (yaw, pitch, roll)))


def open_view(url: SplitResult, camera: str) -> HeadView:
    """See `open_output`."""
    return HeadView(url, PORT, lambda head: packet(head.position, head.to_axis))
