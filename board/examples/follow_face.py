# SPDX-License-Identifier: Apache-2.0
#
# Follows a face: the camera is on a pan-tilt mount, and the script turns the mount until the face is in the middle of
# the image.
#
# Wiring: connect the pan servo's signal to P7 and the tilt servo's signal to P8 (on an AE3, to P0 and P1; Arduino
# boards have other pin names). Connect the servos' ground to GND. Use a separate 5 V supply for the servos, because USB
# is too weak. OpenMV's Pan and Tilt Shield has all of these connections.
#
# First run `blazeposer deploy`, then `mpremote run follow_face.py`.

import ml
from machine import PWM

from find_model import MODELS, first_file

PAN, TILT = "P7", "P8"
PAN_TURN, TILT_TURN = 1, 1  # Use -1 if the servo turns away from the face.
LIMIT = 45  # Each servo turns at most this many degrees from its middle.
US_PER_DEGREE = 11  # Microseconds of pulse length per degree. From 1 ms to 2 ms, most servos turn by 90 degrees.
VIEW = 55  # Horizontal field of view in degrees: 55 with OpenMV's usual lens.
GAIN = 0.3  # Part of the angle to the face that one image corrects. With a larger value, the mount may swing.
STILL = 3  # Angles below this many degrees are not corrected, because the servos would hum.

# Load the model first, because it needs one large block of memory.
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
