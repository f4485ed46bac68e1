# SPDX-License-Identifier: Apache-2.0
#
# Head-controlled mouse: turn the head to move the pointer, tilt it to a shoulder to press that side's button.
#
# Needs a camera with an STM32H7 (H7, H7 Plus, Pure Thermal, Nicla Vision, Portenta, Giga): the firmware of the others
# has no USB HID. The camera becomes a mouse by a boot.py with the two lines
#     import pyb
#     pyb.usb_mode("VCP+HID")
# after which it is no USB drive any more, until boot.py is deleted and the camera reset.
#
# With BlazePoser on the camera (`blazeposer deploy`): `mpremote run head_mouse.py`.

import sys
import time

import ml

from find_model import MODELS, first_file

STILL = 4  # Degrees from the pose at the start within which the pointer rests.
SPEED = 0.8  # Pixels an image for each degree beyond.
PRESS = 18  # Degrees of tilt that press a button.
START = 10  # Images over which the pose at the start is averaged: look at the middle of the screen.

# First of all, because it needs one large block of memory.
model = ml.Model(first_file(MODELS), postprocess=lambda *tensors: poser(*tensors))

from blazeposer import BlazePoser
from open_camera import open_camera
from tracking import Tracker

try:
    import pyb
except ImportError:
    print("head_mouse stopped: this camera's firmware has no USB HID, take one with an STM32H7")
    sys.exit()
if "HID" not in pyb.usb_mode():
    print("head_mouse stopped: the camera is no mouse yet, write boot.py as head_mouse.py says, then reset it")
    sys.exit()

poser = BlazePoser(max_faces=1)
tracker = Tracker(smooth=True)
csi0, _ = open_camera()


def speed(degrees):
    beyond = max(0, abs(degrees) - STILL)
    pixels = min(127, int(SPEED * beyond))
    return pixels if degrees > 0 else -pixels


mouse = pyb.USB_HID()
last = time.ticks_ms()
t_ms = seen = rest_yaw = rest_pitch = 0
sent = (0, 0, 0, 0)

while True:
    img = csi0.snapshot()
    now = time.ticks_ms()
    t_ms += time.ticks_diff(now, last)
    last = now
    report = (0, 0, 0, 0)  # buttons, right, down, wheel
    for _, _, face in tracker.update(model.predict([img]), t_ms):
        yaw, pitch, roll = face.angles
        if seen < START:
            seen += 1
            rest_yaw += (yaw - rest_yaw) / seen
            rest_pitch += (pitch - rest_pitch) / seen
            continue
        # The image shows its left where the user has the right: positive yaw is to the user's own right, positive
        # roll to the left shoulder.
        buttons = 1 if roll > PRESS else 2 if roll < -PRESS else 0
        report = (buttons, speed(yaw - rest_yaw), speed(rest_pitch - pitch), 0)
    if report != sent or report != (0, 0, 0, 0):
        mouse.send(report)
        sent = report
