"""Compute the training losses. The pose loss counts where the detector finds a face. The detection loss is the distance
from BlazeFace's detections.

The pose loss combines regression and classification. Regression compares the predicted orthonormalised rotation with
the label's rotation (chordal distance), and the three angles with the label's angles. Rotations and angles are compared
for every cell, and for the weighted mean of the cells that the decoder computes. Classification uses bins of each
angle. The bins are computed from the same hidden layer as the rotation, so that the gradient of the bins changes the
weights of this layer. The network that ships has no bins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blazeposer.core.contract import GRIDS, MAX_ANGLE, anchors, cell_of_anchor

from ..network.architecture import ARCHITECTURE
from ..network.model import BlazePoser, cell_rows

BIN_WIDTH = 6.0
"""Width of a bin in degrees. The width is about the error that the training should reach, so the network can tell
neighbouring bins apart."""
BINS = round(2 * MAX_ANGLE / BIN_WIDTH)  # 33 bins from -99 to 99 degrees
ANGLE_CLIP = 1.0
"""Largest error of an angle that counts, in radians. Without this limit, the errors of pitch and roll become very large
near 90 degrees of yaw."""
LABEL_ERROR = 0.5**0.5
"""Ratio of a label's own error to the disagreement of its teachers. Three independent teachers differ from their mean
by sqrt 2 times the mean's error."""
CENTRAL_WEIGHT = 0.15
"""Smallest weight of a cell in the middle of a labelled face. With this weight, faces that BlazeFace misses also train
the pose."""
SURE = 2.0
"""Smallest logit of the best anchor of a labelled face. With this logit, rounding loses no face."""


QUIET = -6.0
"""Largest logit of anchors where the network must not find a face."""
MIRRORED_SIX = (1.0, -1.0, -1.0, -1.0, 1.0, 1.0)
"""Factors that change the two rows of a rotation R into the two rows of the mirrored rotation F R F, with F = diag(-1,
1, 1)."""
MIRRORED_REGRESSORS = (0, 1, 2, 3, 6, 7, 4, 5, 8, 9, 10, 11, 14, 15, 12, 13)
"""Index of the regressor that replaces each regressor in a mirrored image. Left and right eyes and ears are
exchanged."""

_ANCHORS = torch.from_numpy(anchors())
_CELL = torch.from_numpy(cell_of_anchor())


class AngleBins(nn.Module):
    """Layer that computes logits of the bins of yaw, pitch and roll from the hidden layer of each pose head. Only
    training needs this layer."""

    def __init__(self, hidden: int = ARCHITECTURE.pose_hidden) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Conv2d(hidden, 3 * BINS, 1) for _ in GRIDS)

    def forward(self, hidden: list[Tensor]) -> Tensor:
        """Return logits (N, 320, 3, BINS) of both feature maps."""
        rows = [cell_rows(layer(h), 3 * BINS) for layer, h in zip(self.maps, hidden, strict=True)]
        return torch.cat(rows, dim=1).unflatten(-1, (3, BINS))


@dataclass
class Detections:
    """The detections of both feature maps together. `logits` have the shape (N, 896). `regressors` (N, 896, 16) are in
    pixels."""

    logits: Tensor
    regressors: Tensor


@dataclass
class Pose:
    """The poses of both feature maps together. `rotation` has the shape (N, 320, 6), `log_error` has the shape (N,
    320), and `bins` have the shape (N, 320, 3, BINS)."""

    rotation: Tensor
    log_error: Tensor
    bins: Tensor


@dataclass
class Target:
    """The targets of a batch, which are BlazeFace's detections and the labels of a `batches.Batch`."""

    detections: Detections
    rotations: Tensor
    boxes: Tensor
    weights: Tensor
    spread: Tensor
    pairs: int = 0
    """Number of pairs among the first images. In a pair, the second image is the mirror image of the first."""


def detections(model: BlazePoser, taps: tuple[Tensor, Tensor]) -> Detections:
    regressors_16, scores_16, scores_8, regressors_8 = model.detect(taps)
    logits = torch.cat([scores_16, scores_8], dim=1)[..., 0]
    return Detections(logits.float(), torch.cat([regressors_16, regressors_8], dim=1).float())


def poses(model: BlazePoser, bins: AngleBins, taps: tuple[Tensor, Tensor]) -> Pose:
    """Return the pose heads' outputs. The gradient of the error output stops at the hidden layer, so the angles lose no
    accuracy."""
    heads = model.pose_heads
    hidden = [head.embed(tap) for head, tap in zip(heads, taps, strict=True)]
    rotation = [cell_rows(head.rotation(h), 6) for head, h in zip(heads, hidden, strict=True)]
    error = [cell_rows(head.error(h.detach()), 1) for head, h in zip(heads, hidden, strict=True)]
    return Pose(torch.cat(rotation, dim=1).float(), torch.cat(error, dim=1)[..., 0].float(), bins(hidden).float())


def total_loss(
    found: Detections, pose: Pose, target: Target, weights: Mapping[str, float]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum of all terms, and the value of each term for the log."""
    inside = inside_boxes(target.boxes)
    terms = pose_terms(pose, target, inside) | detection_terms(found, target, inside)
    if target.pairs:
        terms |= mirror_terms(found, pose, target, inside)
    return weighted_sum(terms, weights), {name: value.detach() for name, value in terms.items()}


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the sum of the terms, each multiplied by its weight."""
    return torch.stack([weights[name] * value for name, value in terms.items()]).sum()


def pose_terms(pose: Pose, target: Target, inside: Tensor) -> dict[str, Tensor]:
    """Return the terms of the pose loss. A term is an average over cells, an average over faces (for the weighted mean
    of a face's cells), or the sum of both averages. The weights of these averages come from the detector and the
    label."""
    cells, share, found = pose_weights(target.detections.logits, inside, target.boxes, target.weights)
    image, cell = torch.nonzero(cells, as_tuple=True)
    weight = cells[image, cell]
    weight = weight / weight.sum().clamp(min=1e-6)
    six, label = pose.rotation[image, cell], target.rotations[image]
    predicted = rotation_from_six(six)

    blended = rotation_from_six(torch.einsum("nc,ncv->nv", share, pose.rotation)[found > 0])
    blended_error = (share * pose.log_error).sum(1)[found > 0]
    found_weight = found[found > 0] / found.sum().clamp(min=1e-6)
    face_label = target.rotations[found > 0]

    soft = soft_bins(angles_from_rotation(label))
    entropy = -(soft * pose.bins[image, cell].log_softmax(-1)).sum(-1).mean(-1)
    lengths = six.unflatten(-1, (2, 3)).norm(dim=-1)
    return {
        "rotation": (weight * chordal(predicted, label)).sum(),
        "blended": (found_weight * chordal(blended, face_label)).sum(),
        "angles": (weight * angle_error(predicted, label)).sum()
        + (found_weight * angle_error(blended, face_label)).sum(),
        "bins": (weight * entropy).sum(),
        "unit": (weight * (lengths - 1).square().sum(-1)).sum(),
        "error": (weight * error_likelihood(pose.log_error[image, cell], predicted, label, target.spread[image])).sum()
        + (found_weight * error_likelihood(blended_error, blended, face_label, target.spread[found > 0])).sum(),
    }


def pose_weights(logits: Tensor, inside: Tensor, boxes: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return each cell's weight in the pose loss, its share in the weighted mean (N, 320), and the faces' weights (N,).

    The weights are computed from BlazeFace's logits (N, 896) at the anchors `inside` (N, 896) the labelled boxes (N,
    4), and from the labels' weights (N,).
    """
    firing = logits.sigmoid() * inside
    cells = per_cell(torch.maximum(firing, CENTRAL_WEIGHT * inside_boxes(boxes, 0.25)))
    cells = cells * (cells >= 0.05) * weights[:, None]
    surviving = per_cell(firing * (firing >= 0.5))
    faces = torch.where(surviving.sum(1, keepdim=True) > 0, surviving, cells)
    return cells, faces / faces.sum(1, keepdim=True).clamp(min=1e-6), weights * (faces.sum(1) > 0)


def error_likelihood(log_error: Tensor, predicted: Tensor, label: Tensor, spread: Tensor) -> Tensor:
    """Return the negative logarithm (n,) of the likelihood of an exponential distribution.

    The mean of the distribution is the predicted error. The actual error is the angle between prediction and label,
    combined with the label's own error, which is independent.
    """
    angle = 2 * torch.asin((chordal(predicted, label).detach() / 2).clamp(max=1)).rad2deg()
    expected = torch.hypot(angle, LABEL_ERROR * spread)
    return expected * (-log_error).exp() + log_error


def detection_terms(found: Detections, target: Target, inside: Tensor) -> dict[str, Tensor]:
    """Return the distance from BlazeFace's scores. Where BlazeFace finds a face, also return the distance from
    BlazeFace's regressors.

    A labelled face that BlazeFace misses does not count as background. At least one anchor of each labelled face must
    have a high score. The weight of this rule is the label's weight.
    """
    wanted = target.detections
    probability = wanted.logits.sigmoid()
    missed = (probability * inside).amax(1, keepdim=True) < 0.5
    counted = 1 - inside * missed.float()
    entropy = F.binary_cross_entropy_with_logits(found.logits, probability, reduction="none")
    # subtract the entropy of a perfect copy
    entropy = entropy - F.binary_cross_entropy_with_logits(wanted.logits, probability, reduction="none")
    distance = (found.regressors - wanted.regressors).abs().mean(-1)
    firing = probability * (probability > 0.1)
    surest = torch.where(inside > 0, found.logits, -torch.inf).amax(1)
    labelled = torch.isfinite(surest)
    doubt = F.softplus(SURE - surest[labelled]) * target.weights[labelled]
    return {
        "scores": (entropy * counted).sum(1).mean(),
        "seen": doubt.sum() / target.weights.sum().clamp(min=1e-6),
        "regressors": (distance * firing).sum() / firing.sum().clamp(min=1e-6),
    }


def mirror_terms(found: Detections, pose: Pose, target: Target, inside: Tensor) -> dict[str, Tensor]:
    """Return the distance between the outputs for mirrored images and the mirrored outputs for the images themselves.

    Where cells train the pose, the rotations of cells, their weighted means and the log errors are compared. Where
    BlazeFace finds a face, logits and regressors are compared.
    """
    first, second = slice(0, 2 * target.pairs, 2), slice(1, 2 * target.pairs, 2)
    logits = target.detections.logits[first]
    cells, share, faces = pose_weights(logits, inside[first], target.boxes[first], target.weights[first])
    mirrored_cells, mirrored_anchors = (_mirrored(per_anchor).to(cells.device) for per_anchor in (False, True))
    six = pose.rotation[second][:, mirrored_cells] * pose.rotation.new_tensor(MIRRORED_SIX)
    image, cell = torch.nonzero(cells, as_tuple=True)
    weight = cells[image, cell] / cells.sum().clamp(min=1e-6)
    ours, theirs = (rotation_from_six(values[image, cell]) for values in (pose.rotation[first], six))
    blended = [
        rotation_from_six(torch.einsum("nc,ncv->nv", share, values)[faces > 0])
        for values in (pose.rotation[first], six)
    ]
    blended_weight = faces[faces > 0] / faces.sum().clamp(min=1e-6)
    errors = (pose.log_error[first] - pose.log_error[second][:, mirrored_cells])[image, cell]
    firing = logits.sigmoid() * (logits.sigmoid() > 0.1)
    firing = firing / firing.sum().clamp(min=1e-6)
    distance = found.regressors[first] - _mirrored_regressors(found.regressors[second][:, mirrored_anchors])
    return {
        "mirror": (weight * chordal(ours, theirs)).sum() + (blended_weight * chordal(*blended)).sum(),
        "mirror_error": (weight * errors.abs()).sum(),
        "mirror_scores": (firing * (found.logits[first] - found.logits[second][:, mirrored_anchors]).abs()).sum(),
        "mirror_regressors": (firing * distance.abs().mean(-1)).sum(),
    }


@cache
def _mirrored(per_anchor: bool) -> Tensor:
    """Return the index of the mirrored cell (320,), or of the mirrored anchor (896,)."""
    rows, start = [], 0
    for grid in GRIDS:
        each = grid.anchors if per_anchor else 1
        rows.append(torch.arange(grid.cells * each).view(grid.side, grid.side, each).flip(1).flatten() + start)
        start += grid.cells * each
    return torch.cat(rows)


def _mirrored_regressors(values: Tensor) -> Tensor:
    """Return the regressors (..., 16) for the mirrored image. Regressors are relative to the anchor's centre."""
    signs = values.new_ones(values.shape[-1])
    signs[[0, *range(4, values.shape[-1], 2)]] = -1
    return (values * signs)[..., list(MIRRORED_REGRESSORS)]


def inside_boxes(boxes: Tensor, shrink: float = 1.0) -> Tensor:
    """Return an array (N, 896) that is 1 where an anchor's centre is inside the box (N, 4), and 0 elsewhere. The box is
    first shrunk by the factor `shrink` about its centre."""
    centres = _ANCHORS.to(boxes)
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, shrink * (boxes[:, 2:] - boxes[:, :2]) / 2
    return ((centres[None] - middle[:, None]).abs() < half[:, None]).all(-1).to(boxes.dtype)


def per_cell(of_anchors: Tensor) -> Tensor:
    """Return the largest value (N, 320) among the anchors (N, 896) of each cell."""
    cell = _CELL.to(of_anchors.device)
    result = of_anchors.new_zeros(of_anchors.shape[0], sum(grid.cells for grid in GRIDS))
    return result.scatter_reduce(1, cell.expand(of_anchors.shape), of_anchors, "amax")


def rotation_from_six(six: Tensor) -> Tensor:
    """Convert two rows (n, 6) to rotations (n, 3, 3). `blazeposer.core.rotation.rotation_from_six` gives the same
    result for arrays of numpy."""
    first = F.normalize(six[:, :3], dim=-1, eps=1e-4)
    rest = six[:, 3:] - (first * six[:, 3:]).sum(-1, keepdim=True) * first
    second = F.normalize(rest, dim=-1, eps=1e-4)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=1)


def angles_from_rotation(rotation: Tensor) -> Tensor:
    """Return yaw, pitch, roll (n, 3) in radians. Of the two solutions, the function returns the solution with |yaw|
    below 90 degrees. |yaw| stays a little below 90 degrees, where the formula has a singular point."""
    yaw = -torch.asin(rotation[:, 0, 2].clamp(-0.998, 0.998))
    pitch = torch.atan2(rotation[:, 1, 2], rotation[:, 2, 2])
    roll = torch.atan2(rotation[:, 0, 1], rotation[:, 0, 0])
    return torch.stack([yaw, pitch, roll], dim=1)


def chordal(first: Tensor, second: Tensor) -> Tensor:
    """Return the Frobenius distance (n,) divided by sqrt 2. A small distance is close to the angle between the
    rotations in radians."""
    return ((first - second).square().sum((1, 2)) / 2 + 1e-5).sqrt()


def angle_error(predicted: Tensor, label: Tensor) -> Tensor:
    """Return the mean absolute difference (n,) of the three angles, in radians. Each difference is clipped at
    ANGLE_CLIP."""
    difference = angles_from_rotation(predicted) - angles_from_rotation(label)
    wrapped = torch.atan2(difference.sin(), difference.cos())
    return wrapped.abs().clamp(max=ANGLE_CLIP).mean(1)


def soft_bins(angles: Tensor) -> Tensor:
    """Return Gaussian weights (n, 3, BINS) of angles (n, 3) in radians. The Gaussian is one bin wide, and the weights
    of an angle sum to 1."""
    centres = torch.arange(BINS, device=angles.device) * BIN_WIDTH + BIN_WIDTH / 2 - MAX_ANGLE
    distance = (angles.rad2deg()[..., None] - centres) / BIN_WIDTH
    return (-0.5 * distance.square()).softmax(-1)
