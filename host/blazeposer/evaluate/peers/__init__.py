"""The systems with which BlazePoser is compared. They also find faces and the rotations of the heads.

mediapipe.py   BlazeFace, face mesh, rotation: the networks of MediaPipe
blazeface.py   BlazeFace in INT8, solvePnP on its six keypoints

Every peer gets the whole image, padded to a square, and returns faces in pixels of the image. The rotations have the
convention of `core.rotation`; `canonical.py` and `blazeface.py` convert the rotations of the peers. The zero of these
rotations was fitted on the `train` split of the training pools, as the docstrings of the two modules say. All peers
run on one thread.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from blazeposer.core.face import Face
from blazeposer.core.prepare import Image


class Peer(Protocol):
    """A system that returns the faces of an image (h, w, 3) uint8 RGB, the best first. `err` is NaN if the system
    predicts no error."""

    @property
    def name(self) -> str: ...

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the system's networks."""

    @property
    def seconds(self) -> float:
        """Seconds spent in the networks so far, without the time for preparing images and decoding outputs."""

    def __call__(self, picture: Image) -> list[Face]: ...
