# SPDX-License-Identifier: Apache-2.0
#
# Recognises nods ("yes": the head moves up and down) and shakes ("no": the head turns from side to side). The script
# prints the gesture. It also lights the camera's LED for LIGHT_MS milliseconds: green for "yes", red for "no".
#
# Wiring: none.
#
# First run `blazeposer deploy`, then `mpremote run nod_shake.py`.

import time

import ml
from machine import LED

from find_model import MODELS, first_file

SWING = 8  # Smallest angle in degrees between two turning points.
TURNS = 3  # A gesture has this many turning points within WITHIN_MS milliseconds.
WITHIN_MS = 2000
LIGHT_MS = 1000

# Load the model first, because it needs one large block of memory.
model = ml.Model(first_file(MODELS), postprocess=lambda *tensors: poser(*tensors))

from blazeposer import BlazePoser
from open_camera import open_camera

poser = BlazePoser(max_faces=1)
csi0, _ = open_camera()


class Swings:
    """Counter of the recent turning points of an angle, for example of yaw."""

    def __init__(self, angle):
        self._farthest = angle
        self._direction = 0
        self._times = []

    def count(self, angle, now):
        step = angle - self._farthest
        if step * self._direction > 0:  # the head turns on in the same direction
            self._farthest = angle
        elif abs(step) >= SWING:
            self._farthest = angle
            self._direction = 1 if step > 0 else -1
            self._times.append(now)
        self._times = [then for then in self._times if time.ticks_diff(now, then) < WITHIN_MS]
        return len(self._times)


green, red = LED("LED_GREEN"), LED("LED_RED")
swings = None  # turning points of yaw and of pitch
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
