# Imitates OpenMV's `image`. The pixels stay on the PC, and an Image holds a frame number.

import binascii as _binascii

from _link import ask as _ask
from _link import refuse as _refuse

GRAYSCALE = 2
RGB565 = 3
HMIRROR = 1 << 4
CENTER = 1 << 9
SCALE_ASPECT_KEEP = 1 << 10

_WHITE = (255, 255, 255)


class Image:
    def __init__(self, width, height, pixformat=None, buffer=None, _frame=None):
        """Create an image from a copy of `buffer`. OpenMV's firmware uses the buffer without copying (docs.openmv.io,
        omv.image). For a snapshot, `_frame` is the frame number."""
        if _frame is None:
            size = {GRAYSCALE: 1, RGB565: 2}.get(pixformat, 0) * width * height
            if buffer is None or not size or len(buffer) != size:
                _refuse("images except RGB565 and GRAYSCALE images with a buffer of exactly their size")
            pixels = _binascii.b2a_base64(buffer).decode()
            _frame = _ask("picture", width=width, height=height, pixels=pixels)["frame"]
        self._frame = _frame
        self._width = width
        self._height = height

    def width(self):
        return self._width

    def height(self):
        return self._height

    def scale(self, *, hint=0, copy=False):
        """Swap left and right of the image in place, as firmware 5.0 does for `hint=HMIRROR`."""
        if hint != HMIRROR or copy:
            _refuse("scale() except scale(hint=image.HMIRROR), which mirrors an image in place")
        _ask("mirror", frame=self._frame)
        return self

    def save(self, path):
        if not path.endswith(".jpg"):
            _refuse("image files except .jpg files")
        with open(path, "wb") as file:
            file.write(_binascii.a2b_base64(_ask("jpeg", frame=self._frame)["jpeg"]))
        return self

    # Since firmware 5.0, the first argument of each draw call is one tuple of numbers. Drawing changes the image.

    def draw_rectangle(self, rectangle, color=_WHITE, thickness=1):
        return self._draw("rectangle", rectangle, 4, color=color, thickness=thickness)

    def draw_line(self, line, color=_WHITE, thickness=1):
        return self._draw("line", line, 4, color=color, thickness=thickness)

    def draw_circle(self, circle, color=_WHITE, thickness=1):
        return self._draw("circle", circle, 3, color=color, thickness=thickness)

    def draw_string(self, position, text, color=_WHITE, scale=1):
        return self._draw("string", position, 2, text=text, color=color, scale=scale)

    def _draw(self, shape, numbers, count, **arguments):
        if not isinstance(numbers, tuple) or len(numbers) != count or not all(isinstance(n, int) for n in numbers):
            _refuse("draw calls except calls with one tuple of integers of the expected length")
        _ask("draw", frame=self._frame, shape=shape, numbers=numbers, **arguments)
        return self
