"""What `ablate` compares: pose heads and what they are trained to minimise.

A head here reads patches: the 3x3 neighbourhoods of only those cells of the tapped maps that teach pose, about one in
fifteen. On a patch it computes what a convolution of the map computes at that cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blazeposer.core.contract import GRIDS, MAX_ANGLE, ROTATION_VALUES, anchors, cell_of_anchor
from blazeposer.core.rotation import angles_from_rotation as true_angles

from ..images.batches import Batch
from ..learning.losses import angles_from_rotation, chordal, inside_boxes, pose_weights, rotation_from_six

LANDMARKS = 68
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
MIRRORED = (
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
    41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
)  # fmt: skip
"""Of the 68 landmarks in iBUG's order, which one has the place of each in a mirrored picture."""
CELLS = sum(grid.cells for grid in GRIDS)


@dataclass(frozen=True)
class Variant:
    """A head, and the weights of the terms of `pose_loss`."""

    width: int = 24
    """Channels of the hidden layer; 0 is none: the outputs are one 1x1 convolution."""
    depthwise: bool = True
    """Whether a depthwise 3x3 convolution comes first."""
    identity: bool = False
    """Whether that one starts as the identity, not at random."""
    rotation: float = 1.0
    geodesic: bool = False
    """Whether rotations are as far apart as the angle between them, not the chord."""
    angles: float = 0.7
    clip: float = 1.0
    """Radians beyond which an angle's error counts no more."""
    bins: float = 0.0
    bin_width: float = 6.0
    """Degrees."""
    expectation: bool = False
    """Whether pose is read from the bins, as the angles that they expect (Ruiz et al., "HopeNet", 2018)."""
    landmarks: float = 0.0

    @property
    def bin_count(self) -> int:
        return round(2 * MAX_ANGLE / self.bin_width)

    def parameters(self, channels: tuple[int, int]) -> int:
        """Of both maps' heads as a network would carry them, that is without what only training needs."""
        outputs = 3 * self.bin_count if self.expectation else ROTATION_VALUES
        total = 0
        for count in channels:
            total += 9 * count * self.depthwise + (count + 1) * self.width + (self.width or count) * outputs + outputs
        return total


BASE = Variant(bins=0.1)
"""The rows that do not say otherwise."""
EXPECTATION = Variant(rotation=0, angles=2, bins=0.1, expectation=True)
GROUPS = {
    "Loss": {
        "rotation, chordal": Variant(angles=0),
        "rotation, geodesic": Variant(angles=0, geodesic=True),
        "angles, clipped at 1": Variant(rotation=0, angles=1),
        "angles, clipped at 2": Variant(rotation=0, angles=1, clip=2),
        "rotation + 0.7 angles, clipped at 1": Variant(),
        "rotation + 0.7 angles, clipped at 2": Variant(clip=2),
        "rotation + 2 angles, clipped at 1": Variant(angles=2),
        "rotation + 2 angles, clipped at 2": Variant(angles=2, clip=2),
        "rotation + 5 angles, clipped at 1": Variant(angles=5),
        "rotation + 5 angles, clipped at 2": Variant(angles=5, clip=2),
        "expectation of 33 bins, entropy 0.1": EXPECTATION,
        "expectation of 33 bins, entropy 1": replace(EXPECTATION, bins=1),
        "expectation of 66 bins, entropy 0.1": replace(EXPECTATION, bin_width=3),
        "expectation of 66 bins, entropy 1": replace(EXPECTATION, bin_width=3, bins=1),
        "rotation + 0.7 angles + 0.1 bins": BASE,
        "rotation + 0.7 angles + 0.3 bins": replace(BASE, bins=0.3),
        "rotation + 0.7 angles + 1 bins": replace(BASE, bins=1),
        "rotation + 2 angles + 0.1 bins": replace(BASE, angles=2),
    },
    "Head": {
        "1x1": replace(BASE, width=0, depthwise=False),
        "depthwise, 1x1": replace(BASE, width=0),
        **{f"1x1 to {width}, 1x1": replace(BASE, width=width, depthwise=False) for width in (16, 24, 32, 36, 48)},
        **{f"depthwise, 1x1 to {width}, 1x1": replace(BASE, width=width) for width in (16, 24, 32, 48)},
        **{
            f"depthwise from identity, 1x1 to {width}, 1x1": replace(BASE, width=width, identity=True)
            for width in (16, 24, 32, 48)
        },
    },
    "Landmarks": {
        "landmarks 0.3": replace(BASE, landmarks=0.3),
        "landmarks 1": replace(BASE, landmarks=1),
        "landmarks 3": replace(BASE, landmarks=3),
        "landmarks 1, width 48": replace(BASE, landmarks=1, width=48),
    },
}
VARIANTS = {name: variant for group in GROUPS.values() for name, variant in group.items()}


class Head(nn.Module):
    """A variant's head of one map."""

    def __init__(self, variant: Variant, channels: int) -> None:
        super().__init__()
        self.variant = variant
        if variant.depthwise:
            weight = nn.Conv2d(channels, channels, 3, groups=channels).weight.detach().flatten(1)
            self.depthwise = nn.Parameter(torch.eye(9)[4].repeat(channels, 1) if variant.identity else weight)
        if variant.width:
            self.hidden = nn.Linear(channels, variant.width)
        width = variant.width or channels
        self.rotation = nn.Linear(width, ROTATION_VALUES)
        self.bins = nn.Linear(width, 3 * variant.bin_count)
        self.landmarks = nn.Linear(width, 2 * LANDMARKS)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of patches (n, channels, 9): rotation values (n, 6), bins' logits (n, 3, bins), landmarks (n, 68, 2) from the
        cell's centre in units of the box's longer side. What the loss does not ask for is computed all the same."""
        patches = patches.float()
        x = (patches * self.depthwise).sum(-1) if self.variant.depthwise else patches[..., 4]
        if self.variant.width:
            x = F.relu(self.hidden(x))
        bins = self.bins(x).unflatten(-1, (3, -1))
        six = six_from_bins(bins) if self.variant.expectation else self.rotation(x)
        return six, bins, self.landmarks(x).unflatten(-1, (LANDMARKS, 2))


class Heads(nn.Module):
    """A variant's heads of both maps."""

    def __init__(self, variant: Variant, channels: tuple[int, int]) -> None:
        super().__init__()
        self.variant = variant
        self.maps = nn.ModuleList(Head(variant, count) for count in channels)

    def forward(self, cells: Cells) -> tuple[Tensor, Tensor, Tensor]:
        """As `Head.forward`, of all cells of both maps."""
        six, bins, points = zip(*(head(p) for head, p in zip(self.maps, cells.patches, strict=True)), strict=True)
        return torch.cat(six), torch.cat(bins), torch.cat(points)


@dataclass
class Cells:
    """Chosen cells of a batch's tapped maps: n in all, those of the 16x16 map first."""

    patches: list[Tensor]
    """Of each map (n of that map, channels, 9)."""
    image: Tensor
    """(n,) row of the batch."""
    cell: Tensor
    """(n,) row among the 320 of both maps."""

    @staticmethod
    def gather(taps: Sequence[Tensor], chosen: Tensor) -> Cells:
        """Those of `chosen` (N, 320), true or not; beyond the maps' edges lie zeros, as in a padded convolution."""
        patches, images, rows, first = [], [], [], 0
        for tap, grid in zip(taps, GRIDS, strict=True):
            image, cell = torch.nonzero(chosen[:, first : first + grid.cells], as_tuple=True)
            padded = F.pad(tap, (1, 1, 1, 1)).permute(0, 2, 3, 1)
            y, x = cell // grid.side, cell % grid.side
            patches.append(torch.stack([padded[image, y + dy, x + dx] for dy in range(3) for dx in range(3)], dim=-1))
            images.append(image)
            rows.append(cell + first)
            first += grid.cells
        return Cells(patches, torch.cat(images), torch.cat(rows))


@dataclass
class Lesson:
    """What pose heads learn from in one batch."""

    cells: Cells
    weight: Tensor
    """(n,) of each cell; they sum to 1."""
    share: Tensor
    """(n,) of each cell in the blended pose of its face; a face's sum to 1."""
    found: Tensor
    """(N,) weight of each blended pose; they sum to 1."""
    rotations: Tensor
    angles: Tensor
    """(N, 3) degrees."""
    boxes: Tensor
    landmarks: Tensor

    @staticmethod
    def of(taps: Sequence[Tensor], logits: Tensor, batch: Batch) -> Lesson:
        """Cells chosen and weighted by the original's logits (N, 896), as in `losses.pose_terms`."""
        weight, share, found = pose_weights(logits, inside_boxes(batch.boxes), batch.boxes, batch.weights)
        cells = Cells.gather(taps, weight > 0)
        angles = torch.from_numpy(true_angles(batch.rotations.cpu().numpy())).to(batch.rotations)
        return Lesson(
            cells,
            weight[cells.image, cells.cell] / weight.sum().clamp(min=1e-6),
            share[cells.image, cells.cell],
            found / found.sum().clamp(min=1e-6),
            batch.rotations,
            angles,
            batch.boxes,
            in_order(batch.landmarks, batch.rotations),
        )


def pose_loss(heads: Heads, lesson: Lesson) -> Tensor:
    """The variant's terms: bins and landmarks averaged over cells, rotation and angles also over blended faces."""
    variant, image, weight = heads.variant, lesson.cells.image, lesson.weight
    six, bins, points = heads(lesson.cells)
    blended = six.new_zeros(len(lesson.found), ROTATION_VALUES).index_add(0, image, lesson.share[:, None] * six)
    faces = lesson.found > 0
    predicted = rotation_from_six(torch.cat([six, blended[faces]]))
    label = torch.cat([lesson.rotations[image], lesson.rotations[faces]])
    distance = chordal(predicted, label)
    if variant.geodesic:
        distance = 2 * torch.asin((distance / 2).clamp(max=0.999))
    difference = angles_from_rotation(predicted) - angles_from_rotation(label)
    error = torch.atan2(difference.sin(), difference.cos()).abs().clamp(max=variant.clip).mean(1)
    both = torch.cat([weight, lesson.found[faces]])
    loss = (both * (variant.rotation * distance + variant.angles * error)).sum()
    if not variant.expectation:  # which has rows of unit length
        loss = loss + 0.1 * (weight * (six.unflatten(-1, (2, 3)).norm(dim=-1) - 1).square().sum(-1)).sum()
    if variant.bins:
        away = (lesson.angles[image, :, None] - bin_centres(variant.bin_count, bins.device)) / variant.bin_width
        entropy = -((-0.5 * away.square()).softmax(-1) * bins.log_softmax(-1)).sum(-1).mean(-1)
        loss = loss + variant.bins * (weight * entropy).sum()
    if variant.landmarks:
        size = (lesson.boxes[:, 2:] - lesson.boxes[:, :2]).amax(1)[image, None, None]
        wanted = (lesson.landmarks[image] - cell_centres(points.device)[lesson.cells.cell, None]) / size
        loss = loss + variant.landmarks * (weight * (points - wanted).abs().mean((1, 2))).sum()
    return loss


def in_order(landmarks: Tensor, rotations: Tensor) -> Tensor:
    """Landmarks (N, 68, 2) with right and left the person's own, though those of a mirrored picture come in the order
    that its photo has: there the eyes lie against what the rotation says."""
    across = landmarks[:, LEFT_EYE].mean(1) - landmarks[:, RIGHT_EYE].mean(1)
    agree = across[:, 0] * rotations[:, 0, 0] - across[:, 1] * rotations[:, 1, 0]  # y points down in a picture
    return torch.where((agree < 0)[:, None, None], landmarks[:, MIRRORED], landmarks)


def six_from_bins(bins: Tensor) -> Tensor:
    """Rotation values (n, 6) of the angles that bins' logits (n, 3, bins) expect; see `blazeposer.core.rotation`."""
    angles = bins.softmax(-1) @ bin_centres(bins.shape[-1], bins.device)
    (cy, cp, cr), (sy, sp, sr) = angles.deg2rad().cos().unbind(-1), angles.deg2rad().sin().unbind(-1)
    return torch.stack([cy * cr, cy * sr, -sy, sp * sy * cr - cp * sr, sp * sy * sr + cp * cr, sp * cy], dim=-1)


@cache
def bin_centres(count: int, device: torch.device) -> Tensor:
    """(count,) middles of equal bins between -MAX_ANGLE and MAX_ANGLE, degrees."""
    return (torch.arange(count, device=device) + 0.5) * (2 * MAX_ANGLE / count) - MAX_ANGLE


@cache
def cell_centres(device: torch.device) -> Tensor:
    """(320, 2) x, y of all cells, fractions of the side."""
    centres = torch.zeros(CELLS, 2)
    centres[torch.from_numpy(cell_of_anchor())] = torch.from_numpy(anchors())
    return centres.to(device)
