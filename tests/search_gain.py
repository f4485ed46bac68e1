"""Measure the recall and the time of the search for small faces: `BLAZEPOSER_DATA=... make search-gain`.

Scenes: 1920 x 960 pixels, a photo of `faceless` (test part) eight times beside and below one another, each with one
face of `aflw2000_dev` pasted into it. Photos: those of `wflw`, whole; their labels name the faces that the original
BlazeFace found in one look, so recall says only that nothing gets lost, and the number of faces what is new.
"""

import time
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from blazeposer.core.face import Face
from blazeposer.core.prepare import Image, square_crop
from blazeposer.core.rotation import Floats
from blazeposer.core.text import say
from blazeposer.evaluate.datasets.pool import TEST_POOL, data_folder, read_backgrounds, read_pool
from blazeposer.faces.detector import Detector

SIZES = (24, 34, 48, 68, 96, 136)
"""Pixels: limits of the classes of pasted faces, whose logarithms are spread evenly."""
SCENES = 40
PHOTOS = 200
SIDE = 480
"""Pixels of the photo behind one face."""
CROP = 1.8
"""Side of the pasted part, in longer sides of the face's box: the head, a little more."""
RIM = 0.06
"""Share of the pasted part that fades into the photo."""
Labelled = tuple[Image, Floats]
"""An image, and the boxes (n, 4) of its faces as x0, y0, x1, y1."""


def scenes(folder: Path) -> list[Labelled]:
    """Return the scenes with pasted faces."""
    rng, pool, photos = np.random.default_rng(0), read_pool(folder, TEST_POOL), read_backgrounds(folder, test=True)
    made = []
    for _ in range(SCENES):
        image, boxes = np.empty((2 * SIDE, 4 * SIDE, 3), np.uint8), []
        photo = photos[int(rng.integers(len(photos)))]
        for y in (0, SIDE):
            for x in range(0, 4 * SIDE, SIDE):
                face = int(rng.integers(len(pool)))
                size = float(np.exp(rng.uniform(*np.log([SIZES[0], SIZES[-1]]))))
                part, box = pasted(pool.images[pool.image_of[face]], pool.boxes[face], size, photo, rng)
                image[y : y + SIDE, x : x + SIDE] = part
                boxes.append(box + np.array([x, y, x, y]))
        made.append((image, np.array(boxes)))
    return made


def pasted(image: Image, box: Floats, size: float, photo: Image, rng: np.random.Generator) -> tuple[Image, Floats]:
    """Return the middle of a photo (480, 480, 3) with a face from an image somewhere in it, `size` pixels long, and
    the face's box (4,)."""
    scale, width = size / float((box[2:] - box[:2]).max()), round(size * CROP)
    if scale < 1:  # sampling would leave these details out
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.5 / scale), np.uint8)
    view = np.column_stack([np.eye(2) * scale, width / 2 - scale * (box[:2] + box[2:]) / 2])
    crop = cv2.warpAffine(image, view, (width, width), borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones(image.shape[:2], np.float32), view, (width, width))
    rim = max(2, round(RIM * width))
    inside = cv2.erode(cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT), np.ones((rim, rim), np.uint8))
    opacity = cv2.GaussianBlur(inside, (0, 0), rim / 3)[1:-1, 1:-1, None]

    behind, _ = square_crop(photo)
    picture = cv2.resize(behind, (SIDE, SIDE)).astype(np.float32)
    x, y = rng.integers(0, SIDE - width + 1, 2).tolist()
    part = picture[y : y + width, x : x + width]
    part += (crop - part) * opacity
    return picture.round().astype(np.uint8), box * scale + np.tile(view[:, 2] + (x, y), 2)


def photos(folder: Path) -> list[Labelled]:
    """Return whole photos of `wflw` with the faces that are labelled."""
    pool = read_pool(folder, "wflw")
    return [(image, pool.boxes[pool.image_of == index]) for index, image in enumerate(pool.images[:PHOTOS])]


def is_found(box: Floats, faces: list[Face]) -> bool:
    """Return whether the middle of a face is no farther from that of a box than 0.4 of its longer side."""
    middles = np.array([(x + w / 2, y + h / 2) for x, y, w, h in (face.box for face in faces)]).reshape(-1, 2)
    return bool((np.abs(middles - (box[:2] + box[2:]) / 2).max(1) < 0.4 * (box[2:] - box[:2]).max()).any())


def measure(name: str, images: list[Labelled]) -> None:
    """Print recall by size, faces that are not labelled, and seconds, of one look and of the search."""
    sizes = np.concatenate([(boxes[:, 2:] - boxes[:, :2]).max(1) for _, boxes in images])
    for fast in (True, False):
        detector, found, others, seconds = Detector(fast=fast), [], 0, 0.0
        for image, boxes in track(images, name):
            start = time.process_time()
            faces = detector(image)
            seconds += time.process_time() - start
            hits = [is_found(box, faces) for box in boxes]
            found += hits
            others += len(faces) - sum(hits)
        hit = np.array(found)
        say(f"{name}, {'one look' if fast else 'search'}: {hit.sum()} of {len(hit)} faces, {others} others in "
            f"{len(images)} images, {1000 * seconds / len(images):.0f} ms of processor time an image")  # fmt: skip
        for low, high in zip((0, *SIZES), (*SIZES, np.inf), strict=True):
            if (chosen := (sizes >= low) & (sizes < high)).any():
                say(f"    {low} to {high} pixels: {hit[chosen].mean():.3f} of {chosen.sum()}")


if __name__ == "__main__":
    data = data_folder(None)
    measure("scenes", scenes(data))
    measure("wflw", photos(data))
