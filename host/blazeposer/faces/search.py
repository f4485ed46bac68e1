"""Find small faces in a still image. A search runs the network on the whole image, on tiles, and on a region around
each found face.

The network reliably finds faces whose size in its input image of 128 x 128 pixels is at least 16 pixels. A tile is a
square part of the image. Tiles have several sizes and overlap, so that every face of at least `smallest_face` pixels
fits completely into a tile in which the network can find the face. Each tile can cause a false positive. A face from a
tile is therefore accepted only if the network finds the face again, with a high score, in a region around the face.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from blazeposer.core.face import Face
from blazeposer.faces.tracker import board_module

Region = tuple[int, int, int]
"""A square (x, y, side) in pixels of an image. The square may extend beyond the image."""
Look = Callable[[Region | None, float], list[Face]]
"""Function of a region and a score. The function runs the network on the region, or on the whole image if the region is
None, and returns the faces that have at least this score."""

SEEN = 1 / 8
"""Size of the smallest face that one run of the network finds, as a fraction of the side of the region."""
SMALLEST = 24
"""Size in pixels of the smallest face for which a search looks. Smaller faces have too few pixels."""
SHARE = 1 / 45
"""Size of the smallest face in a search, as a fraction of the image's shorter side. If this size is below `SMALLEST`
pixels, the search uses `SMALLEST`."""
STEP = 2.2
"""Largest ratio between one size of tiles and the next smaller size."""
OVERLAP = 0.35
"""Overlap of neighbouring tiles, as a fraction of their side. The overlap is `SEEN * STEP` plus a margin. If a face is
larger than the overlap, the network finds the face in a tile of the next larger size."""
GUESS = 0.6
"""Smallest score of a guess, as a fraction of the threshold. A guess is a face in a tile."""
SURE = 0.4
"""Smallest score that a guess must reach when the network runs again, as a fraction of the way from the threshold to 1.
`GUESS` and `SURE` were chosen with faces of the data set `aflw` (validation split) that were pasted into the training
photos of the data set `faceless`. With the chosen values, a search finds 92 % of the faces of 30 to 45 pixels, with 0.2
false positives per image."""


def smallest_face(width: int, height: int, *, fast: bool = False) -> int:
    """Return the size in pixels of the smallest face that is found in an image of `width` x `height` pixels. If `fast`
    is true, the network runs only once."""
    in_one_look = math.ceil(SEEN * max(width, height))
    return in_one_look if fast else min(in_one_look, round(max(SMALLEST, SHARE * min(width, height))))


def search(look: Look, width: int, height: int, threshold: float) -> list[Face]:
    """Return all faces of an image with a score of at least `threshold`, with the highest score first."""
    sure = threshold + SURE * (1 - threshold)
    seen = look(None, threshold)
    guesses = [guess for tile in tiles(width, height) for guess in look(tile, GUESS * threshold)]
    faces = [_own(look, face, width, height, threshold) or face for face in seen]
    for guess in _without_doubles(guesses):
        if not any(_same(guess, face) for face in faces) and (face := _own(look, guess, width, height, sure)):
            faces.append(face)
    return _without_doubles(faces)


def _own(look: Look, face: Face, width: int, height: int, threshold: float) -> Face | None:
    """Run the network on a region around `face`. Return the network's new detection of `face`, or None if there is
    none."""
    return next((one for one in look(_around(face, width, height), threshold) if _same(one, face)), None)


def tiles(width: int, height: int) -> Iterator[Region]:
    """Yield the square tiles of an image, beginning with the largest tiles."""
    longer, shorter = max(width, height), min(width, height)
    least = smallest_face(width, height) / SEEN
    most = min(longer, shorter / SEEN)
    sizes = max(0, math.ceil(math.log(most / least) / math.log(STEP))) if most > least else 0
    for size in range(1, sizes + 1):
        side = round(most * (least / most) ** (size / sizes))
        for y in _starts(height, side):
            for x in _starts(width, side):
                yield x, y, side


def _starts(length: int, side: int) -> list[int]:
    """Return evenly spread start positions of tiles along one axis of an image. A single tile is centred."""
    if side >= length:
        return [(length - side) // 2]
    count = 1 + math.ceil((length - side) / ((1 - OVERLAP) * side))
    return [round(start) for start in np.linspace(0, length - side, count).tolist()]


def _around(face: Face, width: int, height: int) -> Region:
    """Return a square around a face. The square has the margin that `Gaze` (board/tracking.py) uses, and is inside the
    image as far as possible."""
    x, y, w, h = face.box
    side = max(1, round((1 + 2 * board_module("tracking").MARGIN) * max(w, h)))
    corner = []
    for middle, length in ((x + w / 2, width), (y + h / 2, height)):
        start = round(middle - side / 2)
        corner.append(max(0, min(start, length - side)) if side <= length else (length - side) // 2)
    return corner[0], corner[1], side


def _without_doubles(faces: Sequence[Face]) -> list[Face]:
    """Return the faces with the highest score first. Leave out the worse of two detections of one face."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if not any(_same(face, other) for other in kept):
            kept.append(face)
    return kept


def _same(face: Face, other: Face) -> bool:
    same = board_module("tracking").same
    return bool(same(face, other) or same(other, face))
