"""Send poses to the head of an avatar, with the VMC protocol (https://protocol.vmc.info) over OSC. In the VMC protocol,
BlazePoser is an "assistant", which is a program that sends poses. Each VMC message contains the local rotation of the
bone "Head" as a Unity quaternion. In Unity's left-handed axes, x points to the avatar's right, y points up, and z
points in the avatar's viewing direction. If the person turns to the person's own left, the avatar also turns to the
avatar's own left."""

import time
from urllib.parse import SplitResult

import cv2
import numpy as np
from numpy.typing import NDArray
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import build_msg

from blazeposer.live.to.udp import HeadView

PORT = 39540
"""Default port of a "performer", which is a program that moves an avatar with the VMC protocol."""


def quaternion(rotation: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Convert a rotation (3, 3) from the axes of `rotation.py` to Unity's axes, and return a quaternion x, y, z, w. In
    both systems of axes, y points up and z points out of the face, but the x axes point in opposite directions. The
    rotation axis (x, y, z) in `rotation.py` becomes the rotation axis (x, -y, -z) in Unity."""
    vector = np.asarray(cv2.Rodrigues(rotation)[0], np.float64)[:, 0]
    angle = float(np.linalg.norm(vector))
    x, y, z = (vector * [1, -1, -1] * (np.sin(angle / 2) / angle if angle else 0.5)).tolist()
    return x, y, z, float(np.cos(angle / 2))


def bundle(rotation: NDArray[np.float64], seconds: float) -> bytes:
    """Return the VMC messages for a head's `rotation` (3, 3). `seconds` is the time since the start of the session."""
    built = OscBundleBuilder(IMMEDIATELY)
    built.add_content(build_msg("/VMC/Ext/OK", 1))
    built.add_content(build_msg("/VMC/Ext/T", seconds))
    built.add_content(build_msg("/VMC/Ext/Bone/Pos", ["Head", 0.0, 0.0, 0.0, *quaternion(rotation)]))
    return built.build().dgram


def open_view(url: SplitResult, camera: str) -> HeadView:
    start = time.monotonic()
    return HeadView(url, PORT, lambda head: bundle(head.rotation, time.monotonic() - start))
