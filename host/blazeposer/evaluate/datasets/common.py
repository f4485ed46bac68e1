"""Define the classes for data sets of labelled faces."""

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
    name: str
    load: Callable[[], Image]
    """Function that reads the image, uint8 RGB (h, w, 3)."""
    boxes: Floats
    """Boxes x0, y0, x1, y1 in pixels, (n, 4). A box may extend beyond the image."""
    angles: Floats
    """Yaw, pitch and roll in degrees, (n, 3)."""
    file: Path | None = None
    """File of the image, or None if the image has no file of its own."""


@dataclass(frozen=True)
class LeftOut:
    name: str
    why: str
    is_damage: bool = True
    """True if the image was left out because its file or its label is missing or damaged, so that the data set is
    incomplete. False if the image never had a label."""


@dataclass(frozen=True)
class Dataset:
    """The images of a data set, and the rule that decides which detection matches a label."""

    name: str
    samples: Sequence[Sample]
    rule: Rule = OVERLAP
    left_out: Sequence[LeftOut] = ()

    def __len__(self) -> int:
        """Return the number of labelled faces."""
        return sum(len(sample.boxes) for sample in self.samples)

    @property
    def angles(self) -> Floats:
        """Yaw, pitch and roll of all faces, in the order of the images. The shape is (faces, 3)."""
        return np.concatenate([sample.angles for sample in self.samples])

    @property
    def rotations(self) -> Floats:
        """Rotation matrices (faces, 3, 3)."""
        return rotation_from_angles(self.angles)

    @property
    def names(self) -> list[str]:
        """Image name of each labelled face."""
        return [sample.name for sample in self.samples for _ in sample.boxes]


def subfolder(folder: Path, name: str) -> Path:
    """Return the folder `name` of an unpacked data set. `folder` is the folder `name` itself or its parent folder."""
    return folder / name if (folder / name).is_dir() else folder


def image_given(image: Image) -> Callable[[], Image]:
    return lambda: image


def load_image(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise BlazePoserError(f"{path} is missing or not an image: unpack the data set again")
    return np.asarray(image, np.uint8)
