# SPDX-License-Identifier: Apache-2.0
#
# Prints yaw, pitch and roll of every face, and draws a box around it in OpenMV IDE.

import csi
import ml

from find_model import MODELS, first_file

# First of all, because it needs one large block of memory.
model = ml.Model(first_file(MODELS), postprocess=lambda *tensors: poser(*tensors))

from blazeposer import BlazePoser

poser = BlazePoser(threshold=0.5, max_faces=4)
csi0 = csi.CSI()
csi0.reset()
csi0.pixformat(csi.RGB565)
csi0.framesize(csi.QVGA)
csi0.window((240, 240))

while True:
    img = csi0.snapshot()
    for face in model.predict([img]):
        yaw, pitch, roll = face.angles
        print("yaw %.0f pitch %.0f roll %.0f, off by %.0f" % (yaw, pitch, roll, face.err))
        img.draw_rectangle(tuple([int(v) for v in face.box]))
