# A script of one's own, as the README's, with more to print: the post-processor and nothing else.

import csi
import ml

model = ml.Model("/rom/blazeposer.tflite", postprocess=lambda *tensors: poser(*tensors))

from blazeposer import BlazePoser

poser = BlazePoser(threshold=0.5, max_faces=4)
csi0 = csi.CSI()
csi0.reset()
csi0.pixformat(csi.RGB565)
csi0.framesize(csi.QVGA)
csi0.window((240, 240))
while True:
    img = csi0.snapshot()
    print("frame")
    for face in model.predict([img]):
        print("face", *face, sep=", ")
