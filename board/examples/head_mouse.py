# SPDX-License-Identifier: Apache-2.0
#
# Head-controlled mouse: turn your head to move the pointer. Tilt your head to the left or right shoulder to press the
# left or right button.
#
# The script needs a camera with an STM32H7 (H7, H7 Plus, Pure Thermal, Nicla Vision, Portenta, Giga), because the
# firmware of other cameras has no USB HID. To make the camera a mouse, write these two lines into its boot.py:
#     import pyb
#     pyb.usb_mode("VCP+HID")
# After that, the camera is no longer a USB drive. To undo this, delete boot.py and reset the camera.
#
# First run `blazeposer deploy`, then `mpremote run head_mouse.py`.

import sys
import time

import ml

from find_model import MODELS, first_file

STILL = 4  # The pointer rests while the head is within this many degrees of the pose at the start.
SPEED = 0.8  # Pixels that the pointer moves per image, for each degree beyond STILL.
PRESS = 18  # A tilt of this many degrees presses a button.
START = 10  # The pose at the start is the mean over this many images. Look at the screen's middle meanwhile.

# Load the model first, because it needs one large block of memory.
model = ml.Model(first_file(MODELS), postprocess=lambda *tensors: poser(*tensors))

from blazeposer import BlazePoser
from open_camera import open_camera
from tracking import Tracker

try:
    import pyb
except ImportError:
    print("head_mouse stopped: this camera's firmware has no USB HID: use a camera with an STM32H7")
    sys.exit()
if "HID" not in pyb.usb_mode():
    print(
        "head_mouse stopped: the camera is not a USB mouse yet: write boot.py as head_mouse.py describes, then reset it"
    )
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
        # The left side of the image is the user's right side. So positive yaw turns to the user's right, and positive
        # roll tilts to the user's left shoulder.
        buttons = 1 if roll > PRESS else 2 if roll < -PRESS else 0
        report = (buttons, speed(yaw - rest_yaw), speed(rest_pitch - pitch), 0)
    if report != sent or report != (0, 0, 0, 0):
        mouse.send(report)
        sent = report
