# Adds OpenMV's `clock` to the unix build's `time`.

from utime import *


class clock:
    """A measurement of the frame rate. Scripts call tick() at the start of a frame, and fps() at its end."""

    def __init__(self):
        self._start = ticks_ms()
        self._total = 0
        self._frames = 0

    def tick(self):
        self._start = ticks_ms()

    def fps(self):
        self._total += ticks_diff(ticks_ms(), self._start)
        self._frames += 1
        return 1000 * self._frames / max(self._total, 1)
