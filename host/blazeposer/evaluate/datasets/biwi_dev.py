"""A part of BIWI as crops: `biwi_dev.zip` and `biwi_dev.csv`, every second frame of 13 of the 24 sequences.

The crops lie around a detector's box, and 1,334 frames of the whole set, in which no face was found, are not in their
source: heads that look up or down by 50 degrees on average. A figure here is a little kinder than one of `biwi`.

A crop is shown with its rim repeated by a quarter of its longer side on every side. The columns yaw, pitch and roll are
the Kinect's, in degrees, in the order and with the signs of 300W-LP. Their zero is that of the depth camera's frame: a
network that learned from other labels is off by a constant, so `mean_after_offset` stands beside the MAE.
"""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

from blazeposer.core.contract import ANGLES
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.prepare import Image
from blazeposer.evaluate.datasets.common import Dataset, Floats, Sample
from blazeposer.evaluate.datasets.pool import read_images
from blazeposer.evaluate.metrics import Rule, surest

NAME = "biwi_dev"
RIM = 0.25
"""Of the crop's longer side, on every side."""
RULE = Rule("the highest score", surest)


def read(folder: Path) -> Dataset:
    """Every crop. Raises BlazePoserError when the files are not there."""
    path = folder / f"{NAME}.csv"
    try:
        with open(path, newline="") as stream:
            rows = list(csv.DictReader(stream))
        angles = np.array([[float(row[angle]) for angle in ANGLES] for row in rows])
        files = [row["file"] for row in rows]
    except (OSError, KeyError, ValueError) as error:
        raise BlazePoserError(f"{path} cannot be read: name its folder with --data") from error
    images = read_images(folder / f"{NAME}.zip", files)
    return Dataset(NAME, [_sample(*row) for row in zip(files, images, angles, strict=True)], RULE)


def _sample(file: str, image: Image, angles: Floats) -> Sample:
    """A crop with its rim repeated; as box, where the crop lies: the face's own is not known."""
    height, width = image.shape[:2]
    rim = round(RIM * max(height, width))
    box = np.array([rim, rim, rim + width, rim + height], np.float64)

    def load() -> Image:
        return np.asarray(cv2.copyMakeBorder(image, rim, rim, rim, rim, cv2.BORDER_REPLICATE), np.uint8)

    return Sample(file, load, box[None], angles[None])
