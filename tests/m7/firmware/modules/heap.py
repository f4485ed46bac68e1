# What of the heap is in use at some points of a run, printed once each.

import gc

_seen = []


def report(point, again=False):
    if point in _seen:
        return
    _seen.append(point)
    gc.collect()
    print("heap", point, gc.mem_alloc())
