"""Batches of training pictures: which face comes when, placed how; and the fixed validation pictures.

Step n of a seed is the same batch on every machine and any number of processes, whenever it is asked for, so that a
training that was stopped goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from blazeposer.core.contract import INPUT_SIZE

from .augment import (
    PHOTO_SHARE,
    Floats,
    Placements,
    Views,
    moved_points,
    moved_rotations,
    random_placements,
    render,
    transforms,
    validation_placements,
)
from .bank import Bank
from .relight import Light, relight

UNLABELLED_SHARE = 0.35
"""Share of pictures of a background alone. Half of these are scenes with people: without them the detector's average
precision falls behind the original's by 2 to 5 %. A third are collages of faces, since scenes are few, and the others
places without faces, to keep its quiet in."""
TRUSTED_SPREAD = 4.0
"""A label whose teachers differ by this many degrees weighs half as much as a sure one."""

T = TypeVar("T", Placements, Views, Light)


@dataclass
class Batch:
    """Pictures uint8 (N, 128, 128, 3) and their labels, on one device.

    Rotations (N, 3, 3); boxes (N, 4) x0, y0, x1, y1 and landmarks (N, 68, 2) as fractions of the side; weights (N,);
    spread (N,), the teachers' disagreement in degrees. All but rotations are 0 where there is no face.
    """

    pictures: Tensor
    rotations: Tensor
    boxes: Tensor
    weights: Tensor
    spread: Tensor
    landmarks: Tensor


class TrainingBatches(Dataset[Batch]):
    """Item n is the `share` of batch `steps[n]` of the stream that `seed` names, `size` pictures a batch in all."""

    def __init__(self, bank: Bank, size: int, steps: range, seed: int, share: slice = slice(None)) -> None:
        self.bank, self.size, self.steps, self.seed, self.share = bank, size, steps, seed, share
        self.chances = np.cumsum(balance(bank.angles))

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, item: int) -> Batch:
        if item >= len(self.steps):
            raise IndexError(item)
        rng, count = np.random.default_rng((self.seed, self.steps[item])), self.size
        # all is drawn for the whole batch, so that a share of it does not depend on the others
        faces = np.searchsorted(self.chances, rng.random(count) * self.chances[-1], side="right")
        placements = random_placements(rng, count)
        views = Views.random(rng, count, len(self.bank.backgrounds), PHOTO_SHARE, UNLABELLED_SHARE)
        light = Light.random(rng, count)
        share = self.share
        return make_batch(self.bank, faces[share], _part(placements, share), _part(views, share), _part(light, share))


def training_batches(
    bank: Bank, size: int, steps: range, seed: int, share: slice = slice(None), workers: int = 0
) -> Iterator[Batch]:
    """The batches of `steps`, made where the bank is, by `workers` processes of one thread each ahead of need."""
    batches = TrainingBatches(bank, size, steps, seed, share)
    loader = DataLoader(batches, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None)
    return iter(loader)


def validation_batches(bank: Bank, size: int) -> Iterator[Batch]:
    """Every face of the bank once, placed as AFLW2000's are, over photographic or plain rims; always the same."""
    rng, count = np.random.default_rng(0), len(bank)
    placements = validation_placements(rng, count)
    views = Views.random(rng, count, len(bank.backgrounds), 0.5, 0.0)
    faces = np.arange(count)
    for start in range(0, count, size):
        part = slice(start, start + size)
        yield make_batch(bank, faces[part], _part(placements, part), _part(views, part), None)


def make_batch(
    bank: Bank, faces: NDArray[np.int64], placements: Placements, views: Views, light: Light | None
) -> Batch:
    """The pictures of `faces` (N,) and the labels that go with them; without `light` as the photos have it."""
    matrices = transforms(bank.boxes[faces], placements)
    points = moved_points(bank.landmarks[faces], matrices)
    pictures = render(bank, faces, matrices, views)
    pictures = relight(pictures, light, points) if light else pictures.round_().to(torch.uint8)
    landmarks = points / INPUT_SIZE
    spread = bank.spread[faces]

    def label(values: Floats) -> Tensor:
        there = ~views.unlabelled.reshape(-1, *[1] * (values.ndim - 1))
        return torch.from_numpy((values * there).astype(np.float32)).to(pictures.device)

    rotations = np.where(views.unlabelled[:, None, None], np.eye(3), moved_rotations(bank.rotations[faces], placements))
    return Batch(
        pictures=pictures.permute(0, 2, 3, 1).contiguous(),
        rotations=torch.from_numpy(rotations.astype(np.float32)).to(pictures.device),
        boxes=label(np.concatenate([landmarks.min(axis=1), landmarks.max(axis=1)], axis=1)),
        weights=label(1 / (1 + (spread / TRUSTED_SPREAD) ** 2)),
        spread=label(spread),
        landmarks=label(landmarks),
    )


def balance(angles: Floats) -> Floats:
    """Chance (N,) of each face: the inverse square root of how many share its cell of 15 degrees of |yaw| by 15 of
    pitch, so that turned and tilted heads are seen more often without frontal ones being lost."""
    cells = np.floor(np.column_stack([np.abs(angles[:, 0]), angles[:, 1]]) / 15).astype(int)
    _, inverse, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    chances = 1 / np.sqrt(np.maximum(counts[inverse.ravel()], 20))
    return np.asarray(chances / chances.sum())


def _part(record: T, rows: slice) -> T:
    """The rows of a record of arrays."""
    return type(record)(**{field.name: getattr(record, field.name)[rows] for field in fields(record)})
