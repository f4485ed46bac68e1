# SPDX-License-Identifier: Apache-2.0
#
# Saves the images in which somebody looks up, as up_0001.jpg, up_0002.jpg and so on. The script saves at most one image
# in PAUSE_MS milliseconds.
#
# Wiring: none. Insert an SD card, because /flash has room for only a few images. The PC shows new files after the
# camera's drive is mounted again.
#
# First run `blazeposer deploy`, then `mpremote run save_look_up.py`.

import os
import sys
import time

import ml

from find_model import MODELS, first_file

UP = 20  # A face looks up if its pitch is above this many degrees. Use less if the camera looks down at people.
PAUSE_MS = 1000

# Load the model first, because it needs one large block of memory.
model = ml.Model(first_file(MODELS), postprocess=lambda *tensors: poser(*tensors))

from blazeposer import BlazePoser
from open_camera import open_camera

poser = BlazePoser()
csi0, _ = open_camera()

number = max([int(name[3:7]) for name in os.listdir() if name.startswith("up_")] + [0])  # highest number so far
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
            print("save_look_up stopped: cannot write %s: free space on the drive" % name)
            sys.exit()
        print("saved", name)
        wait = PAUSE_MS
