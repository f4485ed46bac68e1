# SPDX-License-Identifier: Apache-2.0
#
# Measures this camera, and prints the board, the firmware, the model's memory, and the milliseconds of snapshot,
# predict and decode. First run `blazeposer deploy`. Then run this script with `mpremote run bench.py`, or in OpenMV
# IDE. The last line of the output is a row for a table in Markdown.

import gc
import time

import ml
import omv

from find_model import MODELS, first_file

FRAMES = 100


def postprocess(model, inputs, outputs):
    global decode_us
    start = time.ticks_us()
    faces = poser(model, inputs, outputs)
    decode_us += time.ticks_diff(time.ticks_us(), start)
    return faces


model = ml.Model(first_file(MODELS), postprocess=postprocess)  # loaded first: it needs one large block of memory

from blazeposer import BlazePoser
from open_camera import open_camera

poser = BlazePoser()
csi0, _ = open_camera()

for _ in range(10):  # let the sensor adapt its exposure
    decode_us = 0
    model.predict([csi0.snapshot()])
snapshot_us = predict_us = decode_us = faces = 0
for _ in range(FRAMES):
    start = time.ticks_us()
    img = csi0.snapshot()
    taken = time.ticks_us()
    faces += len(model.predict([img]))
    snapshot_us += time.ticks_diff(taken, start)
    predict_us += time.ticks_diff(time.ticks_us(), taken)
predict_us -= decode_us
gc.collect()

print("board", omv.board_type(), omv.arch())
print("firmware", omv.version_string())
print("model.ram", model.ram)
print("heap in use", gc.mem_alloc(), "free", gc.mem_free())
print("frames", FRAMES, "faces", faces)
snapshot, predict, decode = [us / FRAMES / 1000 for us in (snapshot_us, predict_us, decode_us)]
print("snapshot %.2f ms" % snapshot)
print("predict %.2f ms" % predict)
print("decode %.2f ms" % decode)
print(
    "| %s | %s | %d | %.2f | %.2f | %.2f | %.2f |"
    % (omv.board_type(), omv.version_string(), model.ram, snapshot, predict, decode, faces / FRAMES)
)
