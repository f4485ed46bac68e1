# SPDX-License-Identifier: Apache-2.0
#
# Prints yaw, pitch and roll of every face, and draws a box around it in OpenMV IDE.

import ml

from find_model import MODELS, first_file

# Load the model before the other imports, because it needs one large block of memory.
model = ml.Model(first_file(MODELS), postprocess=lambda *tensors: poser(*tensors))

from blazeposer import BlazePoser
from open_camera import open_camera

poser = BlazePoser(threshold=0.5, max_faces=4)
csi0, _ = open_camera()

while True:
    img = csi0.snapshot()
    for face in model.predict([img]):
        yaw, pitch, roll = face.angles
        print("yaw %.0f pitch %.0f roll %.0f, off by %.0f" % (yaw, pitch, roll, face.err))
        img.draw_rectangle(tuple([int(v) for v in face.box]))
