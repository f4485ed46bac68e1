# Imitates OpenMV's `display`: an LCD shield, whose image goes to the PC.
# The behaviour follows docs.openmv.io, display.SPIDisplay. The default size is 128 x 160 pixels.

import image as _image
from _link import ask as _ask
from _link import refuse as _refuse


class SPIDisplay:
    def __init__(self, width=128, height=160):
        self._width = width
        self._height = height

    def width(self):
        return self._width

    def height(self):
        return self._height

    def write(self, image, hint=0):
        if hint != _image.CENTER | _image.SCALE_ASPECT_KEEP:
            _refuse("write() on a display except with hint=image.CENTER | image.SCALE_ASPECT_KEEP")
        _ask("show", frame=image._frame, width=self._width, height=self._height)
