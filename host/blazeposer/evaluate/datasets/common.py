"""Define the classes for data sets of labelled faces. An image of a data set is loaded only when a program needs the
image."""

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
    """One image of a data set, with its n labelled faces."""

    name: str
    load: Callable[[], Image]
    """Function that reads the image. The image is uint8 RGB, (h, w, 3)."""
    boxes: Floats
    """Boxes x0, y0, x1, y1 in pixels, (n, 4). A box may extend beyond the image."""
    angles: Floats
    """Yaw, pitch and roll in degrees, (n, 3)."""
    file: Path | None = None
    """The image's file, or None if there is no separate file for the image."""


@dataclass(frozen=True)
class LeftOut:
    """A file that a data set leaves out, and the reason for leaving it out."""

    name: str
    why: str
    is_damage: bool = True
    """True if the file is missing or damaged, so that the data set differs from the published data set. False if the
    image has no label."""


@dataclass(frozen=True)
class Dataset:
    """The images of a data set, and the rule that decides which detection matches a label."""

    name: str
    samples: Sequence[Sample]
    rule: Rule = OVERLAP
    left_out: Sequence[LeftOut] = ()

    def __len__(self) -> int:
        """Return the number of labelled faces in the data set."""
        return sum(len(sample.boxes) for sample in self.samples)

    @property
    def angles(self) -> Floats:
        """Yaw, pitch and roll of all faces, in the order of the images. The shape is (faces, 3)."""
        return np.concatenate([sample.angles for sample in self.samples])

    @property
    def rotations(self) -> Floats:
        """Rotation matrices of all faces, in the order of the images. The shape is (faces, 3, 3)."""
        return rotation_from_angles(self.angles)

    @property
    def names(self) -> list[str]:
        """List with the image name of each labelled face."""
        return [sample.name for sample in self.samples for _ in sample.boxes]


def subfolder(folder: Path, name: str) -> Path:
    """Return the folder into which the archive of an official data set was unpacked. With the option --data, the user
    may give the unpacked folder or its parent folder."""
    return folder / name if (folder / name).is_dir() else folder


def image_given(image: Image) -> Callable[[], Image]:
    """Return a `Sample.load` function for an image that is already in memory."""
    return lambda: image


def load_image(path: Path) -> Image:
    """Read an image file, and return the image. Raises BlazePoserError if the file cannot be read."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise BlazePoserError(f"{path} is missing or not an image: unpack the data set again")
    return np.asarray(image, np.uint8)
