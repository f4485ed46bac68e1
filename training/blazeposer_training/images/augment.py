"""Make training images of labelled faces. One computation places, turns and mirrors all faces of a batch.

Each training image has one similarity transform, which changes the photo, the face's landmarks and the face's rotation
matrix R. If the transform mirrors the photo, R becomes F R F, with F = diag(-1, 1, 1). If the transform turns the photo
clockwise by the angle t, R becomes Rz(t) R. The module `blazeposer.core.rotation` defines R and Rz. All random numbers
come from numpy, because numpy's random numbers do not depend on the device.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from blazeposer.core.contract import INPUT_SIZE
from blazeposer.core.rotation import mirror_rotation, turn_rotation

from .bank import SIDE, Bank, Floats
from .settings import ImageSettings

BLACK, REPLICATED, REFLECTED, PHOTO = range(4)
"""Names of the ways to fill the area of a training image beyond the edge of its photo."""
NEAR_SIZES = (0.4, 1.15)
"""Smallest and largest size of a face that is near the camera or cut by the image's edge, as fractions of the image's
side."""
MOST_CUT = 0.3
"""Largest part of a cut face that is beyond the image's edge, horizontally or vertically."""
UPSIDE_DOWN = 110.0
"""Smallest turn in degrees at which a face counts as upside down."""
BULGE_FROM, MOST_BULGE, BULGE_RADIUS = 0.4, 0.3, 0.6
"""Settings of the bulge, which magnifies the middle of a face as in a photo from a short distance.

`BULGE_FROM` is the size of the smallest face that bulges, as a fraction of the image's side. `MOST_BULGE` is the
largest strength of a bulge. This strength makes a photo from a distance of one metre look like a photo from 25 cm.
`BULGE_RADIUS` is the radius of a circle around the middle of the face, as a multiple of the longer side of the face's
box. Points outside of the circle do not move.
"""

BACKGROUND_SIDES = (0.5, 1.3)
"""Smallest and largest side of the visible square of a background, as factors on the background's side. If the factor
is larger than 1, the edge of the background is repeated, and people in the background become small."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Placements:
    """The places of N faces in their training images. Each field has the shape (N,). The landmark box of a face is the
    smallest box around the face's 68 landmarks."""

    size: Floats
    """Longer side of the landmark box, as a fraction of the image's side."""
    x: Floats
    y: Floats
    """Vertical centre of the landmark box, as a fraction of the image's side."""
    clockwise: Floats
    """Turn of the face on the screen, in degrees clockwise."""
    mirrored: Bools
    bulge: Floats
    """Strength of the face's bulge, 0 to `MOST_BULGE`."""


def random_placements(rng: np.random.Generator, count: int, settings: ImageSettings) -> Placements:
    """Choose random placements. The share `settings.usual` of the faces gets positions and sizes that are typical of
    the data set AFLW2000. All other faces can be anywhere in the image, with a size from 20 pixels to 0.75 of the
    image's side."""
    usual = rng.random(count) < settings.usual
    low, high = np.where(usual, 0.25, 20 / INPUT_SIZE), np.where(usual, 0.55, 0.75)
    size = np.exp(rng.uniform(np.log(low), np.log(high)))
    reach = np.maximum(0.5 - 0.55 * size, 0) * np.where(usual, 0.35, 1.0)  # so that the face stays inside the image
    x, y = 0.5 + reach * rng.uniform(-1, 1, (2, count))
    turn = np.clip(rng.normal(0, settings.turn, count), -45, 45)
    return Placements(size, x, y, turn, rng.random(count) < 0.5, np.zeros(count))


def disturbed(placements: Placements, rng: np.random.Generator, settings: ImageSettings) -> Placements:
    """Return placements in which some faces are near the camera, cut by the image's edge, turned, upside down or
    bulging. All other faces keep their placement."""
    count = len(placements.size)
    near = rng.random(count) < settings.near
    size = np.where(near, np.exp(rng.uniform(np.log(NEAR_SIZES[0]), np.log(NEAR_SIZES[1]), count)), placements.size)
    reach = np.maximum(0.5 - 0.5 * size, 0) + MOST_CUT * size
    x, y = np.where(near, 0.5 + reach * rng.uniform(-1, 1, (2, count)), (placements.x, placements.y))
    kind, most = rng.random(count), settings.turned_most
    turned = kind < settings.turned
    upside_down = ~turned & (kind < settings.turned + settings.upside_down)
    turn = np.where(turned, rng.uniform(-most, most, count), placements.clockwise)
    turn = np.where(upside_down, 180 + rng.uniform(-1, 1, count) * (180 - UPSIDE_DOWN), turn)
    bulges = (rng.random(count) < settings.perspective) & (size > BULGE_FROM)
    return Placements(size, x, y, turn, placements.mirrored, bulges * rng.uniform(0, MOST_BULGE, count))


def validation_placements(rng: np.random.Generator, count: int) -> Placements:
    """Choose random placements that are typical of the faces in the data set AFLW2000."""
    x, y = 0.5 + rng.uniform(-0.06, 0.06, (2, count))
    return Placements(rng.uniform(0.26, 0.50, count), x, y, np.zeros(count), np.zeros(count, bool), np.zeros(count))


def transforms(boxes: Floats, placements: Placements) -> Floats:
    """Return affine transforms (N, 2, 3) from the pixels of photos to the pixels of training images. `boxes` (N, 4)
    contains the boxes of the faces in the photos."""
    scale = placements.size * INPUT_SIZE / (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    turn = np.radians(placements.clockwise)
    flip = np.where(placements.mirrored, -1.0, 1.0)
    # y points down, so this matrix turns clockwise on the screen. The image is mirrored before the turn.
    rows = [[np.cos(turn) * flip, -np.sin(turn)], [np.sin(turn) * flip, np.cos(turn)]]
    linear = scale[:, None, None] * np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
    target = np.stack([placements.x, placements.y], axis=-1) * INPUT_SIZE
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.concatenate([linear, target[..., None] - linear @ middle[..., None]], axis=-1)


def bulged_points(points: Floats, boxes: Floats, bulge: Floats) -> Floats:
    """Return the positions (N, P, 2) to which the bulges of faces move the points `points` (N, P, 2) in photos. This
    function is the inverse of `_bulged`."""
    middle, radius = _circles(boxes)
    away = (points - middle[:, None]) / radius[:, None, None]
    length = np.linalg.norm(away, axis=-1, keepdims=True)
    seen = length
    for _ in range(8):  # solves length = seen (1 - bulge (1 - seen^2))
        seen = length / (1 - bulge[:, None, None] * (1 - np.minimum(seen, 1) ** 2))
    return middle[:, None] + away * np.where(length > 0, seen / np.maximum(length, 1e-9), 1) * radius[:, None, None]


def _bulged(source: Tensor, boxes: Floats, bulge: Floats) -> Tensor:
    """Return the points (n, 128, 128, 2) at which photos are sampled to make the faces bulge. Without bulges, the
    photos would be sampled at the points `source`."""
    middle, radius = (_to(values, source.device) for values in _circles(boxes))
    away = (source - middle[:, None, None]) / radius[:, None, None, None]
    rest = 1 - away.square().sum(-1, keepdim=True).clamp(max=1)
    shrunk = away * (1 - _to(bulge, source.device)[:, None, None, None] * rest)
    return middle[:, None, None] + shrunk * radius[:, None, None, None]


def _circles(boxes: Floats) -> tuple[Floats, Floats]:
    """Return the centres (N, 2) and the radii (N,) of the circles in which the faces bulge."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2, BULGE_RADIUS * (boxes[:, 2:] - boxes[:, :2]).max(axis=1)


def moved_points(points: Floats, matrices: Floats) -> Floats:
    """Convert points (N, P, 2) from pixels of the photos to pixels of the training images."""
    return points @ matrices[:, :, :2].swapaxes(1, 2) + matrices[:, None, :, 2]


def moved_rotations(rotations: Floats, placements: Placements) -> Floats:
    """Convert rotation matrices (N, 3, 3) of faces in the photos to rotation matrices of the same faces in the training
    images, which can be mirrored and turned."""
    mirrored = np.where(placements.mirrored[:, None, None], mirror_rotation(rotations), rotations)
    return turn_rotation(mirrored, placements.clockwise)


@dataclass(frozen=True)
class Views:
    """The settings with which N training images are computed from photos. Each field has a shape (N, ...)."""

    rim: NDArray[np.int64]
    """Content beyond the photo's edge. The values are BLACK, REPLICATED, REFLECTED and PHOTO."""
    smooth: Bools
    """True if neighbouring pixels of a photo are averaged before the photo is shrunk. False if the photo is shrunk
    without averaging, as in a camera's bilinear scaling."""
    background: NDArray[np.int64]
    crop: Floats
    """Visible square of the background (N, 3): x, y and side, as fractions of the background's side."""
    flipped: Bools
    """True if the visible square of the background is mirrored."""
    unlabelled: Bools
    """True if the image shows only the background, without the face."""

    @staticmethod
    def random(rng: np.random.Generator, count: int, backgrounds: int, photos: float, unlabelled: float) -> "Views":
        """Choose random settings. `photos` is the share of images in which another photo fills the area around the
        face's photo. `unlabelled` is the share of images that show only a background."""
        plain = rng.choice([BLACK, REPLICATED, REFLECTED], count, p=[0.4, 0.35, 0.25])
        side = rng.uniform(*BACKGROUND_SIDES, count)
        corner = rng.random((2, count)) * (1 - side)
        return Views(
            rim=np.where(rng.random(count) < photos, PHOTO, plain),
            smooth=rng.random(count) < 0.6,
            background=rng.integers(0, backgrounds, count),
            crop=np.stack([*corner, side], axis=-1),
            flipped=rng.random(count) < 0.5,
            unlabelled=rng.random(count) < unlabelled,
        )


def render(bank: Bank, faces: NDArray[np.int64], matrices: Floats, views: Views, bulge: Floats) -> Tensor:
    """Return training images (N, 3, 128, 128) as floats from 0 to 255. `faces` (N,) contains the indices of the faces
    in `bank`. `matrices` (N, 2, 3) contains the affine transforms that place the faces."""
    device = bank.textures.device
    inverse = np.linalg.inv(matrices[:, :, :2])
    back = np.concatenate([inverse, -inverse @ matrices[:, :, 2:]], axis=-1)
    at = torch.arange(INPUT_SIZE, device=device, dtype=torch.float32)
    across, down, start = _to(back, device)[:, None, None].unbind(-1)
    source = across * at[:, None] + (down * at[:, None, None] + start)  # (N, 128, 128, 2) pixels of the photo
    if bulge.any():
        rows = _rows(bulge > 0, device)
        source[rows] = _bulged(source[rows], bank.boxes[faces][bulge > 0], bulge[bulge > 0])
    last = _to(bank.sizes[faces] - 1, device)[:, None, None]

    scale = np.hypot(matrices[:, 0, 0], matrices[:, 1, 0])
    # distance in image pixels from the photo's edge inwards, to make the edge soft
    depth = torch.minimum(source, last - source).amin(-1).add_(0.5) * _to(scale, device)[:, None, None]
    plain = np.isin(views.rim, (REPLICATED, REFLECTED))
    inside = torch.maximum(depth.add_(0.5).clamp_(0, 1), _to(plain, device)[:, None, None])
    inside *= _to(~views.unlabelled, device)[:, None, None]

    reflected = _rows(views.rim == REFLECTED, device)
    edge = last[reflected].clamp(min=1)
    source[reflected] = edge - (source[reflected].abs() % (2 * edge) - edge).abs()
    grid = torch.minimum(source.clamp_(min=0), last).add_(0.5).mul_(2 / SIDE).sub_(1)

    pictures = torch.empty((len(faces), 3, INPUT_SIZE, INPUT_SIZE), device=device)
    shrink = np.where(views.smooth & (scale < 0.7), np.where(scale < 0.35, 4, 2), 1)
    for factor in np.unique(shrink):
        rows = _rows(shrink == factor, device)
        photos = bank.textures[torch.from_numpy(faces).to(device)[rows]].float()
        if factor > 1:
            photos = F.avg_pool2d(photos, int(factor))
        pictures[rows] = F.grid_sample(photos, grid[rows], padding_mode="border", align_corners=False)
    pictures *= inside[:, None]

    behind = (views.rim == PHOTO) | views.unlabelled
    if behind.any():
        rows = _rows(behind, device)
        pictures[rows] += _backgrounds(bank, views, behind) * (1 - inside[rows, None])
    return pictures


def _backgrounds(bank: Bank, views: Views, chosen: Bools) -> Tensor:
    """Return the visible squares (n, 3, 128, 128) of the backgrounds of the chosen images."""
    x, y, side = views.crop[chosen].T
    none = np.zeros_like(x)
    across = np.where(views.flipped[chosen], -side, side)
    # coordinates in the background and in the square are from -1 to 1
    theta = [[across, none, 2 * x + side - 1], [none, side, 2 * y + side - 1]]
    device = bank.backgrounds.device
    square = _to(np.stack([np.stack(row, axis=-1) for row in theta], axis=-2), device)
    grid = F.affine_grid(square, [len(x), 3, INPUT_SIZE, INPUT_SIZE], align_corners=False)
    photos = bank.backgrounds[torch.from_numpy(views.background[chosen]).to(device)].float()
    return F.grid_sample(photos, grid, padding_mode="border", align_corners=False)


def _to(values: NDArray[np.generic], device: torch.device) -> Tensor:
    return torch.from_numpy(values).to(device, torch.float32)


def _rows(chosen: Bools, device: torch.device) -> Tensor:
    return torch.from_numpy(np.flatnonzero(chosen)).to(device)
