"""Conversion of images to inputs. https://docs.openmv.io/library/omv.ml.preprocessing.html"""

from image import Image

class Normalization:
    """Stretches a region x, y, w, h of an image to the network's input. The default is the whole image."""

    roi: tuple[int, int, int, int]

    def __init__(self, roi: tuple[int, int, int, int] | None = None) -> None: ...
    def __call__(self, image: Image) -> Normalization: ...
