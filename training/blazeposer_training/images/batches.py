"""Make batches of training images and of validation images.

With the same data and settings, the batch of a training step depends only on the seed and on the step's number. The
number of processes does not change the batch. A stopped training can continue with exactly the batches that it would
have got without the stop.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from blazeposer.core.contract import INPUT_SIZE
from blazeposer.core.rotation import mirror_rotation

from .augment import (
    UPSIDE_DOWN,
    Placements,
    Views,
    bulged_points,
    disturbed,
    moved_points,
    moved_rotations,
    random_placements,
    render,
    transforms,
    validation_placements,
)
from .bank import Bank, Floats
from .relight import Light, relight
from .settings import ImageSettings

MOST_TURN = 100.0
"""Largest turn in the image's plane, in degrees, of a face that trains the pose."""
TRUSTED_SPREAD = 4.0
"""Uncertainty of a label, in degrees, that halves the weight of the label. The uncertainty (`Bank.spread`) is the
difference between several predictions of the label."""
COVERED = (0.1, 0.5)
"""Smallest and largest part of a face's box that a rectangle covers."""

T = TypeVar("T", Placements, Views, Light)


@dataclass
class Batch:
    """Images and their labels for training or validation, in the memory of one device.

    - `pictures` (N, 128, 128, 3) contains the images as uint8.
    - `rotations` (N, 3, 3) contains the rotation matrices of the faces.
    - `weights` (N,) says how strongly each label trains the pose. `trust` (N,) says how strongly each label trains the
      expected error. For a face that is turned by 100 degrees or more, the weight in `weights` is 0.
    - `boxes` (N, 4) and `landmarks` (N, 68, 2) are fractions of the image's side. A row of `boxes` contains x0, y0, x1
      and y1.
    - `spread` (N,) is the uncertainty of each label in degrees, as in `Bank`.
    - `silent` (N, 4) contains boxes in which the network learns not to find a face, even if BlazeFace finds a face
      there. For an upside-down face, the box in `silent` is the box around the head. For an image without any face, the
      box is the whole image. For all other images, the values of the box are 0.
    - `pairs` is the number of pairs of images at the start of the batch. The first two images are a pair, the next two
      images are a pair, and so on. The second image of each pair is the mirror image of the first.
    - `taught` contains BlazeFace's outputs or feature maps for the images, which the network learns to imitate. If
      there is no `Teacher`, `taught` is empty.

    For an image that shows only a background, `boxes`, `weights`, `trust`, `spread` and `landmarks` are 0.
    """

    pictures: Tensor
    rotations: Tensor
    boxes: Tensor
    weights: Tensor
    trust: Tensor
    spread: Tensor
    landmarks: Tensor
    silent: Tensor
    pairs: int = 0
    taught: tuple[Tensor, ...] = ()


Teacher = Callable[[Tensor], tuple[Tensor, ...]]
"""Function that returns BlazeFace's outputs or feature maps for the images of a batch."""


class TrainingBatches(Dataset[Batch]):
    """Sequence of training batches with `size` images each. Item n is the batch of the step `steps[n]`."""

    def __init__(
        self, bank: Bank, size: int, steps: range, seed: int, settings: ImageSettings,
        teacher: Teacher | None = None,
    ) -> None:  # fmt: skip
        self.bank, self.size, self.steps, self.seed = bank, size, steps, seed
        self.settings, self.teacher = settings, teacher
        self.chances = np.cumsum(balance(bank.angles, settings.balance))

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, item: int) -> Batch:
        if item >= len(self.steps):
            raise IndexError(item)
        rng, count = np.random.default_rng((self.seed, self.steps[item])), self.size
        faces = np.searchsorted(self.chances, rng.random(count) * self.chances[-1], side="right")
        settings = self.settings
        placements = random_placements(rng, count, settings)
        views = Views.random(rng, count, len(self.bank.backgrounds), settings.photos, settings.unlabelled)
        light = Light.random(rng, count, settings.light, settings.blur)
        placements = disturbed(placements, rng, settings)
        light = cover_faces(light, placements, rng, settings.covered)
        rows = np.arange(count)
        twins = (rows % 2 == 1) & (rows < 2 * round(settings.mirrored * count))
        own = np.flatnonzero(~twins)
        batch = make_batch(self.bank, faces[own], _part(placements, own), _part(views, own), _part(light, own))
        if twins.any():
            batch = with_mirrored(batch, twins)
        return replace(batch, taught=self.teacher(batch.pictures)) if self.teacher else batch


def training_batches(
    bank: Bank, size: int, steps: range, seed: int, settings: ImageSettings,
    workers: int = 0, teacher: Teacher | None = None,
) -> Iterator[Batch]:  # fmt: skip
    """Return the batches of the training steps `steps`, in the memory of the bank's device. `workers` processes make
    the batches in advance. If there is a `teacher`, each batch also contains the result of `teacher`."""
    batches = TrainingBatches(bank, size, steps, seed, settings, teacher)
    loader = DataLoader(batches, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None)
    return iter(loader)


def with_mirrored(batch: Batch, twins: NDArray[np.bool_]) -> Batch:
    """Return a batch with all images of `batch` and with mirror images. If `twins[i]` is True, image i of the returned
    batch is the mirror image of image i - 1."""
    source = torch.from_numpy(np.cumsum(~twins) - 1)
    flipped = torch.from_numpy(np.flatnonzero(twins))
    rows: dict[str, Any] = {
        name: value[source.to(value.device)]
        for name, value in vars(batch).items()
        if isinstance(value, Tensor)
    }  # fmt: skip
    last = 1 - 1 / INPUT_SIZE  # mirrored coordinate of 0, the centre of the first pixel
    rows["pictures"][flipped] = rows["pictures"][flipped].flip(2)
    rotations = mirror_rotation(rows["rotations"][flipped].cpu().numpy())
    rows["rotations"][flipped] = torch.from_numpy(rotations).to(rows["rotations"])
    for name in ("boxes", "silent"):
        x0, y0, x1, y1 = rows[name][flipped].unbind(1)
        there = (x1 > x0)[:, None]  # boxes without a face stay 0
        rows[name][flipped] = torch.stack([last - x1, y0, last - x0, y1], dim=1) * there
    landmarks = rows["landmarks"][flipped]
    landmarks[..., 0] = (last - landmarks[..., 0]) * landmarks.any(dim=2)
    rows["landmarks"][flipped] = landmarks
    return Batch(**rows, pairs=len(flipped))


def validation_batches(bank: Bank, size: int) -> Iterator[Batch]:
    """Yield the validation batches, which are the same at every call. The batches contain every face of `bank` once,
    with positions and sizes that are typical of the data set AFLW2000."""
    rng, count = np.random.default_rng(0), len(bank)
    placements = validation_placements(rng, count)
    views = Views.random(rng, count, len(bank.backgrounds), 0.5, 0.0)
    faces = np.arange(count)
    for start in range(0, count, size):
        part = slice(start, start + size)
        yield make_batch(bank, faces[part], _part(placements, part), _part(views, part), None)


def disturbed_batches(bank: Bank, size: int, settings: ImageSettings) -> Iterator[Batch]:
    """Yield disturbed validation batches, which are the same at every call. The batches contain every face of `bank`
    once. The faces are placed, turned and disturbed as in training, but with a share `upside_down` of 0."""
    rng, count = np.random.default_rng(1), len(bank)
    settings = replace(settings, upside_down=0.0)  # the network must not find faces that are upside down
    placements = disturbed(random_placements(rng, count, settings), rng, settings)
    views = Views.random(rng, count, len(bank.backgrounds), settings.photos, 0.0)
    light, faces = Light.random(rng, count, settings.light, settings.blur), np.arange(count)
    light = cover_faces(light, placements, rng, settings.covered)
    for start in range(0, count, size):
        part = slice(start, start + size)
        yield make_batch(bank, faces[part], _part(placements, part), _part(views, part), _part(light, part))


def make_batch(
    bank: Bank, faces: NDArray[np.int64], placements: Placements, views: Views, light: Light | None
) -> Batch:
    """Return a batch of training images with labels. `faces` (N,) contains the indices of the faces in `bank`. If
    `light` is None, the images are not disturbed."""
    boxes, bulge = bank.boxes[faces], placements.bulge
    matrices, points = transforms(boxes, placements), bank.landmarks[faces]
    if bulge.any():
        points = bulged_points(points, boxes, bulge)
    points = moved_points(points, matrices)
    pictures = render(bank, faces, matrices, views, bulge)
    pictures = relight(pictures, light, points) if light else pictures.round_().to(torch.uint8)
    landmarks = points / INPUT_SIZE
    spread = bank.spread[faces]
    trust = 1 / (1 + (spread / TRUSTED_SPREAD) ** 2)
    rotations = moved_rotations(bank.rotations[faces], placements)
    turn = np.abs(np.degrees(np.arctan2(rotations[:, 0, 1], rotations[:, 1, 1])))
    face_boxes = np.concatenate([landmarks.min(axis=1), landmarks.max(axis=1)], axis=1)
    empty = views.unlabelled & (views.background < bank.faceless)
    silent = np.where(empty[:, None], [0, 0, 1, 1], _grown(face_boxes) * (turn >= UPSIDE_DOWN)[:, None])
    silent *= (empty | ~views.unlabelled)[:, None]

    def label(values: Floats) -> Tensor:
        there = ~views.unlabelled.reshape(-1, *[1] * (values.ndim - 1))
        return torch.from_numpy((values * there).astype(np.float32)).to(pictures.device)

    rotations = np.where(views.unlabelled[:, None, None], np.eye(3), rotations)
    return Batch(
        pictures=pictures.permute(0, 2, 3, 1).contiguous(),
        rotations=torch.from_numpy(rotations.astype(np.float32)).to(pictures.device),
        boxes=label(face_boxes),
        weights=label((turn < MOST_TURN) * trust),
        trust=label(trust),
        spread=label(spread),
        landmarks=label(landmarks),
        silent=torch.from_numpy(silent.astype(np.float32)).to(pictures.device),
    )


def _grown(boxes: Floats) -> Floats:
    """Enlarge boxes (N, 4) of faces to 1.5 times the width and height, so that each box contains a whole head."""
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, 0.75 * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([middle - half, middle + half], axis=1)


def balance(angles: Floats, exponent: float) -> Floats:
    """Return the probability (N,) with which each face is chosen for an image. The function counts the faces in cells
    of 15 degrees of |yaw| and 15 degrees of pitch. The probability is proportional to n ** -exponent, where n is the
    number of faces in the face's cell, or 20 if the cell has fewer faces."""
    cells = np.floor(np.column_stack([np.abs(angles[:, 0]), angles[:, 1]]) / 15).astype(int)
    _, inverse, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    chances = np.maximum(counts[inverse.ravel()], 20) ** -exponent
    return np.asarray(chances / chances.sum())


def cover_faces(light: Light, placements: Placements, rng: np.random.Generator, share: float) -> Light:
    """Return a copy of `light` in which rectangles cover a part of some faces. `share` is the fraction of these
    faces."""
    if not share:
        return light
    covered, part = rng.random(len(placements.size)) < share, rng.uniform(*COVERED, len(placements.size))
    half = placements.size / 2
    reach = half * (1 - np.sqrt(part))
    across, down = (middle + reach * rng.uniform(-1, 1, len(reach)) for middle in (placements.x, placements.y))
    middles, sides = np.column_stack([across, down]), (half * np.sqrt(part))[:, None]
    boxes = np.round(INPUT_SIZE * np.concatenate([middles - sides, middles + sides], axis=1)).astype(np.int64)
    return replace(light, rectangle=np.where(covered[:, None], boxes, light.rectangle))


def _part(record: T, rows: slice | NDArray[np.int64]) -> T:
    """Copy a dataclass object, and keep only the given rows of each field in the copy."""
    return type(record)(**{field.name: getattr(record, field.name)[rows] for field in fields(record)})
