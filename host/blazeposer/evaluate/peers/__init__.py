"""Run the peers, which are the systems that BlazePoser is compared with. Each peer finds faces and computes the
rotations of the heads.

mediapipe.py   computes rotations with MediaPipe's BlazeFace and face mesh
blazeface.py   computes rotations from the six keypoints of BlazeFace in INT8, with solvePnP

Every peer gets the whole image, padded to a square, and returns faces in pixels of the image. The rotations follow the
convention of `core.rotation`, because `canonical.py` and `blazeface.py` convert the rotations of the peers. A head
with the rotation zero has the same pose as in the labels of the training data: this pose was computed from the `train`
split of these data (see `canonical.py` and `blazeface.py`). Each peer uses a single thread.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from blazeposer.core.face import Face
from blazeposer.core.prepare import Image


class Peer(Protocol):
    """A system that finds the faces in an image. The image is an RGB array (h, w, 3) of uint8. The face with the
    highest score comes first in the result. A face's `err` is NaN if the system predicts no error."""

    @property
    def name(self) -> str: ...

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the system's networks."""

    @property
    def seconds(self) -> float:
        """Time in seconds that the networks have taken so far. The time for preparing images and decoding outputs is
        not included."""

    def __call__(self, picture: Image) -> list[Face]: ...
