# SPDX-License-Identifier: Apache-2.0
#
# Follows faces, also small faces, and prints the number and the smoothed angles of each face.

import time

import ml

from find_model import MODELS, first_file

model = ml.Model(first_file(MODELS), postprocess=lambda *tensors: poser(*tensors))

from ml.preprocessing import Normalization

from blazeposer import BlazePoser
from open_camera import open_camera
from tracking import GUESS, Gaze, Tracker

poser = BlazePoser(threshold=GUESS)  # low, to find candidates; gaze decides which faces count
gaze = Gaze(threshold=0.5)
tracker = Tracker()
csi0, _ = open_camera()

while True:
    img = csi0.snapshot()
    region = gaze.region(img.width(), img.height())
    faces = gaze.saw(model.predict([Normalization(roi=region)(img)]))
    for id, _, steady in tracker.update(faces, time.ticks_ms()):
        print("person %d: yaw %.0f pitch %.0f roll %.0f" % ((id,) + steady.angles))
