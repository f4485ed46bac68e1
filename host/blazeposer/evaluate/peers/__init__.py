"""Run other systems that find heads and their rotations, in order to compare BlazePoser with them. A system with which
BlazePoser is compared is called a peer. Each peer finds faces in an image and computes the rotations of the heads.

- `mediapipe.py` computes the rotations of heads with MediaPipe's BlazeFace and face mesh.
- `blazeface.py` computes the rotations of heads from the six keypoints of BlazeFace in INT8, with OpenCV's solvePnP.

Each peer processes the whole image, padded to a square, and returns faces. The positions and sizes of the faces are in
pixels of the original image. `canonical.py` and `blazeface.py` convert the rotations of the peers to the convention of
`core.rotation`. For each peer, rotation zero means the same head pose as in the training data. The pose at rotation
zero was determined with the `train` split of the training data (see `canonical.py` and `blazeface.py`). Each peer runs
in a single thread.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from blazeposer.core.face import Face
from blazeposer.core.prepare import Image


class Peer(Protocol):
    """A system that finds the faces in an image. The image is an RGB array (h, w, 3) of uint8. The system returns the
    face with the highest score first. A face's `err` is NaN if the system gives no expected error."""

    @property
    def name(self) -> str: ...

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the system's networks."""

    @property
    def seconds(self) -> float:
        """Total time in seconds that the system's networks have run so far. The total time does not include the time
        for preparing images and decoding outputs."""

    def __call__(self, picture: Image) -> list[Face]: ...
