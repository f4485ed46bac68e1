"""Run other systems that find heads and their rotations, in order to compare BlazePoser with them. Each peer processes
the whole image, padded to a square, in a single thread. The rotations follow the convention of `core.rotation`, and
rotation zero is the zero pose of the training data."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from blazeposer.core.face import Face
from blazeposer.core.prepare import Image


class Peer(Protocol):
    """A system that finds faces in an RGB image (h, w, 3), the best first. `err` is NaN if it is not computed."""

    @property
    def name(self) -> str: ...

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the system's networks."""

    @property
    def seconds(self) -> float:
        """Total time in seconds that the networks have run so far, without preparing images and decoding outputs."""

    def __call__(self, picture: Image) -> list[Face]: ...
