# SPDX-License-Identifier: Apache-2.0
#
# Saves the images in which somebody looks up, as up_0001.jpg and so on, at most one every PAUSE_MS.
#
# Wiring: none, but put a card in: /flash has room for a few images only. The PC sees new files once the camera's
# drive is mounted again.
#
# With BlazePoser on the camera (`blazeposer deploy`): `mpremote run save_look_up.py`.

import os
import sys
import time

import ml

from find_model import MODELS, first_file

UP = 20  # Degrees of pitch from which a face looks up: less for a camera that looks down on people.
PAUSE_MS = 1000

# First of all, because it needs one large block of memory.
model = ml.Model(first_file(MODELS), postprocess=lambda *tensors: poser(*tensors))

from blazeposer import BlazePoser
from open_camera import open_camera

poser = BlazePoser()
csi0, _ = open_camera()

number = max([int(name[3:7]) for name in os.listdir() if name.startswith("up_")] + [0])  # goes on after a reset
last = time.ticks_ms()
wait = 0
print("waiting for a face that looks up by %d degrees" % UP)

while True:
    img = csi0.snapshot()
    now = time.ticks_ms()
    wait -= time.ticks_diff(now, last)
    last = now
    if wait <= 0 and any(face.angles[1] > UP for face in model.predict([img])):
        number += 1
        name = "up_%04d.jpg" % number
        try:
            img.save(name)
        except OSError:
            print("save_look_up stopped: cannot write %s, make room on the drive" % name)
            sys.exit()
        print("saved", name)
        wait = PAUSE_MS
