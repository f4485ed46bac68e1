"""Send poses to opentrack's input "UDP over network" (tracker-udp/ftnoir_tracker_udp.cpp).

Each packet has six little-endian doubles. The doubles are x, y, z in centimetres and yaw, pitch, roll in degrees, all
relative to the camera's axis. Axes and signs are those of opentrack's own tracker for webcams
(tracker-neuralnet/ftnoir_tracker_neuralnet.cpp). x points to the image's right, y points up, and z points away from the
camera. Positive yaw turns the face to the image's left, positive pitch turns the face up, and positive roll turns the
face clockwise.

opentrack and 300W-LP use different orders of the three rotations. In opentrack (compat/euler.cpp), yaw about the
vertical axis is the outermost rotation, then pitch follows, then roll. In 300W-LP, pitch is the outermost rotation.
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
"""Default port of opentrack."""


def packet(position: Sequence[float] | NDArray[np.float64], rotation: NDArray[np.float64]) -> bytes:
    """Return the 48 bytes of a packet for a head. `position` is the head's position in centimetres, and `rotation` (3,
    3) is its rotation."""
    right, up, forward = rotation.T
    yaw = math.atan2(-forward[0], forward[2])
    pitch = math.atan2(forward[1], math.hypot(forward[0], forward[2]))
    # Roll is the rest after yaw and pitch are undone: the turn of the head's x and y axes about its nose.
    level = np.array([math.cos(yaw), 0.0, math.sin(yaw)])
    roll = math.atan2(up @ level, right @ level)
    return struct.pack("<6d", *position, *map(math.degrees, (yaw, pitch, roll)))


def open_view(url: SplitResult, camera: str) -> HeadView:
    """Return the view that sends poses to opentrack (see `open_output`)."""
    return HeadView(url, PORT, lambda head: packet(head.position, head.to_axis))
