"""Find small faces in a still image: look at the whole, then at tiles, then at each face by itself.

The network sees 128 pixels a side, and finds a face reliably from an eighth of that on. A tile shows a part of the
image larger; tiles of several sizes overlap, so that every face from `smallest_face` on is whole in one of them and
large enough there. What a tile shows is a guess: it counts when a look of its own, with the face in the middle, is
surer of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from blazeposer.core.face import Face
from blazeposer.faces.tracker import board_module

Region = tuple[int, int, int]
"""A square about or in an image: x, y, side in pixels."""
Look = Callable[[Region | None, float], list[Face]]
"""Returns the faces of a score and more that are seen in a region; None is the whole image."""

SEEN = 1 / 8
"""Least face that one look finds, of the side of what it sees."""
SMALLEST = 24
"""Pixels: a smaller face has too few of them."""
SHARE = 1 / 45
"""Least face that is searched for, of the image's shorter side: 24 pixels of 1080."""
STEP = 2.2
"""Each size of tiles is smaller than the next by this factor at most."""
OVERLAP = 0.35
"""The overlap of neighbouring tiles, as a share of their side: the largest face that the next size might miss,
`SEEN * STEP`, and a margin."""
GUESS = 0.6
"""Share of the threshold: a guess with this score or more gets a look of its own."""
SURE = 0.4
"""Share of the gap from the threshold to 1: this much more a guess must score in its own look. There are a hundred
tiles and more, each with its chance of a false positive. Both were chosen on faces of `aflw`, validation split, in
photos of `faceless` for training: of those pasted 30 to 45 pixels long 92 % are found, with 0.2 false positives an
image."""


def smallest_face(width: int, height: int, *, fast: bool = False) -> int:
    """Return the pixels of the smallest face that is found in an image, in one look (`fast`) or in a search."""
    if fast:
        return math.ceil(SEEN * max(width, height))
    return min(math.ceil(SEEN * max(width, height)), round(max(SMALLEST, SHARE * min(width, height))))


def search(look: Look, width: int, height: int, threshold: float) -> list[Face]:
    """Return the faces of an image that reach a score, best first."""
    sure = threshold + SURE * (1 - threshold)
    seen = look(None, threshold)
    guesses = [guess for tile in tiles(width, height) for guess in look(tile, GUESS * threshold)]
    faces = [_own(look, face, width, height, threshold) or face for face in seen]
    for guess in _without_doubles(guesses):
        if not any(_same(guess, face) for face in faces) and (face := _own(look, guess, width, height, sure)):
            faces.append(face)
    return _without_doubles(faces)


def _own(look: Look, face: Face, width: int, height: int, threshold: float) -> Face | None:
    """Return a face as a look of its own shows it, or None where that does not."""
    found = [one for one in look(_around(face, width, height), threshold) if _same(one, face)]
    return found[0] if found else None


def tiles(width: int, height: int) -> Iterator[Region]:
    """Yield the squares to look at after the whole image, the largest first, none larger than the image is wide."""
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
    """Return where tiles begin along one axis: evenly spread, or a single one about the middle."""
    if side >= length:
        return [(length - side) // 2]
    count = 1 + math.ceil((length - side) / ((1 - OVERLAP) * side))
    return [round(start) for start in np.linspace(0, length - side, count).tolist()]


def _around(face: Face, width: int, height: int) -> Region:
    """Return the square of a look of its own: as in a `Gaze`, moved into the image where it fits."""
    x, y, w, h = face.box
    side = max(1, round((1 + 2 * board_module("tracking").MARGIN) * max(w, h)))
    corner = []
    for middle, length in ((x + w / 2, width), (y + h / 2, height)):
        start = round(middle - side / 2)
        corner.append(max(0, min(start, length - side)) if side <= length else (length - side) // 2)
    return corner[0], corner[1], side


def _without_doubles(faces: Sequence[Face]) -> list[Face]:
    """Return the faces, best first, without those that are a better one once more."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if not any(_same(face, other) for other in kept):
            kept.append(face)
    return kept


def _same(face: Face, other: Face) -> bool:
    same = board_module("tracking").same
    return bool(same(face, other) or same(other, face))
