# SPDX-License-Identifier: Apache-2.0
#
# Recognises nods ("yes": the head goes down and up again) and shakes ("no": from side to side), prints them and lights
# the camera's LED, green or red, for LIGHT_MS.
#
# Wiring: none.
#
# With BlazePoser on the camera (`blazeposer deploy`): `mpremote run nod_shake.py`.

import time

import ml
from machine import LED

from find_model import MODELS, first_file

SWING = 8  # Degrees from one turning point to the next.
TURNS = 3  # Turning points of a gesture, within
WITHIN_MS = 2000
LIGHT_MS = 1000

# First of all, because it needs one large block of memory.
model = ml.Model(first_file(MODELS), postprocess=lambda *tensors: poser(*tensors))

from blazeposer import BlazePoser
from open_camera import open_camera

poser = BlazePoser(max_faces=1)
csi0, _ = open_camera()


class Swings:
    """Turning points of an angle over time."""

    def __init__(self, angle):
        self._farthest = angle
        self._direction = 0
        self._times = []

    def count(self, angle, now):
        step = angle - self._farthest
        if step * self._direction > 0:  # on the same way
            self._farthest = angle
        elif abs(step) >= SWING:
            self._farthest = angle
            self._direction = 1 if step > 0 else -1
            self._times.append(now)
        self._times = [then for then in self._times if time.ticks_diff(now, then) < WITHIN_MS]
        return len(self._times)


green, red = LED("LED_GREEN"), LED("LED_RED")
swings = None  # of yaw and of pitch
lit = 0

while True:
    faces = model.predict([csi0.snapshot()])
    now = time.ticks_ms()
    if faces:
        yaw, pitch, _ = faces[0].angles
        swings = swings or (Swings(yaw), Swings(pitch))
        shakes, nods = swings[0].count(yaw, now), swings[1].count(pitch, now)
        if max(shakes, nods) >= TURNS and shakes != nods:
            print("yes" if nods > shakes else "no")
            green.value(nods > shakes)
            red.value(shakes > nods)
            lit = now
            swings = None
    else:
        swings = None
    if time.ticks_diff(now, lit) >= LIGHT_MS:
        green.off()
        red.off()
