# SPDX-License-Identifier: Apache-2.0
#
# Counts the people who look at a display. The camera is at the edge of the display. Every EVERY_S seconds, the script
# prints a line and appends this line to FILE. The line contains the seconds since the start, the number of people seen,
# the number of people who looked for LOOKED_S seconds or longer, and the total seconds of looking. The script keeps no
# image and recognises nobody. If a person leaves and comes back, this person is counted again.
#
# Wiring: none. If the camera has an SD card, the file is written to the card.
#
# First run `blazeposer deploy`, then `mpremote run count_viewers.py`.

import sys
import time

import ml

from find_model import MODELS, first_file

FILE = "viewers.csv"
EVERY_S = 60
LOOKED_S = 1
LOOKING = 25  # A face looks at the display if its yaw and pitch are less than this many degrees from 0.

# Load the model first, because it needs one large block of memory.
model = ml.Model(first_file(MODELS), postprocess=lambda *tensors: poser(*tensors))

from ml.preprocessing import Normalization

from blazeposer import BlazePoser
from open_camera import open_camera
from tracking import GUESS, Gaze, Tracker

poser = BlazePoser(threshold=GUESS, max_faces=8)
gaze = Gaze()  # enlarges distant faces, so that the network finds more of them
tracker = Tracker(smooth=False)
csi0, _ = open_camera()

last = time.ticks_ms()
t_ms = written = 0
there = None  # number of people, and number of people who look
looked = {}  # milliseconds of looking, for the id of each person seen since the last line

while True:
    img = csi0.snapshot()
    now = time.ticks_ms()
    passed = time.ticks_diff(now, last)
    last = now
    t_ms += passed
    region = gaze.region(img.width(), img.height())
    faces = gaze.saw(model.predict([Normalization(roi=region)(img)]))
    tracks, looks = tracker.update(faces, t_ms), 0
    for id, face, _ in tracks:
        yaw, pitch, _ = face.angles
        looking = abs(yaw) < LOOKING and abs(pitch) < LOOKING
        looks += looking
        looked[id] = looked.get(id, 0) + (passed if looking else 0)
    if (len(tracks), looks) != there:
        there = len(tracks), looks
        print("%d people, %d look at the camera" % there)
    if t_ms - written >= 1000 * EVERY_S:
        written = t_ms
        viewers = len([ms for ms in looked.values() if ms >= 1000 * LOOKED_S])
        line = "%d,%d,%d,%.1f" % (t_ms // 1000, len(looked), viewers, sum(looked.values()) / 1000)
        print(line)
        try:
            with open(FILE, "a") as file:
                file.write(line + "\n")
        except OSError:
            print("count_viewers stopped: cannot write %s: free space on the drive" % FILE)
            sys.exit()
        looked = {}
