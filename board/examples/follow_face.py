# SPDX-License-Identifier: Apache-2.0
#
# Follows a face: turns a pan-tilt head, with the camera on it, until the face is in the middle of the image.
#
# Wiring: the pan servo's signal to P7, the tilt servo's to P8 (on an AE3 to P0 and P1; an Arduino names its own pins),
# their ground to GND. Feed them 5 V from a supply of their own: USB is too weak. OpenMV's Pan and Tilt Shield has all
# of this.
#
# With BlazePoser on the camera (`blazeposer deploy`): `mpremote run follow_face.py`.

import ml
from machine import PWM

from find_model import MODELS, first_file

PAN, TILT = "P7", "P8"
PAN_TURN, TILT_TURN = 1, 1  # -1 for a servo that turns away from the face.
LIMIT = 45  # Degrees that each servo may turn from its middle.
US_PER_DEGREE = 11  # Pulses of 1 to 2 ms turn most servos by 90 degrees.
VIEW = 55  # Degrees that the image shows from side to side: 55 with OpenMV's usual lens.
GAIN = 0.3  # Part of the way that one image corrects: with more it is faster, with too much it swings.
STILL = 3  # Degrees that the face may be off, else the servos hum.

# First of all, because it needs one large block of memory.
model = ml.Model(first_file(MODELS), postprocess=lambda *tensors: poser(*tensors))

from blazeposer import BlazePoser
from open_camera import open_camera

poser = BlazePoser()
csi0, _ = open_camera()


class Servo:
    def __init__(self, pin, turn):
        self._pwm = PWM(pin, freq=50, duty_ns=1500000)
        self._turn = turn
        self._angle = 0

    def correct(self, degrees):
        if abs(degrees) > STILL:
            self._angle = max(-LIMIT, min(LIMIT, self._angle + GAIN * self._turn * degrees))
            self._pwm.duty_ns(int(1500000 + 1000 * US_PER_DEGREE * self._angle))


pan, tilt = Servo(PAN, PAN_TURN), Servo(TILT, TILT_TURN)

while True:
    img = csi0.snapshot()
    faces = model.predict([img])
    if faces:
        nearest = max(faces, key=lambda face: face.box[2])
        x, y, w, h = nearest.box
        pan.correct(((x + w / 2) / img.width() - 0.5) * VIEW)
        tilt.correct(((y + h / 2) / img.height() - 0.5) * VIEW)
