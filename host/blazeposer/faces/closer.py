"""A closer look: the network's few pixels go where faces are.

While faces are known, the next picture is looked at in a square around them. The whole picture comes again every few
pictures, and when the square shows more or fewer faces than are known. A face that the whole picture misses is looked
for once more where it was; and where the whole picture shows no face, its best guess below the threshold is looked at
closely, which is how a small face is found. A known face counts on at a lower score than a new one.
"""

from __future__ import annotations

from collections.abc import Sequence

from blazeposer.core.decode import Face
from blazeposer.core.prepare import Image
from blazeposer.faces.detector import Detector, Region

GUESS = 0.1
"""Least score of a face that is worth a closer look."""
KEPT = 0.6
"""Of the threshold is enough for a face that is known: one near the threshold would come and go."""
EVERY = 10
"""Close looks between two at the whole picture."""
MARGIN = 0.75
"""Around a face in the square, in longer sides of its box."""
LARGEST = 0.8
"""Of the picture's shorter side: a larger square gains nothing."""


class Gaze:
    """Where the network looks. `threshold`: from this score on a new face counts. Lengths in pixels of the picture."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._known: list[Face] = []
        self._guess: list[Face] = []
        self._close = False
        self._looks = 0

    def region(self, width: int, height: int) -> Region | None:
        """The square (x, y, side) of the next picture to look at; None is all of it."""
        self._close = False
        spans = [_span(face) for face in self._known or self._guess]
        if not spans or self._looks >= EVERY:
            return None
        left, top = (min(span[i] for span in spans) for i in (0, 1))
        right, bottom = (max(span[i] for span in spans) for i in (2, 3))
        side = int(max(right - left, bottom - top))
        if side > LARGEST * min(width, height):
            return None
        self._close = True
        x, y = int((left + right - side) / 2), int((top + bottom - side) / 2)
        return max(0, min(x, width - side)), max(0, min(y, height - side)), side

    def saw(self, faces: Sequence[Face]) -> list[Face]:
        """The faces that count, of those of `GUESS` and more seen there, best first."""
        found = [face for face in faces if self._counts(face)]
        if self._close:
            self._looks = self._looks + 1 if len(found) == len(self._known or self._guess) else EVERY
            self._known, self._guess = found, []
        else:
            missed = [face for face in self._known if not any(_same(face, other) for other in found)]
            self._known = found + (missed if self._looks else [])
            self._guess = [] if self._known else list(faces[:1])
            self._looks = 0
        return found

    def _counts(self, face: Face) -> bool:
        kept = any(_same(face, known) for known in self._known)
        return face.score >= self._threshold * (KEPT if kept else 1)


class CloserLook:
    """A detector that looks closer; called with pictures that follow one another it returns their faces."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._gaze = Gaze(detector.threshold)

    def __call__(self, image: Image) -> list[Face]:
        height, width = image.shape[:2]
        region = self._gaze.region(width, height)
        return self._gaze.saw(self._detector.look(image, region, GUESS))


def _span(face: Face) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of what to see of a face."""
    x, y, w, h = face.box
    half = (0.5 + MARGIN) * max(w, h)
    return x + w / 2 - half, y + h / 2 - half, x + w / 2 + half, y + h / 2 + half


def _same(face: Face, other: Face) -> bool:
    """Whether the middle of one box is in the other."""
    x, y, w, h = face.box
    left, top, width, height = other.box
    return 0 <= x + w / 2 - left <= width and 0 <= y + h / 2 - top <= height
