"""The decoded material of training images, in the memory of one device.

A face has a texture of its own: its photo, or where that is large a square cut of it. On a CPU some 53,000 of them take
6 GB, which the process that makes batches shares.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blazeposer.core.prepare import Image
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.evaluate.datasets.pool import Pool, read_backgrounds, read_pools, read_scenes
from blazeposer.scene.sequence import room

SIDE = 192
"""Pixels of a texture: few faces of the pools are larger than they need for a training image of 128."""
CUT = 3.0
"""Side of the square cut out of a large photo, in sizes of the face: room for the smallest and the turned ones."""
COLLAGES = 900
"""Number of collages, a third of all backgrounds: scenes are too few to teach all detection that the original knows."""
DRAWN = 64
"""Number of drawn backgrounds, where there are no photos without a face."""
COLLAGE_SIDES = (2, 3, 4)
"""Photos in a row of a collage: faces of 16 to 60 pixels in a training image, smaller than most that are placed."""

Floats = NDArray[np.float64]


@dataclass
class Bank:
    """Textures uint8 (M, 3, 192, 192), photo in the top left corner, its last row and column repeated beyond it.

    Of the faces: `sizes` (M, 2) width and height of the photo, `boxes` (M, 4) x0, y0, x1, y1 and `landmarks` (M, 68, 2)
    in the texture's pixels, `angles` (M, 3) and `spread` (M,) in degrees, `rotations` (M, 3, 3). `backgrounds` uint8
    (B, 3, 192, 192) are squares without labels: first `faceless` of photos without a face, then, among those to train
    with, of scenes and collages.
    """

    textures: Tensor
    backgrounds: Tensor
    sizes: Floats
    boxes: Floats
    landmarks: Floats
    angles: Floats
    rotations: Floats
    spread: Floats
    faceless: int

    def __len__(self) -> int:
        return len(self.textures)


def read_bank(
    folder: Path,
    names: tuple[str, ...],
    split: str,
    device: torch.device | str = "cpu",
    report: Callable[[str], None] = lambda _: None,
    faceless: tuple[str, ...] = ("faceless",),
) -> Bank:
    """Return the faces of a split ("train" or "val") of several pools, and the backgrounds, on a device.

    The backgrounds are the photos of the zips `faceless`, or drawn where it names none; among those of "train" are the
    scenes that these pools have, and collages of their photos. `report` gets a line for each pool. Raises
    BlazePoserError when a file is missing or broken.
    """
    pool = read_pools(folder, names, split, report)
    empty = [photo for name in faceless for photo in read_backgrounds(folder, name)] or drawn_backgrounds()
    peopled = read_scenes(folder, names) + collages(pool.images, COLLAGES) if split == "train" else []
    return make_bank(pool, empty, peopled, device)


def drawn_backgrounds() -> list[Image]:
    """Return squares (192, 192, 3) without a face: parts of the drawn room in other colours, always the same."""
    rng, place = np.random.default_rng(0), room()
    drawn = []
    for _ in range(DRAWN):
        side = int(rng.integers(SIDE // 2, min(place.shape[:2])))
        x, y = rng.integers(0, place.shape[1] - side + 1), rng.integers(0, place.shape[0] - side + 1)
        part = place[y : y + side, x : x + side, rng.permutation(3)] * rng.uniform(0.3, 1.2)
        drawn.append(np.rot90(square(part.clip(0, 255).astype(np.uint8)), int(rng.integers(4))))
    return drawn


def make_bank(pool: Pool, empty: list[Image], peopled: list[Image], device: torch.device | str = "cpu") -> Bank:
    """Return the bank of a decoded pool. Its backgrounds are photos without a face (`empty`) and some that may show
    people."""
    textures = torch.empty((len(pool), 3, SIDE, SIDE), dtype=torch.uint8)
    pixels = textures.numpy()
    sizes, boxes = np.empty((len(pool), 2)), np.empty((len(pool), 4))
    landmarks = np.empty((len(pool), 68, 2))

    def fill(face: int) -> None:
        photo, scale, corner = cut(pool.images[pool.image_of[face]], pool.boxes[face])
        height, width = photo.shape[:2]
        padded = cv2.copyMakeBorder(photo, 0, SIDE - height, 0, SIDE - width, cv2.BORDER_REPLICATE)
        pixels[face] = padded.transpose(2, 0, 1)
        sizes[face] = width, height
        # coordinates are those of pixels' centres, so that half a pixel lies before 0
        landmarks[face] = (pool.landmarks[face] - corner + 0.5) * scale - 0.5
        boxes[face] = ((pool.boxes[face].reshape(2, 2) - corner + 0.5) * scale - 0.5).ravel()

    with ThreadPoolExecutor() as threads:
        list(threads.map(fill, range(len(pool))))
    backgrounds = np.stack([square(photo).transpose(2, 0, 1) for photo in empty + peopled])
    rotations = rotation_from_angles(pool.angles)
    return Bank(
        textures.to(device), torch.from_numpy(backgrounds).to(device), sizes, boxes, landmarks, pool.angles, rotations,
        pool.spread, len(empty),
    )  # fmt: skip


def cut(photo: Image, box: Floats) -> tuple[Image, Floats, Floats]:
    """Cut a face's texture from its photo: the whole photo, or of a large one a square around the face, shrunk to fit.

    Returns it with its scale (2,) across and down, and the corner (2,) of the photo's pixel that it starts at.
    """
    height, width = photo.shape[:2]
    if max(height, width) <= SIDE:
        return photo, np.ones(2), np.zeros(2)
    side = round(max(CUT * max(box[2] - box[0], box[3] - box[1]), SIDE))
    limits = np.array([width, height])
    start = np.clip(np.round((box[:2] + box[2:] - side) / 2), 0, np.maximum(limits - side, 0)).astype(int)
    (x0, y0), (x1, y1) = start, np.minimum(start + side, limits)
    part = photo[y0:y1, x0:x1]
    shrink = min(SIDE / max(part.shape), 1.0)
    size = (round((x1 - x0) * shrink), round((y1 - y0) * shrink))
    texture = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return texture, np.array(size) / (x1 - x0, y1 - y0), start.astype(np.float64)


def square(photo: Image) -> Image:
    """Return the middle square of a photo, scaled to a texture's size."""
    height, width = photo.shape[:2]
    side = min(height, width)
    y, x = (height - side) // 2, (width - side) // 2
    how = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(photo[y : y + side, x : x + side], (SIDE, SIDE), interpolation=how), np.uint8)


def collages(photos: list[Image], count: int) -> list[Image]:
    """Return images (192, 192, 3) of photos in rows, with as many photos in a row as there are rows; always the same
    ones."""
    rng = np.random.default_rng(0)

    def tile(side: int) -> Image:
        photo = square(photos[rng.integers(len(photos))])
        return np.asarray(cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA), np.uint8)

    def collage(row: int) -> Image:
        return np.vstack([np.hstack([tile(SIDE // row) for _ in range(row)]) for _ in range(row)])

    return [collage(int(row)) for row in rng.choice(COLLAGE_SIDES, count)]
