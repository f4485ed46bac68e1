"""Batches of training pictures: which face comes when, placed how; and the fixed validation pictures.

Step n of a seed is the same batch on every machine, whenever it is asked for, so that a training that was stopped goes
on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from blazeposer.contract import INPUT_SIZE
from blazeposer.prepare import Image

from .augment import (
    moved_points,
    moved_rotation,
    place,
    random_crop,
    random_placement,
    relight,
    transform,
    validation_placement,
)
from .data import Pool

EMPTY_SHARE = 0.06
"""Share of pictures without a face, so that the detector keeps its quiet."""
PHOTO_BACKGROUND_SHARE = 0.45
"""Share of pictures whose rim beyond the photo's edge is another photo."""
TRUSTED_SPREAD = 4.0
"""A label whose teachers differ by this many degrees weighs half as much as a sure one."""


@dataclass
class Batch:
    """Pictures uint8 (N, 128, 128, 3); rotations (N, 3, 3); boxes (N, 4) x0, y0, x1, y1 as fractions of the side;
    weights (N,), 0 where there is no face."""

    pictures: Tensor
    rotations: Tensor
    boxes: Tensor
    weights: Tensor


class TrainingBatches(Dataset[Batch]):
    """Item n is batch n of the stream that `seed` names."""

    def __init__(self, pool: Pool, backgrounds: list[Image], size: int, steps: range, seed: int) -> None:
        cv2.setNumThreads(1)
        self.pool, self.backgrounds, self.size, self.steps, self.seed = pool, backgrounds, size, steps, seed
        self.rotations = pool.rotations
        self.weights = 1 / (1 + (pool.spread / TRUSTED_SPREAD) ** 2)
        self.chances = np.cumsum(balance(pool.angles))

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, item: int) -> Batch:
        if item >= len(self.steps):
            raise IndexError(item)
        rng = np.random.default_rng((self.seed, self.steps[item]))
        return collate([self._sample(rng) for _ in range(self.size)])

    def _sample(self, rng: np.random.Generator) -> Sample:
        background = self.backgrounds[rng.integers(len(self.backgrounds))]
        if rng.random() < EMPTY_SHARE:
            return Sample(relight(random_crop(background, rng), rng), np.eye(3), np.zeros(4), 0.0)
        face = int(np.searchsorted(self.chances, rng.random() * self.chances[-1]))
        placement = random_placement(rng)
        matrix = transform(self.pool.boxes[face], placement)
        photo = self.pool.images[self.pool.image_of[face]]
        rim = background if rng.random() < PHOTO_BACKGROUND_SHARE else None
        picture = relight(place(photo, matrix, rim, rng), rng)
        rotation = moved_rotation(self.rotations[face], placement)
        return Sample(picture, rotation, moved_box(self.pool, face, matrix), float(self.weights[face]))


@dataclass
class Sample:
    """One row of a Batch."""

    picture: Image
    rotation: NDArray[np.float64]
    box: NDArray[np.float64]
    weight: float


def collate(samples: list[Sample]) -> Batch:
    return Batch(
        torch.from_numpy(np.stack([s.picture for s in samples])),
        torch.from_numpy(np.stack([s.rotation for s in samples]).astype(np.float32)),
        torch.from_numpy(np.stack([s.box for s in samples]).astype(np.float32)),
        torch.tensor([s.weight for s in samples], dtype=torch.float32),
    )


def moved_box(pool: Pool, face: int, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tight box of the 68 landmarks after the transform, as fractions of the side."""
    points = moved_points(pool.landmarks[face], matrix) / INPUT_SIZE
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def balance(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chance (N,) of each face: the inverse square root of how many share its cell of 15 degrees of |yaw| by 15 of
    pitch, so that turned and tilted heads are seen more often without frontal ones being lost."""
    cells = np.floor(np.column_stack([np.abs(angles[:, 0]), angles[:, 1]]) / 15).astype(int)
    _, inverse, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    chances = 1 / np.sqrt(np.maximum(counts[inverse.ravel()], 20))
    return np.asarray(chances / chances.sum())


def training_batches(
    pool: Pool, backgrounds: list[Image], size: int, steps: range, seed: int, workers: int
) -> Iterator[Batch]:
    """The batches of `steps`, made by `workers` processes ahead of need."""
    batches = TrainingBatches(pool, backgrounds, size, steps, seed)
    loader = DataLoader(batches, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None)
    return iter(loader)


def validation_batches(pool: Pool, backgrounds: list[Image], size: int, seed: int = 0) -> Iterator[Batch]:
    """Every face of the pool once, placed as AFLW2000's are, over photographic or plain rims; always the same."""
    rotations = pool.rotations
    for start in range(0, len(pool), size):
        samples = []
        for face in range(start, min(start + size, len(pool))):
            rng = np.random.default_rng((seed, face))
            placement = validation_placement(rng)
            matrix = transform(pool.boxes[face], placement)
            rim = backgrounds[rng.integers(len(backgrounds))] if rng.random() < 0.5 else None
            picture = place(pool.images[pool.image_of[face]], matrix, rim, rng)
            samples.append(Sample(picture, rotations[face], moved_box(pool, face, matrix), 1.0))
        yield collate(samples)
