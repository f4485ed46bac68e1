# SPDX-License-Identifier: Apache-2.0
#
# Smooths one face, for tracking.py, by One-Euro filters (Casiez, Roussel and Vogel, CHI 2012). These filters are steady
# at rest and quick in motion, because the cutoff of these low-pass filters rises with the speed of the value. The speed
# is the raw value's distance to the last filtered value, divided by time, and is itself low-pass filtered. Unlike in
# the paper, both axes of a point share one speed. The distance of two rotations is one turn about one axis, not three
# differences of angles.

import math
from array import array

from micropython import const

from blazeposer import Face, to_angles

POINTS = const(8)  # middle of the box, (width, height) of the box, six keypoints

# Settings of a One-Euro filter: cutoff at rest in hertz, rise of the cutoff in hertz at a speed of 1 unit per second,
# and cutoff of the speed's filter in hertz.
ROTATION = (0.4, 0.02, 1.0)  # unit: degree
POSITION = (0.4, 2.0, 1.0)  # unit: width of the face's box


class SteadyFace:
    """Filter for the box, the keypoints and the rotation of one face."""

    def __init__(self, face):
        self._points = array("f", points_of(face))
        self._speeds = array("f", bytes(4 * 2 * POINTS))
        self._turn = quaternion(face.angles)
        self._turning = array("f", bytes(4 * 3))

    def update(self, face, seconds):
        """Return the smoothed face. `seconds` is the time since the last call of `update`."""
        if seconds > 0:
            self._move(points_of(face), max(face.box[2], 1e-6), seconds)
            self._rotate(quaternion(face.angles), seconds)
        p = self._points
        box = (p[0] - p[2] / 2, p[1] - p[3] / 2, p[2], p[3])
        keypoints = [(p[i], p[i + 1]) for i in range(4, 2 * POINTS, 2)]
        return Face(box, face.score, keypoints, angles_of(self._turn), face.err)

    def _move(self, points, unit, seconds):
        cutoff, slope, speed_cutoff = POSITION
        follow = share(speed_cutoff, seconds)
        speeds, steady = self._speeds, self._points
        for i in range(0, 2 * POINTS, 2):
            for axis in (i, i + 1):
                speed = (points[axis] - steady[axis]) / (unit * seconds)
                speeds[axis] += follow * (speed - speeds[axis])
            go = share(cutoff + slope * math.sqrt(speeds[i] ** 2 + speeds[i + 1] ** 2), seconds)
            for axis in (i, i + 1):
                steady[axis] += go * (points[axis] - steady[axis])

    def _rotate(self, turn, seconds):
        cutoff, slope, speed_cutoff = ROTATION
        w, x, y, z = self._turn
        w, x, y, z = product(turn, (w, -x, -y, -z))  # rotation from the filtered to the raw rotation
        if w < 0:
            w, x, y, z = -w, -x, -y, -z
        sine = math.sqrt(x * x + y * y + z * z)
        if sine < 1e-6:
            x, sine = 1e-6, 1e-6
        angle = 2 * math.atan2(sine, w)
        axis = (x / sine, y / sine, z / sine)
        follow = share(speed_cutoff, seconds)
        square = 0
        for i in range(3):
            speed = math.degrees(angle) * axis[i] / seconds
            self._turning[i] += follow * (speed - self._turning[i])
            square += self._turning[i] ** 2
        half = share(cutoff + slope * math.sqrt(square), seconds) * angle / 2
        sine = math.sin(half)
        w, x, y, z = product((math.cos(half), sine * axis[0], sine * axis[1], sine * axis[2]), self._turn)
        length = math.sqrt(w * w + x * x + y * y + z * z)  # correct rounding errors, so that the length stays 1
        self._turn = (w / length, x / length, y / length, z / length)


def share(cutoff, seconds):
    """Return the weight of a new value in a low-pass filter. `cutoff` is in hertz."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * seconds))


def points_of(face):
    x, y, w, h = face.box
    points = [x + w / 2, y + h / 2, w, h]
    for point in face.keypoints:
        points += point
    return points


def quaternion(angles):
    """Return the quaternion (w, x, y, z) of yaw, pitch and roll in degrees, in the convention of 300W-LP. In this
    convention, the sign of each angle is opposite to the right-hand rule."""
    yaw, pitch, roll = [math.radians(angle) / -2 for angle in angles]
    return product(
        product((math.cos(pitch), math.sin(pitch), 0, 0), (math.cos(yaw), 0, math.sin(yaw), 0)),
        (math.cos(roll), 0, 0, math.sin(roll)),
    )


def angles_of(turn):
    w, x, y, z = turn
    return to_angles(
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
    )  # fmt: skip


def product(a, b):
    aw, ax, ay, az = a
    bw, bx, by, bz = b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )
