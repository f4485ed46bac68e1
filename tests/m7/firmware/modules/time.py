# QEMU's clock tells nothing about a camera's: a frame takes 90 ms here.

_ticks = 0


def ticks_ms():
    global _ticks
    _ticks += 90
    return _ticks


def ticks_us():
    return 1000 * _ticks


def ticks_diff(a, b):
    return a - b


class clock:
    def tick(self):
        pass

    def fps(self):
        return 10.0
