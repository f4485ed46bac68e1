# Imitates OpenMV's `ml.preprocessing`, which selects the region of an image for the network.

from _link import refuse as _refuse
from image import Image as _Image


class Normalization:
    """A preprocessor, which stores the image that the network processes next. `roi` is a region (x, y, w, h)."""

    def __init__(self, roi=None):
        if roi is not None and (not isinstance(roi, tuple) or len(roi) != 4):
            _refuse("regions except a tuple (x, y, w, h)")
        self.roi = roi
        self._image = None

    def __call__(self, image):
        if not isinstance(image, _Image):
            _refuse("normalization of inputs except images")
        self._image = image
        if self.roi is None:  # if an instance is used again, it keeps the first image's region
            self.roi = (0, 0, image.width(), image.height())
        return self
