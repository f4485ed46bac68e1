"""Read poses as the programs that get them do: by each receiver's own definition, not by ours.

Rotations (3, 3) are in the axes of `rotation.py`.
"""

import struct
from collections.abc import Sequence

import cv2
import numpy as np

from blazeposer.core.rotation import Floats
from blazeposer.stream.record import parse_line

_TO_OPENTRACK = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
"""Map of x right, y up, z to the viewer to opentrack's axes, as tracker-neuralnet/ftnoir_tracker_neuralnet.cpp ties
them to a camera: x from the face to the camera, z up, and so y to the image's right."""
_TO_UNITY = np.diag([-1.0, 1.0, 1.0])
"""Avatars of VRM look along Unity's z with y up, so that Unity's x is their right: the image's left."""


def stream_angles(line: str | bytes) -> Floats:
    """Yaw, pitch, roll (3,) of the first face of a camera's record, which MQTT's topics hold too; degrees."""
    record = parse_line(line)
    assert record
    return np.array(record.faces[0].angles)


def opentrack_angles(packet: bytes) -> Floats:
    """Yaw, pitch, roll (3,) of opentrack's UDP packet, degrees (tracker-udp/ftnoir_tracker_udp.cpp)."""
    return np.array(struct.unpack("<6d", packet)[3:])


def from_opentrack_angles(angles: Floats) -> Floats:
    """Their rotation as compat/euler.cpp has it (`euler_to_rmat`): H, P and B are the negated yaw, pitch and roll,
    applied as Rz(H) Ry(P) Rx(B), each right-handed."""
    yaw, pitch, roll = np.radians(angles)
    x, y, z = (np.asarray(cv2.Rodrigues(turn)[0], np.float64) for turn in np.diag([-roll, -pitch, -yaw]))
    return np.asarray(_TO_OPENTRACK.T @ z @ y @ x @ _TO_OPENTRACK)


def head_quaternion(bundle: bytes) -> Floats:
    """x, y, z, w (4,) of the bone "Head" in a VMC bundle (https://protocol.vmc.info/marionette-spec)."""
    from pythonosc.osc_packet import OscPacket

    messages = {item.message.address: item.message.params for item in OscPacket(bundle).messages}
    name, *values = messages["/VMC/Ext/Bone/Pos"]
    assert name == "Head"
    return np.array(values[3:])


def from_quaternion(quaternion: Floats) -> Floats:
    """The rotation of an avatar's head, seen by a camera that it looks at."""
    return _TO_UNITY @ np.stack([unity_rotated(quaternion, axis) for axis in np.eye(3)], axis=1) @ _TO_UNITY


def unity_rotated(quaternion: Sequence[float] | Floats, vector: Sequence[float] | Floats) -> Floats:
    """Unity's Quaternion * Vector3: a vector (3,) turned by x, y, z, w."""
    u, w, v = np.array(quaternion[:3]), quaternion[3], np.array(vector)
    return np.asarray(2 * (u @ v) * u + (w * w - u @ u) * v + 2 * w * np.cross(u, v))
