# What one call of the post-processor takes from the heap, and how much of that its result keeps: a line a frame.

import gc

import _frames
import ml
from ml.preprocessing import Normalization

from blazeposer import BlazePoser

model = ml.Model("", None)
inputs = [Normalization(roi=(0, 0, 240, 240))]
poser = BlazePoser()
gc.disable()
while _frames.next():
    views = _frames.views()
    faces = None
    gc.collect()
    before = gc.mem_alloc()
    faces = poser(model, inputs, views)
    taken = gc.mem_alloc() - before
    count = len(faces)
    gc.collect()
    print("frame", count, taken, gc.mem_alloc() - before)
