"""Send poses to the input "UDP over network" of the program opentrack (tracker-udp/ftnoir_tracker_udp.cpp).

Each UDP packet contains six little-endian doubles: x, y, z in centimetres, and yaw, pitch, roll in degrees. The angles
are relative to the camera's axis. As in opentrack's own tracker for webcams
(tracker-neuralnet/ftnoir_tracker_neuralnet.cpp), x points to the right of the image, y points up, z points away from
the camera, and the angles have the signs of `rotation.py`.

The program opentrack and the data set 300W-LP turn a head about fixed axes, but in different orders. In opentrack
(compat/euler.cpp), the head turns first by roll, then by pitch, and last by yaw. In 300W-LP, the head turns first by
roll, then by yaw, and last by pitch.
"""

import math
import struct
from collections.abc import Sequence
from urllib.parse import SplitResult

import numpy as np
from numpy.typing import NDArray

from blazeposer.live.to.udp import HeadView

PORT = 4242


def packet(position: Sequence[float] | NDArray[np.float64], rotation: NDArray[np.float64]) -> bytes:
    """Return a packet of 48 bytes from the head's `position` (3,) in centimetres and `rotation` (3, 3)."""
    right, up, forward = rotation.T
    yaw = math.atan2(-forward[0], forward[2])
    pitch = math.atan2(forward[1], math.hypot(forward[0], forward[2]))
    # Roll is the turn about the axis of the nose that remains when yaw and pitch are undone.
    level = np.array([math.cos(yaw), 0.0, math.sin(yaw)])
    roll = math.atan2(up @ level, right @ level)
    return struct.pack("<6d", *position, *map(math.degrees, (yaw, pitch, roll)))


def open_view(url: SplitResult, camera: str) -> HeadView:
    return HeadView(url, PORT, lambda head: packet(head.position, head.to_axis))
