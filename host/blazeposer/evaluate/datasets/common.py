"""Data sets: images that are read when they are needed, and the labels of their faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from blazeposer.core.errors import BlazePoserError
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import Floats, rotation_from_angles
from blazeposer.evaluate.metrics import OVERLAP, Rule


@dataclass(frozen=True)
class Sample:
    """One image and its n labelled faces."""

    name: str
    load: Callable[[], Image]
    """Function that reads the image, (h, w, 3) uint8 RGB."""
    boxes: Floats
    """(n, 4) x0, y0, x1, y1 in pixels; may leave the image."""
    angles: Floats
    """(n, 3) yaw, pitch, roll in degrees."""
    file: Path | None = None
    """The file of the image, where it has one of its own."""


@dataclass(frozen=True)
class LeftOut:
    """A file that is not among the samples."""

    name: str
    why: str
    is_damage: bool = True
    """True if the data set differs from the published one; an image without a label alone does not count."""


@dataclass(frozen=True)
class Dataset:
    """The images of a data set, and the rule by which a detection answers a label."""

    name: str
    samples: Sequence[Sample]
    rule: Rule = OVERLAP
    left_out: Sequence[LeftOut] = ()

    def __len__(self) -> int:
        """Return the number of labelled faces."""
        return sum(len(sample.boxes) for sample in self.samples)

    @property
    def angles(self) -> Floats:
        """(faces, 3), image by image."""
        return np.concatenate([sample.angles for sample in self.samples])

    @property
    def rotations(self) -> Floats:
        """(faces, 3, 3)."""
        return rotation_from_angles(self.angles)

    @property
    def names(self) -> list[str]:
        """Name of the image of each face."""
        return [sample.name for sample in self.samples for _ in sample.boxes]


def subfolder(folder: Path, name: str) -> Path:
    """Return the folder that an official archive unpacks to, whether --data names it or the one above it."""
    return folder / name if (folder / name).is_dir() else folder


def image_given(image: Image) -> Callable[[], Image]:
    """Return a `Sample.load` for an image that is in memory already."""
    return lambda: image


def load_image(path: Path) -> Image:
    """Return the image of a file. Raises BlazePoserError."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise BlazePoserError(f"{path} is missing or no image: unpack the data set anew")
    return np.asarray(image, np.uint8)
