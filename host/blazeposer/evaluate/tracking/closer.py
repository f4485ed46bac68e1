"""Measure the benefit of the closer look: labelled faces in photos without others, first detected, then tracked.

Each face stands still in a frame of 480x480 while the camera shakes by up to half a pixel and its sensor is noisy, for
`LOOKS` frames. The first frame is seen whole, which is the first detection; the others are seen as `CloserLook` likes,
and the last one counts as tracked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from rich.progress import track

from blazeposer.core.console import Console
from blazeposer.core.contract import SCORE_THRESHOLD
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.evaluate.datasets import Dataset
from blazeposer.evaluate.metrics import Floats, Scores, score
from blazeposer.evaluate.report import Table
from blazeposer.evaluate.tracking.steady import NOISE, SHIFT, noisy
from blazeposer.faces.closer import CloserLook
from blazeposer.faces.detector import Detector

SIDE = 480
SIZES = ((60, 80), (80, 100), (100, 130), (130, 160))
"""Ranges of the longer side of the label's box in the frame, pixels; faces are spread evenly over all of them."""
LOOKS = 6
CROP = 1.8
"""Side of what is pasted, in longer sides of the face's box: the head, a little more."""
RIM = 0.06
"""Of it fades into the photo."""


@dataclass(frozen=True)
class Scene:
    """A face in a photo. `picture` is (480, 480, 3) RGB, `box` x0, y0, x1, y1 in pixels."""

    picture: Image
    box: Floats
    size: float

    def frames(self, rng: np.random.Generator) -> Iterator[tuple[Image, Floats]]:
        """Yield the camera's images of it, and the face's box in each."""
        for _ in range(LOOKS):
            shift = rng.uniform(-SHIFT, SHIFT, 2)
            moved = cv2.warpAffine(
                self.picture, np.column_stack([np.eye(2), shift]), (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE
            )
            yield noisy(np.asarray(moved, np.uint8), NOISE, rng), self.box + np.tile(shift, 2)


@dataclass(frozen=True)
class Gain:
    """Scores of all faces when first seen and when tracked, their sizes (n,), and how many boxes were wrong."""

    first: Scores
    tracked: Scores
    sizes: Floats
    wrong: tuple[int, int]

    def within(self, low: float, high: float) -> tuple[Scores, Scores]:
        """First seen and tracked, of the faces of a range of sizes."""
        keep = (self.sizes >= low) & (self.sizes < high)
        return self.first.of(keep), self.tracked.of(keep)


def pasted(image: Image, box: Floats, size: float, photo: Image, rng: np.random.Generator) -> Scene:
    """The face in a box of an image, `size` pixels long, somewhere in a photo."""
    longer = float((box[2:] - box[:2]).max())
    scale, width = size / longer, round(size * CROP)
    if scale < 1:  # what sampling would leave out
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.5 / scale), np.uint8)
    view = np.column_stack([np.eye(2) * scale, width / 2 - scale * (box[:2] + box[2:]) / 2])
    crop = cv2.warpAffine(image, view, (width, width), borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones(image.shape[:2], np.float32), view, (width, width))
    rim = max(2, round(RIM * width))
    inside = cv2.erode(cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT), np.ones((rim, rim), np.uint8))
    opacity = cv2.GaussianBlur(inside, (0, 0), rim / 3)[1:-1, 1:-1, None]

    picture = _square(photo).astype(np.float32)
    x, y = rng.integers(0, SIDE - width + 1, 2).tolist()
    part = picture[y : y + width, x : x + width]
    part += (crop - part) * opacity
    return Scene(picture.round().astype(np.uint8), box * scale + np.tile(view[:, 2] + (x, y), 2), size)


def measure(dataset: Dataset, photos: Sequence[Image], detector: Detector, seed: int = 0) -> Gain:
    """First detections and tracked ones of every face of a data set with poses."""
    rng = np.random.default_rng(seed)
    first: list[Face | None] = []
    tracked: list[Face | None] = []
    sizes = []
    wrong = [0, 0]
    for sample in track(dataset.samples, description="closer look", console=Console(stderr=True)):
        for label in sample.boxes:
            size = float(rng.uniform(SIZES[0][0], SIZES[-1][1]))
            scene = pasted(sample.load(), label, size, photos[int(rng.integers(len(photos)))], rng)
            look = CloserLook(detector)
            views = [(look(frame), box) for frame, box in scene.frames(rng)]
            for which, found in enumerate((first, tracked)):
                faces, box = views[-which]
                answer = dataset.rule.choose([face.moved(0, 0, 1 / SIDE, 1 / SIDE) for face in faces], box / SIDE)
                found.append(answer)
                wrong[which] += len(faces) - (answer is not None)
            sizes.append(size)
    rotations, angles = dataset.rotations, dataset.angles
    return Gain(
        score(first, rotations, angles), score(tracked, rotations, angles), np.array(sizes), (wrong[0], wrong[1])
    )


def table(gain: Gain, title: str) -> Table:
    """Two rows for each range of sizes."""
    rule = f"new faces: score >= {SCORE_THRESHOLD}; degrees; 'both': faces that both rows found"
    wrong = f"wrong boxes on {len(gain.sizes)} pictures: {gain.wrong[0]} at first, {gain.wrong[1]} tracked"
    rows = []
    for low, high in SIZES:
        pair = gain.within(low, high)
        both = pair[0].found & pair[1].found
        for name, scores in zip(("first detection", "tracked"), pair, strict=True):
            rows.append([
                f"{low}-{high} px", str(len(both)), name, str(scores.found.sum()), f"{scores.recall:.3f}",
                f"{scores.mean:.2f}", f"{scores.mean_geodesic:.2f}", str(both.sum()), f"{scores.of(both).mean:.2f}",
            ])  # fmt: skip
    head = ("face", "N", "", "found", "recall", "MAE", "geodesic", "both", "MAE of both")
    return Table(head, rows, title, f"{rule}\n{wrong}")


def _square(photo: Image) -> Image:
    """The middle of a photo, as large as a frame."""
    height, width = photo.shape[:2]
    scale = SIDE / min(height, width)
    size = max(SIDE, round(width * scale)), max(SIDE, round(height * scale))
    x, y = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    return np.asarray(cv2.resize(photo, size)[y : y + SIDE, x : x + SIDE], np.uint8)
