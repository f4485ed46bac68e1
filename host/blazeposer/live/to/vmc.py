"""Send poses by the VMC protocol (https://protocol.vmc.info) over OSC, for the head of an avatar.

The programs VSeeFace, Warudo and VMagicMirror, for example, read this protocol. This module sends the messages of an
"assistant", as VMC calls a program that sends poses. A message has the local rotation of the bone "Head" as a Unity
quaternion. Unity's axes are left-handed. The axis x points to the avatar's right, y points up, and z points in the
avatar's viewing direction. The avatar moves like the person: if the person turns to the left, the avatar turns to its
own left.
"""

from __future__ import annotations

import time
from urllib.parse import SplitResult

import cv2
import numpy as np
from numpy.typing import NDArray
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import build_msg

from blazeposer.live.to.udp import HeadView

PORT = 39540
"""Default port of a "performer". In the VMC protocol, a performer is a program that moves an avatar as an assistant
says."""


def quaternion(rotation: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return the quaternion x, y, z, w in Unity's axes of a rotation (3, 3) in the axes of `rotation.py`.

    In both systems, y points up and z points out of the face, but the x axes point in opposite directions. The exchange
    of the x axis changes a rotation axis (x, y, z) to (x, -y, -z).
    """
    vector = np.asarray(cv2.Rodrigues(rotation)[0], np.float64)[:, 0]
    angle = float(np.linalg.norm(vector))
    x, y, z = (vector * [1, -1, -1] * (np.sin(angle / 2) / angle if angle else 0.5)).tolist()
    return x, y, z, float(np.cos(angle / 2))


def bundle(rotation: NDArray[np.float64], seconds: float) -> bytes:
    """Return the messages of a head that is turned by `rotation` (3, 3), `seconds` after the start."""
    built = OscBundleBuilder(IMMEDIATELY)
    built.add_content(build_msg("/VMC/Ext/OK", 1))
    built.add_content(build_msg("/VMC/Ext/T", seconds))
    built.add_content(build_msg("/VMC/Ext/Bone/Pos", ["Head", 0.0, 0.0, 0.0, *quaternion(rotation)]))
    return built.build().dgram


def open_view(url: SplitResult, camera: str) -> HeadView:
    """Return the view for avatars, see `open_output`."""
    start = time.monotonic()
    return HeadView(url, PORT, lambda head: bundle(head.rotation, time.monotonic() - start))
