# SPDX-License-Identifier: Apache-2.0
#
# Shows the image with faces, keypoints and head pose on the camera's own screen and in OpenMV IDE. The red axis points
# to the person's left, the green axis points up, and the blue axis points where the face looks. The numbers are yaw,
# pitch and roll in degrees.
#
# The script needs OpenMV's LCD Shield (128x160 pixels) on an H7, H7 Plus, RT1062 or N6.
#
# First run `blazeposer deploy`, then `mpremote run overlay.py`.

import math

import display
import image
import ml

from find_model import MODELS, first_file

BOX, POINT, TEXT = (255, 200, 0), (255, 255, 255), (255, 255, 255)
X, Y, Z = (230, 50, 50), (60, 190, 60), (60, 110, 255)

# Load the model first, because it needs one large block of memory.
model = ml.Model(first_file(MODELS), postprocess=lambda *tensors: poser(*tensors))

from blazeposer import BlazePoser
from open_camera import open_camera

poser = BlazePoser()
csi0, _ = open_camera()
lcd = display.SPIDisplay()


def draw(img, face):
    x, y, w, h = [int(v) for v in face.box]
    img.draw_rectangle((x, y, w, h), color=BOX, thickness=2)
    for px, py in face.keypoints:
        img.draw_circle((int(px), int(py), 1), color=POINT, thickness=2)
    yaw, pitch, roll = [math.radians(angle) for angle in face.angles]
    sy, cy, sp, cp = math.sin(yaw), math.cos(yaw), math.sin(pitch), math.cos(pitch)
    sr, cr = math.sin(roll), math.cos(roll)
    # The first two rows of Rx(pitch) Ry(yaw) Rz(roll): how far each axis of the head points right, and how far up.
    right = (cy * cr, cy * sr, -sy)
    up = (sp * sy * cr - cp * sr, sp * sy * sr + cp * cr, sp * cy)
    nose_x, nose_y = face.keypoints[2]
    for color, dx, dy in zip((X, Y, Z), right, up):
        tip = (int(nose_x + dx * w / 2), int(nose_y - dy * w / 2))
        img.draw_line((int(nose_x), int(nose_y)) + tip, color=color, thickness=3)
    img.draw_string((max(0, x), max(0, y - 22)), "%d %d %d" % face.angles, color=TEXT, scale=2)


while True:
    img = csi0.snapshot()
    for face in model.predict([img]):
        draw(img, face)
    lcd.write(img, hint=image.CENTER | image.SCALE_ASPECT_KEEP)
