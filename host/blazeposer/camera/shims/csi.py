# Stand-in for OpenMV's `csi`: a sensor whose images come from the PC.
# Behaviour after OpenMV 5.0, modules/py_csi.c and common/omv_csi.c: a setting that the sensor lacks is a RuntimeError;
# a window of two numbers is centred, and cut to the frame; there is no image before format and size are set.

import time as _time

from _link import ask as _ask
from _link import refuse as _refuse
from image import Image as _Image

RGB565 = 1
GRAYSCALE = 2
QVGA = 3
VGA = 4

_SIZES = {QVGA: (320, 240), VGA: (640, 480)}


class CSI:
    def __init__(self):
        self.reset()

    def reset(self):
        self._pixformat = None
        self._size = None
        self._window = None
        self._mirrored = self._flipped = False

    def pixformat(self, pixformat):
        if pixformat not in (RGB565, GRAYSCALE):
            _refuse("this pixel format")
        if pixformat == RGB565 and _ask("hello")["gray"]:  # e.g. HM01B0: its driver takes GRAYSCALE only
            raise RuntimeError("Sensor control failed.")
        self._pixformat = pixformat

    def framesize(self, framesize):
        if framesize not in _SIZES:
            _refuse("this frame size")
        self._size = _SIZES[framesize]
        self._window = (0, 0) + self._size

    def width(self):  # of the frame, not of the window
        return self._frame()[0]

    def height(self):
        return self._frame()[1]

    def window(self, window):
        if not isinstance(window, tuple) or len(window) != 2:
            _refuse("windows but (width, height)")
        width, height = self._frame()
        w, h = window
        if w < 1 or h < 1:
            raise ValueError("the window is not inside the frame")
        w, h = min(w, width), min(h, height)
        self._window = (width // 2 - w // 2, height // 2 - h // 2, w, h)

    def hmirror(self, enable):
        self._mirrored = bool(enable)

    def vflip(self, enable):
        self._flipped = bool(enable)

    def _frame(self):
        if self._size is None:
            raise RuntimeError("Frame size is not supported or is not set.")
        return self._size

    def snapshot(self, *, time=-1, frames=-1):
        if time == -1 and frames == -1:
            return self._take()
        # Frames are skipped: so many and one more, or those of so many milliseconds (py_csi_snapshot of 5.0).
        start = _time.ticks_ms()
        while time != -1 or frames != -1:
            if frames != -1:
                frames -= 1
                if frames < -1:
                    break
            if time != -1 and _time.ticks_diff(_time.ticks_ms(), start) > time:
                break
            self._take()

    def _take(self):
        if self._pixformat is None or self._size is None:
            raise RuntimeError("Pixel format or frame size is not set.")
        gray, turned = self._pixformat == GRAYSCALE, (self._flipped, self._mirrored)
        answer = _ask("snapshot", size=self._size, window=self._window, gray=gray, turned=turned)
        return _Image(self._window[2], self._window[3], _frame=answer["frame"])
