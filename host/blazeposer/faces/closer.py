"""A closer look: the network's few pixels go where faces are. `Gaze` of `board/tracking.py` says where, on a PC too."""

from __future__ import annotations

from blazeposer.core.face import Face
from blazeposer.core.prepare import as_rgb
from blazeposer.faces.board import board_module
from blazeposer.faces.detector import Detector


class CloserLook:
    """Calls with images that follow one another return their faces, small ones too, best first.

    With `mirror` every second look at a known face is at the mirror image: a `Tracker` that smooths averages both.
    """

    def __init__(self, detector: Detector, mirror: bool = False) -> None:
        self._detector = detector
        self._gaze = board_module("tracking").Gaze(detector.threshold, mirror)

    def __call__(self, image: object) -> list[Face]:
        """Return the faces of an image as the detector takes it. Raises InputError."""
        rgb = as_rgb(image, self._detector.order)
        height, width = rgb.shape[:2]
        x, y, w, h = self._gaze.region(width, height)
        region = None if (w, h) == (width, height) else (x, y, w)
        guess = board_module("tracking").GUESS
        found: list[Face] = self._gaze.saw(self._detector.look(rgb, region, guess, mirror=self._gaze.mirrored))
        return found
