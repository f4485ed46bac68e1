"""Keep the decoded photos of faces and backgrounds in the memory of a CPU or a GPU.

Each face is kept with its surroundings as a texture, an image of 192x192 pixels. The textures of about 53,000 faces
take 6 GB. The processes that make the training images share the textures with the main process.
"""

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
"""Side of a texture in pixels. The side of a training image is 128 pixels, and only few faces of the data sets need a
larger texture."""
CUT = 3.0
"""Side of the square that is cut out of a large photo, as a multiple of the longer side of the face's box. Training
images with a small or turned face also show the space around the face."""
COLLAGES = 900
"""Number of collages, which are images composed of several photos of faces. The data sets alone have too few photos
with several people to teach the network everything that BlazeFace detects."""
DRAWN = 64
"""Number of drawn backgrounds, which take the place of photos without faces (see `read_bank`)."""
COLLAGE_SIDES = (2, 3, 4)
"""Possible numbers of photos in a row of a collage. The faces of a collage have a size of 16 to 60 pixels in a training
image. Most labelled faces are larger."""

Floats = NDArray[np.float64]


@dataclass
class Bank:
    """Faces and backgrounds for training images.

    `textures` (M, 3, 192, 192) contains the photos of the faces as uint8. A texture is a whole photo, or a square that
    was cut out of a large photo. A small photo is in the top left corner of its texture. The photo's last row and last
    column of pixels are repeated to fill the rest of the texture. `sizes` (M, 2) contains the width and height of the
    photo in each texture. `boxes` (M, 4) and `landmarks` (M, 68, 2) are in pixels of the texture. A row of `boxes`
    contains x0, y0, x1 and y1. `angles` (M, 3) contains yaw, pitch and roll in degrees. `rotations` (M, 3, 3) contains
    the rotation matrices of the faces. Each label is the mean of several predictions. `spread` (M,) is the uncertainty
    of each label, which is the difference between these predictions in degrees.

    `backgrounds` (B, 3, 192, 192) contains square uint8 images without labels. The first `faceless` images of
    `backgrounds` show no face. In a bank for training, the other images are photos or collages that show people.
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
    """Return a bank with the faces of the pools `names` and with backgrounds, in the memory of `device`. `split` is
    "train" or "val".

    `faceless` contains names of zip files with photos without faces, for the backgrounds. If `faceless` is empty, drawn
    rooms take the place of these photos. For the split "train", the backgrounds also include photos with several
    people, and collages of the pools' photos. The function calls `report` with a line of text for each pool. Raises
    BlazePoserError if a file is missing or broken.
    """
    pool = read_pools(folder, names, split, report)
    empty = [photo for name in faceless for photo in read_backgrounds(folder, name)] or drawn_backgrounds()
    peopled = read_scenes(folder, names) + collages(pool.images, COLLAGES) if split == "train" else []
    return make_bank(pool, empty, peopled, device)


def drawn_backgrounds() -> list[Image]:
    """Return square images (192, 192, 3) without a face. Each image shows another part of a drawn room, in other
    colours. Each call of the function returns the same images."""
    rng, place = np.random.default_rng(0), room()
    drawn = []
    for _ in range(DRAWN):
        side = int(rng.integers(SIDE // 2, min(place.shape[:2])))
        x, y = rng.integers(0, place.shape[1] - side + 1), rng.integers(0, place.shape[0] - side + 1)
        part = place[y : y + side, x : x + side, rng.permutation(3)] * rng.uniform(0.3, 1.2)
        drawn.append(np.rot90(square(part.clip(0, 255).astype(np.uint8)), int(rng.integers(4))))
    return drawn


def make_bank(pool: Pool, empty: list[Image], peopled: list[Image], device: torch.device | str = "cpu") -> Bank:
    """Return a bank of a pool's faces. The bank's backgrounds are the photos `empty`, which show no face, and the
    photos `peopled`, which may show people."""
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
        # coordinate 0 is the centre of the first pixel, whose edge is at -0.5
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
    """Cut the texture of a face out of a photo. Return the texture, the factors in x and y by which the photo was
    scaled, and the position (x, y) of the texture's top left corner in the photo."""
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
    """Return the square in the middle of a photo, scaled to the size of a texture."""
    height, width = photo.shape[:2]
    side = min(height, width)
    y, x = (height - side) // 2, (width - side) // 2
    how = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(photo[y : y + side, x : x + side], (SIDE, SIDE), interpolation=how), np.uint8)


def collages(photos: list[Image], count: int) -> list[Image]:
    """Return `count` collages (192, 192, 3) of photos. A collage has as many rows as columns. The same photos always
    give the same collages."""
    rng = np.random.default_rng(0)

    def tile(side: int) -> Image:
        photo = square(photos[rng.integers(len(photos))])
        return np.asarray(cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA), np.uint8)

    def collage(row: int) -> Image:
        return np.vstack([np.hstack([tile(SIDE // row) for _ in range(row)]) for _ in range(row)])

    return [collage(int(row)) for row in rng.choice(COLLAGE_SIDES, count)]
