# Imitates OpenMV's `csi`: a sensor whose images come from the PC.
# The behaviour follows OpenMV 5.0, modules/py_csi.c and common/omv_csi.c. A setting that the sensor lacks raises a
# RuntimeError. A window (width, height) is centred, and limited to the frame. A snapshot fails until the pixel format
# and the frame size are set.

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
            _refuse("pixel formats except RGB565 and GRAYSCALE")
        if pixformat == RGB565 and _ask("hello")["gray"]:  # for example, the driver of HM01B0 accepts only GRAYSCALE
            raise RuntimeError("Sensor control failed.")
        self._pixformat = pixformat

    def framesize(self, framesize):
        if framesize not in _SIZES:
            _refuse("frame sizes except QVGA and VGA")
        self._size = _SIZES[framesize]
        self._window = (0, 0) + self._size

    def width(self):  # width of the frame, not of the window
        return self._frame()[0]

    def height(self):
        return self._frame()[1]

    def window(self, window):
        if not isinstance(window, tuple) or len(window) != 2:
            _refuse("windows except a tuple (width, height)")
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
        # Skip `frames` + 1 frames, or all frames of `time` milliseconds (py_csi_snapshot of 5.0).
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
