# SPDX-License-Identifier: Apache-2.0
#
# Streams faces with head pose over USB: one JSON line a frame, which `blazeposer` on a PC reads.
# Copy this file and blazeposer.py to the camera, the model to /rom, /sdcard or /flash, then reset the camera.

import math
import os
import sys
import time

import omv

THRESHOLD = 0.5  # A face counts from this probability on.
MAX_FACES = 4
WINDOW = 240  # Side of the square in the middle of the QVGA (320x240) picture; the network sees 128x128 of it.
MODELS = ("/rom/blazeposer.tflite", "/sdcard/blazeposer.tflite", "/flash/blazeposer.tflite")  # The first that exists.
DRAW = False  # Box and nose direction on the picture in OpenMV IDE.


def stop(reason):
    print("BlazePoser stopped:", reason)
    sys.exit()


def first_file(paths):
    for path in paths:
        try:
            os.stat(path)
            return path
        except OSError:
            pass
    stop("no model at " + ", ".join(paths) + ": copy it there, then reset the camera")


def tenths(values):
    return ",".join(["%.1f" % value for value in values])


def to_json(face):
    points = [value for point in face.keypoints for value in point]
    return '{"box":[%s],"score":%.2f,"keypoints":[%s],"yaw":%.1f,"pitch":%.1f,"roll":%.1f,"err":%.1f}' % (
        (tenths(face.box), face.score, tenths(points)) + face.angles + (face.err,)
    )


def draw(img, face):
    x, y, w, h = [int(v) for v in face.box]
    img.draw_rectangle((x, y, w, h))
    yaw, pitch, _ = [math.radians(angle) for angle in face.angles]
    x, y = face.keypoints[2]
    to_x, to_y = x - w * math.sin(yaw), y - w * math.sin(pitch) * math.cos(yaw)
    img.draw_line((int(x), int(y), int(to_x), int(to_y)))


if int(omv.version_string().split(".")[0]) < 5:
    stop("it needs OpenMV firmware 5.0 or later, this is %s: update it with OpenMV IDE" % omv.version_string())

# Only now: older firmware lacks some of these.
import csi
import ml

from blazeposer import BlazePoser

model = ml.Model(first_file(MODELS), postprocess=BlazePoser(threshold=THRESHOLD, max_faces=MAX_FACES))

csi0 = csi.CSI()
csi0.reset()
try:
    csi0.pixformat(csi.RGB565)
except RuntimeError:  # A sensor without colour.
    csi0.pixformat(csi.GRAYSCALE)
csi0.framesize(csi.QVGA)
side = min(WINDOW, csi0.width(), csi0.height())  # QVGA is 320x200 on some sensors, and a face must not be stretched.
csi0.window((side, side))

clock = time.clock()
last = time.ticks_ms()
t_ms = 0
seq = 0

while True:
    clock.tick()
    img = csi0.snapshot()
    now = time.ticks_ms()
    t_ms += time.ticks_diff(now, last)  # step by step, because ticks wrap around after some days
    last = now
    faces = model.predict([img])
    if DRAW:
        for face in faces:
            draw(img, face)
    print(
        '{"seq":%d,"t_ms":%d,"fps":%.1f,"faces":[%s]}'
        % (seq, t_ms, clock.fps(), ",".join([to_json(face) for face in faces]))
    )
    seq += 1
