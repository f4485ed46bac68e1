# SPDX-License-Identifier: Apache-2.0
#
# Attention light: the LED is green while somebody looks at the camera. The LED turns red when nobody has looked for
# AWAY_S seconds.
#
# Wiring: none, because the script uses the camera's own LED. For a lamp or a relay, replace LED("LED_RED") by
# Pin("P0", Pin.OUT).
#
# First run `blazeposer deploy`, then `mpremote run attention_light.py`.

import time

import ml
from machine import LED

from find_model import MODELS, first_file

LOOKING = 20  # A face looks at the camera if its yaw and pitch are less than this many degrees from 0.
AWAY_S = 5

# Load the model first, because it needs one large block of memory.
model = ml.Model(first_file(MODELS), postprocess=lambda *tensors: poser(*tensors))

from blazeposer import BlazePoser
from open_camera import open_camera

poser = BlazePoser()
csi0, _ = open_camera()


def looks(face):
    yaw, pitch, _ = face.angles
    return abs(yaw) < LOOKING and abs(pitch) < LOOKING


green, red = LED("LED_GREEN"), LED("LED_RED")
since = time.ticks_ms()
away = False

while True:
    looking = any(looks(face) for face in model.predict([csi0.snapshot()]))
    now = time.ticks_ms()
    if looking:
        since, away = now, False
    elif time.ticks_diff(now, since) >= 1000 * AWAY_S:
        away = True
    green.value(looking)
    red.value(away)
