"""Run other systems (peers) that find heads and their rotations, in order to compare BlazePoser with these systems.
Each peer processes the whole image, padded to a square, in a single thread. The rotations follow the convention of
`core.rotation`, and rotation zero is the zero pose of the training data."""

from pathlib import Path
from typing import Protocol

from blazeposer.core.face import Face
from blazeposer.core.prepare import Image


class Peer(Protocol):
    """A system that finds faces in an RGB image (h, w, 3). The face with the highest score is first. If the system
    computes no expected errors, `err` of each face is NaN."""

    @property
    def name(self) -> str: ...

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the system's networks."""

    @property
    def seconds(self) -> float:
        """Total time in seconds that the networks have run so far, without preparing images and decoding outputs."""

    def __call__(self, picture: Image) -> list[Face]: ...
