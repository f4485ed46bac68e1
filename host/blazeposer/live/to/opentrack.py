"""Send poses to the input "UDP over network" of the program opentrack (tracker-udp/ftnoir_tracker_udp.cpp).

Each UDP packet for opentrack contains six little-endian doubles. The six doubles are x, y, z in centimetres and yaw,
pitch, roll in degrees, relative to the camera's axis. The axes and the signs of the angles are the same as in
opentrack's own tracker for webcams (tracker-neuralnet/ftnoir_tracker_neuralnet.cpp). For opentrack, x points to the
right of the image, y points up, and z points away from the camera. Positive yaw turns the face to the left of the
image, positive pitch turns the face up, and positive roll turns the face clockwise.

The program opentrack and the data set 300W-LP use different orders of the rotations by yaw, pitch and roll. In
opentrack (compat/euler.cpp), the head turns first by roll, then by pitch, and last by yaw, about axes that do not move.
In 300W-LP, the head turns first by roll, then by yaw, and last by pitch, about axes that do not move.
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
    """Return the 48 bytes of a UDP packet with the pose of a head. The argument `position` is the head's position in
    centimetres, and `rotation` is the head's rotation. The shape of `position` is (3,), and the shape of `rotation` is
    (3, 3)."""
    right, up, forward = rotation.T
    yaw = math.atan2(-forward[0], forward[2])
    pitch = math.atan2(forward[1], math.hypot(forward[0], forward[2]))
    # Roll is the turn about the axis of the nose that remains when yaw and pitch are undone.
    level = np.array([math.cos(yaw), 0.0, math.sin(yaw)])
    roll = math.atan2(up @ level, right @ level)
    return struct.pack("<6d", *position, *map(math.degrees, (yaw, pitch, roll)))


def open_view(url: SplitResult, camera: str) -> HeadView:
    """Return the `Output` that sends poses to the program opentrack (see `open_output`)."""
    return HeadView(url, PORT, lambda head: packet(head.position, head.to_axis))
