"""The systems with which BlazePoser is compared: others that find faces and their rotations, on the same terms.

    mediapipe.py   BlazeFace, face mesh, rotation: the networks of MediaPipe
    blazeface.py   BlazeFace in INT8, solvePnP on its six keypoints

Every peer takes the whole image padded to a square, answers in pixels of the image, and speaks of rotations
as `core.rotation` does; `canonical.py` and `blazeface.py` convert theirs. The zero of their rotations was
fitted on the `train` split of the training pools, as those modules say. All run on one thread.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from blazeposer.core.face import Face
from blazeposer.core.prepare import Image


class Peer(Protocol):
    """A system that returns the faces of an image (h, w, 3) uint8 RGB, best first, with `err` NaN if it has none."""

    @property
    def name(self) -> str: ...

    @property
    def files(self) -> tuple[Path, ...]:
        """The networks' files."""

    @property
    def seconds(self) -> float:
        """Seconds spent in the networks so far, without preparation and decoding."""

    def __call__(self, picture: Image) -> list[Face]: ...
