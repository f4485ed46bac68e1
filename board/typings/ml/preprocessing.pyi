"""How pictures become inputs. https://docs.openmv.io/library/omv.ml.preprocessing.html"""

from image import Image

class Normalization:
    """Stretches a region x, y, w, h of a picture, by default all of it, to the network's input."""

    roi: tuple[int, int, int, int]

    def __init__(self, roi: tuple[int, int, int, int] | None = None) -> None: ...
    def __call__(self, image: Image) -> Normalization: ...
