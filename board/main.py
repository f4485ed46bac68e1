# SPDX-License-Identifier: Apache-2.0
#
# Streams faces with head pose over USB, as one JSON line per frame. `blazeposer` on a PC reads these lines.
# Copy this file, blazeposer.py, find_model.py, open_camera.py and tracking.py to the camera, and the model to /rom,
# /sdcard or /flash. Then reset the camera. For SMOOTH, also copy one_euro.py. With channel.py on the camera, a PC can
# read the same records by Protocol V2.

import math
import sys
import time

import omv

THRESHOLD = 0.5  # Smallest score of a face.
MAX_FACES = 4
WINDOW = 240  # Side of the square in the middle of the image, at most 480. A side above 240 gives CLOSER more pixels,
# but needs a frame buffer for VGA (640x480) instead of QVGA (320x240). Not every camera has enough memory.
CLOSER = True  # Give the network a square around known faces. The network finds and measures small faces far better.
MIRROR = False  # With CLOSER: mirror every second image of known faces. Smoothing (SMOOTH, or on the PC) then averages
# the results of normal and mirrored images. Mirroring takes about 4 ms on an H7.
SMOOTH = False  # Also send smoothed values. A PC can smooth the raw values itself.
DRAW = False  # Draw the box and the nose's direction on the image in OpenMV IDE.

FACE = '{"id":%d,"score":%.2f,"err":%.1f,'
BOX = '"box":[%.1f,%.1f,%.1f,%.1f],"keypoints":['
ANGLES = '],"yaw":%.1f,"pitch":%.1f,"roll":%.1f'


def stop(reason):
    print("BlazePoser stopped:", reason)
    sys.exit()


def send_pose(face):
    points = ",".join(["%.1f,%.1f" % point for point in face.keypoints])
    print(BOX % face.box, points, ANGLES % face.angles, sep="", end="")


def draw(img, face):
    x, y, w, h = [int(v) for v in face.box]
    img.draw_rectangle((x, y, w, h))
    yaw, pitch, _ = [math.radians(angle) for angle in face.angles]
    x, y = face.keypoints[2]
    to_x, to_y = x - w * math.sin(yaw), y - w * math.sin(pitch) * math.cos(yaw)
    img.draw_line((int(x), int(y), int(to_x), int(to_y)))


if int(omv.version_string().split(".")[0]) < 5:
    stop(
        "it needs OpenMV firmware 5.0 or later, but the camera has %s: update the firmware with OpenMV IDE"
        % omv.version_string()
    )

import ml  # Imported after the check, because older firmware lacks it.

from find_model import MODELS, first_file


def postprocess(model, inputs, outputs):
    global decode_us
    start = time.ticks_us()
    faces = poser(model, inputs, outputs)
    decode_us = time.ticks_diff(time.ticks_us(), start)
    return faces


# Load the model before the other imports, because it needs one large block of memory.
model = ml.Model(first_file(MODELS), postprocess=postprocess)

import image
from ml.preprocessing import Normalization

from blazeposer import BlazePoser
from open_camera import open_camera
from tracking import GUESS, Gaze, Tracker, mirrored, mirrored_region

poser = BlazePoser(threshold=min(GUESS, THRESHOLD) if CLOSER else THRESHOLD, max_faces=MAX_FACES)
gaze = Gaze(THRESHOLD, MIRROR)
tracker = Tracker(SMOOTH)
try:
    from channel import Channel

    channel = Channel(MAX_FACES)
except ImportError:  # No channel.py, or firmware without Protocol V2.
    channel = None

csi0, side = open_camera(WINDOW)

clock = time.clock()
last = time.ticks_ms()
t_ms = 0
seq = 0
decode_us = 0
head = '{"v":1,"seq":%%d,"t_ms":%%d,"fps":%%.1f,"ms":[%%.1f,%%.1f,%%.1f],"size":[%d,%d],"faces":[' % (side, side)

while True:
    clock.tick()
    start = time.ticks_us()
    img = csi0.snapshot()
    picture_us = time.ticks_diff(time.ticks_us(), start)
    now = time.ticks_ms()
    t_ms += time.ticks_diff(now, last)  # add steps, because ticks wrap around after some days
    last = now
    start = time.ticks_us()
    if CLOSER:
        region = gaze.region(side, side)
        if gaze.mirrored:
            img.scale(hint=image.HMIRROR)
            region = mirrored_region(region, side)
        faces = model.predict([Normalization(roi=region)(img)])
        if gaze.mirrored:
            img.scale(hint=image.HMIRROR)  # mirror it back for people who look at the image
            faces = [mirrored(face, side) for face in faces]
        faces = gaze.saw(faces)
    else:
        faces = model.predict([img])
    network_us = time.ticks_diff(time.ticks_us(), start) - decode_us
    tracks = tracker.update(faces, t_ms)
    if DRAW:
        for _, _, steady in tracks:
            draw(img, steady)
    # Print piece by piece. Long strings might find no room, because earlier faces leave only small free blocks.
    frame = (seq, t_ms, clock.fps(), picture_us / 1000, network_us / 1000, decode_us / 1000)
    print(head % frame, end="")
    for i, (id, face, steady) in enumerate(tracks):
        print("," if i else "", FACE % (id, face.score, face.err), sep="", end="")
        send_pose(face)
        if SMOOTH:
            print(',"steady":{', end="")
            send_pose(steady)
            print("}", end="")
        print("}", end="")
    print("]}")
    if channel:
        channel.publish(frame, (side, side), tracks)
    tracks = faces = face = steady = None
    seq += 1
