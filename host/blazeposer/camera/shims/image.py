# Stand-in for OpenMV's `image`: the pixels stay on the PC, this is a handle to the frame buffer.

import binascii as _binascii

from _link import ask as _ask
from _link import refuse as _refuse

GRAYSCALE = 2


class Image:
    def __init__(self, width, height, pixformat=None, buffer=None, _frame=None):
        """An image over the bytes of `buffer` (docs.openmv.io, omv.image). A snapshot is one by its `_frame`."""
        if _frame is None:
            if pixformat != GRAYSCALE or buffer is None or len(buffer) != width * height:
                _refuse("images but in shades of grey, over a buffer of width x height bytes")
            pixels = _binascii.b2a_base64(buffer).decode()
            _frame = _ask("picture", width=width, height=height, pixels=pixels)["frame"]
        self._frame = _frame
        self._width = width
        self._height = height

    def width(self):
        return self._width

    def height(self):
        return self._height

    # Drawing is checked for its form and shows nowhere: the picture in OpenMV IDE needs OpenMV's own protocol.

    def draw_rectangle(self, rectangle):
        _check(rectangle)  # since firmware 5.0 one tuple (x, y, w, h)

    def draw_line(self, line):
        _check(line)  # since firmware 5.0 one tuple (x0, y0, x1, y1)


def _check(numbers):
    if not isinstance(numbers, tuple) or len(numbers) != 4 or not all(isinstance(n, int) for n in numbers):
        _refuse("draw calls but with one tuple of four integers")
