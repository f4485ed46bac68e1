"""Follow faces from image to image and steady their numbers: `board/tracking.py` on a PC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from blazeposer.core.face import Face, keypoints_of
from blazeposer.faces.board import board_module

PATIENCE = board_module("tracking").PATIENCE_MS / 1000
"""Seconds that a track outlives its face."""


class Tracker:
    """Follows faces from image to image: numbers them and, with `smooth`, steadies box, keypoints and angles."""

    def __init__(self, smooth: bool = True) -> None:
        self._tracker = board_module("tracking").Tracker(smooth)

    def update(self, faces: Sequence[Face], t: float) -> list[Face]:
        """Return the faces of the image taken at `t` seconds, in their order, with the ids of their tracks.

        Ids are 1, 2, ... in the order of appearance and never used twice. Score and expected error stay as they are.
        Lengths may have any unit that stays the same.
        """
        found = []
        for face, (number, _, steady) in zip(faces, self._tracker.update(faces, 1000 * t), strict=True):
            if steady is not face:
                yaw, pitch, roll = steady.angles
                points = keypoints_of(steady.keypoints)
                face = replace(face, box=steady.box, keypoints=points, yaw=yaw, pitch=pitch, roll=roll)
            found.append(replace(face, id=number))
        return found
