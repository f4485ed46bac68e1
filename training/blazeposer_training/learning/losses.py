"""Compute the training losses. The page `docs/how.md` explains the terms.

The network computes its outputs from two feature maps. The feature maps have 320 cells in total, and the cells have 896
anchors in total. The pose loss depends mainly on the cells in which BlazeFace finds a face. The detection loss compares
the network's detections with BlazeFace's detections. The regressors of an anchor are 16 values for the box and the six
keypoints. A log error is the logarithm of the expected error in degrees.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blazeposer.core.contract import GRIDS, MAX_ANGLE, anchors, cell_of_anchor

from ..images.batches import Batch
from ..network.model import BlazePoser, cell_rows

BIN_WIDTH = 6.0
"""Width of a bin in degrees. The bins divide the range of each angle. The width is about as large as the error that the
training should reach. The network could not tell narrower bins apart."""
BINS = round(2 * MAX_ANGLE / BIN_WIDTH)  # 33 bins from -99 to 99 degrees
ANGLE_CLIP = 1.0
"""Limit on the error of an angle in the loss, in radians. Errors of pitch and roll become very large near 90 degrees of
yaw."""
LABEL_ERROR = 0.5**0.5
"""Ratio of a label's error to the label's `spread`, for a label that is the mean rotation of three networks. The spread
is the mean angle between the networks' rotations and the label. If the errors of the three networks are independent,
the spread is sqrt 2 times the label's error."""
CENTRAL_WEIGHT = 0.15
"""Smallest weight of a cell in the middle of a labelled face. With this weight, faces that BlazeFace misses also train
the pose."""
SURE = 2.0
"""Logit that the term `seen` demands at one anchor of each labelled face. With this logit, the network still finds the
face after the rounding to INT8."""
QUIET = -6.0
"""Largest target logit of anchors at which the network learns not to find a face."""
MIRRORED_SIX = (1.0, -1.0, -1.0, -1.0, 1.0, 1.0)
"""Factors on the six values in the first two rows of a rotation matrix R. The products are the first two rows of F R F,
with F = diag(-1, 1, 1). F R F is the rotation in the mirror image."""
MIRRORED_REGRESSORS = (0, 1, 2, 3, 6, 7, 4, 5, 8, 9, 10, 11, 14, 15, 12, 13)
"""Indices of the regressors in a mirrored image, where left and right eyes and ears are exchanged."""

_ANCHORS = torch.from_numpy(anchors())
_CELL = torch.from_numpy(cell_of_anchor())


class AngleBins(nn.Module):
    """A layer that predicts the bins of yaw, pitch and roll from the hidden layers of the pose heads. Only the training
    uses this layer. The loss of the bins also trains the hidden layers."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Conv2d(hidden, 3 * BINS, 1) for _ in GRIDS)

    def forward(self, hidden: list[Tensor]) -> Tensor:
        """Return the logits (N, 320, 3, BINS) of the bins for the cells of both feature maps."""
        rows = [cell_rows(layer(h), 3 * BINS) for layer, h in zip(self.maps, hidden, strict=True)]
        return torch.cat(rows, dim=1).unflatten(-1, (3, BINS))


@dataclass
class Detections:
    """The detections at all anchors: `logits` (N, 896) of the scores, and `regressors` (N, 896, 16) in pixels."""

    logits: Tensor
    regressors: Tensor


@dataclass
class Pose:
    """The poses in all cells: `rotation` (N, 320, 6), `log_error` (N, 320) and `bins` (N, 320, 3, BINS). `bins`
    contains the logits of `AngleBins`."""

    rotation: Tensor
    log_error: Tensor
    bins: Tensor


@dataclass
class Target:
    """The targets of the losses for one batch: the detections that the network learns to imitate, and labels as in
    `batches.Batch`."""

    detections: Detections
    rotations: Tensor
    boxes: Tensor
    silent: Tensor
    """Boolean tensor (N, 896). True for anchors at which the network learns not to find a face."""
    weights: Tensor
    trust: Tensor
    spread: Tensor
    pairs: int = 0

    @classmethod
    def of(cls, batch: Batch, detections: Detections) -> "Target":
        """Return the targets for a batch. `detections` are the detections that the network learns to imitate. This
        function keeps their logits. `Learner.target` limits the logits at the anchors in `silent`."""
        silent = inside_boxes(batch.silent) > 0
        return cls(
            detections, batch.rotations, batch.boxes, silent, batch.weights, batch.trust, batch.spread, batch.pairs
        )


def detections(model: BlazePoser, taps: tuple[Tensor, Tensor]) -> Detections:
    regressors_16, scores_16, scores_8, regressors_8 = model.detect(taps)
    logits = torch.cat([scores_16, scores_8], dim=1)[..., 0]
    return Detections(logits.float(), torch.cat([regressors_16, regressors_8], dim=1).float())


def poses(model: BlazePoser, bins: AngleBins, taps: tuple[Tensor, Tensor]) -> Pose:
    """Return the outputs of the pose heads and of `bins` for the feature maps `taps`. The loss of the log error sends
    no gradient to the hidden layers, because this gradient could make the angles less accurate."""
    heads = model.pose_heads
    hidden = [head.embed(tap) for head, tap in zip(heads, taps, strict=True)]
    rotation = [cell_rows(head.rotation(h), 6) for head, h in zip(heads, hidden, strict=True)]
    error = [cell_rows(head.error(h.detach()), 1) for head, h in zip(heads, hidden, strict=True)]
    return Pose(torch.cat(rotation, dim=1).float(), torch.cat(error, dim=1)[..., 0].float(), bins(hidden).float())


def total_loss(
    found: Detections, pose: Pose, target: Target, weights: Mapping[str, float]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum of all loss terms, and the value of each term for the log."""
    inside = inside_boxes(target.boxes)
    terms = pose_terms(pose, target, inside) | detection_terms(found, target, inside)
    if target.pairs:
        terms |= mirror_terms(found, pose, target, inside)
    return weighted_sum(terms, weights), {name: value.detach() for name, value in terms.items()}


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    return torch.stack([weights[name] * value for name, value in terms.items()]).sum()


def pose_terms(pose: Pose, target: Target, inside: Tensor) -> dict[str, Tensor]:
    """Return the terms of the pose loss. Each term is an average over cells, an average over faces, or the sum of these
    two averages. For an average over faces, the cells of each face are first combined into a weighted mean."""
    cells, share, found = pose_weights(target.detections.logits, inside, target.boxes, target.weights)
    image, cell = torch.nonzero(cells, as_tuple=True)
    weight = cells[image, cell]
    weight = weight / weight.sum().clamp(min=1e-6)
    six, label = pose.rotation[image, cell], target.rotations[image]
    predicted = rotation_from_six(six)

    blended = blend(share, pose.rotation, found > 0)
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
        "error": error_term(pose, target, inside),
    }


def error_term(pose: Pose, target: Target, inside: Tensor) -> Tensor:
    """Return the loss term of the expected error. Unlike the other pose terms, this term also includes upside-down
    faces, so the network learns to state a large error for these faces."""
    cells, share, found = pose_weights(target.detections.logits, inside, target.boxes, target.trust)
    image, cell = torch.nonzero(cells, as_tuple=True)
    weight, face = cells[image, cell], found > 0
    predicted = rotation_from_six(pose.rotation[image, cell])
    blended = blend(share, pose.rotation, face)
    labels, spread = target.rotations, target.spread
    of_cells = error_likelihood(pose.log_error[image, cell], predicted, labels[image], spread[image])
    of_faces = error_likelihood((share * pose.log_error).sum(1)[face], blended, labels[face], spread[face])
    cell_mean = (weight * of_cells).sum() / weight.sum().clamp(min=1e-6)
    return cell_mean + (found[face] * of_faces).sum() / found.sum().clamp(min=1e-6)


def pose_weights(logits: Tensor, inside: Tensor, boxes: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the weights of cells and faces in the pose loss.

    - The first returned array (N, 320) has the weight of each cell in an average over cells.
    - The second returned array (N, 320) has the weights with which the outputs of the cells of a face are averaged.
    - The third returned array (N,) has the weight of each face in an average over faces.

    `logits` (N, 896) are BlazeFace's logits. `boxes` (N, 4) are the labelled boxes, and `weights` (N,) are the weights
    of the labels. `inside` is the result of `inside_boxes` for `boxes`.
    """
    firing = logits.sigmoid() * inside
    cells = per_cell(torch.maximum(firing, CENTRAL_WEIGHT * inside_boxes(boxes, 0.25)))
    cells = cells * (cells >= 0.05) * weights[:, None]
    surviving = per_cell(firing * (firing >= 0.5))
    faces = torch.where(surviving.sum(1, keepdim=True) > 0, surviving, cells)
    return cells, faces / faces.sum(1, keepdim=True).clamp(min=1e-6), weights * (faces.sum(1) > 0)


def blend(share: Tensor, rotation: Tensor, chosen: Tensor) -> Tensor:
    """Return the mean rotation matrices (n, 3, 3) of the n chosen faces. The function averages the rotation values of a
    face's cells, `rotation` (N, 320, 6), with the weights `share` (N, 320). `chosen` (N,) is True for a chosen face."""
    return rotation_from_six(torch.einsum("nc,ncv->nv", share, rotation)[chosen])


def error_likelihood(log_error: Tensor, predicted: Tensor, label: Tensor, spread: Tensor) -> Tensor:
    """Return the negative log-likelihood (n,) of the actual errors under an exponential distribution. The mean of this
    distribution is the network's expected error. The actual error is the root of the sum of two squares: the square of
    the label's error, and the square of the angle between prediction and label."""
    angle = 2 * torch.asin((chordal(predicted, label).detach() / 2).clamp(max=1)).rad2deg()
    expected = torch.hypot(angle, LABEL_ERROR * spread)
    return expected * (-log_error).exp() + log_error


def detection_terms(found: Detections, target: Target, inside: Tensor) -> dict[str, Tensor]:
    """Return the terms of the detection loss. Regressors are compared only at the anchors where BlazeFace finds a face.

    If BlazeFace misses a labelled face, the term `scores` ignores the anchors inside the labelled box, except the
    anchors in `target.silent`. The term `seen` demands a high score at one or more anchors of each labelled face. The
    weight of a face in the term `seen` is the weight of the face's label.
    """
    wanted = target.detections
    probability = wanted.logits.sigmoid()
    missed = (probability * inside).amax(1, keepdim=True) < 0.5
    counted = 1 - inside * missed.float() * ~target.silent
    entropy = F.binary_cross_entropy_with_logits(found.logits, probability, reduction="none")
    # subtract the entropy of a perfect copy, so that its loss is 0
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
    """Return the loss terms that compare the outputs for an image with the outputs for its mirror image. First, the
    function mirrors the outputs for the mirror image. Rotations and log errors are compared only in cells that have a
    weight in the pose loss. Logits and regressors are compared only at the anchors where BlazeFace finds a face."""
    first, second = slice(0, 2 * target.pairs, 2), slice(1, 2 * target.pairs, 2)
    logits = target.detections.logits[first]
    cells, share, faces = pose_weights(logits, inside[first], target.boxes[first], target.weights[first])
    mirrored_cells, mirrored_anchors = (_mirrored(per_anchor).to(cells.device) for per_anchor in (False, True))
    six = pose.rotation[second][:, mirrored_cells] * pose.rotation.new_tensor(MIRRORED_SIX)
    image, cell = torch.nonzero(cells, as_tuple=True)
    weight = cells[image, cell] / cells.sum().clamp(min=1e-6)
    ours, theirs = (rotation_from_six(values[image, cell]) for values in (pose.rotation[first], six))
    blended = [blend(share, values, faces > 0) for values in (pose.rotation[first], six)]
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
    """Return, for each of the 320 cells (or of the 896 anchors), the index of the mirrored cell (or anchor)."""
    rows, start = [], 0
    for grid in GRIDS:
        each = grid.anchors if per_anchor else 1
        rows.append(torch.arange(grid.cells * each).view(grid.side, grid.side, each).flip(1).flatten() + start)
        start += grid.cells * each
    return torch.cat(rows)


def _mirrored_regressors(values: Tensor) -> Tensor:
    """Return the regressors (..., 16) for the mirrored image. Horizontal positions change their sign, because they are
    relative to the anchor's centre."""
    signs = values.new_ones(values.shape[-1])
    signs[[0, *range(4, values.shape[-1], 2)]] = -1
    return (values * signs)[..., list(MIRRORED_REGRESSORS)]


def inside_boxes(boxes: Tensor, shrink: float = 1.0) -> Tensor:
    """Return an array (N, 896) for N images. `boxes` (N, 4) has one box for each image. The array is 1 for anchors
    whose centre is inside the image's box, and 0 for all other anchors. The width and the height of each box are first
    multiplied by `shrink`."""
    centres = _ANCHORS.to(boxes)
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, shrink * (boxes[:, 2:] - boxes[:, :2]) / 2
    return ((centres[None] - middle[:, None]).abs() < half[:, None]).all(-1).to(boxes.dtype)


def per_cell(of_anchors: Tensor) -> Tensor:
    """Return, for each cell (N, 320), the largest value of the cell's anchors (N, 896)."""
    cell = _CELL.to(of_anchors.device)
    result = of_anchors.new_zeros(of_anchors.shape[0], sum(grid.cells for grid in GRIDS))
    return result.scatter_reduce(1, cell.expand(of_anchors.shape), of_anchors, "amax")


def rotation_from_six(six: Tensor) -> Tensor:
    """Return rotation matrices (n, 3, 3) from approximations (n, 6) of their first two rows. For numpy arrays,
    `blazeposer.core.rotation.rotation_from_six` does the same."""
    first = F.normalize(six[:, :3], dim=-1, eps=1e-4)
    rest = six[:, 3:] - (first * six[:, 3:]).sum(-1, keepdim=True) * first
    second = F.normalize(rest, dim=-1, eps=1e-4)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=1)


def angles_from_rotation(rotation: Tensor) -> Tensor:
    """Return yaw, pitch and roll (n, 3) in radians. The returned |yaw| stays a little below 90 degrees, because the
    formula has a singular point at 90 degrees."""
    yaw = -torch.asin(rotation[:, 0, 2].clamp(-0.998, 0.998))
    pitch = torch.atan2(rotation[:, 1, 2], rotation[:, 2, 2])
    roll = torch.atan2(rotation[:, 0, 1], rotation[:, 0, 0])
    return torch.stack([yaw, pitch, roll], dim=1)


def chordal(first: Tensor, second: Tensor) -> Tensor:
    """Return the Frobenius distances (n,) between pairs of rotations, divided by sqrt 2. A small distance is close to
    the angle between the rotations, in radians."""
    return ((first - second).square().sum((1, 2)) / 2 + 1e-5).sqrt()


def angle_error(predicted: Tensor, label: Tensor) -> Tensor:
    """Return the mean (n,) of the absolute errors of yaw, pitch and roll, in radians. Each error is limited to
    ANGLE_CLIP."""
    difference = angles_from_rotation(predicted) - angles_from_rotation(label)
    wrapped = torch.atan2(difference.sin(), difference.cos())
    return wrapped.abs().clamp(max=ANGLE_CLIP).mean(1)


def soft_bins(angles: Tensor) -> Tensor:
    """Return the weights (n, 3, BINS) of all bins for angles (n, 3) in radians. The weights follow a Gaussian around
    the angle, with a standard deviation of one bin's width. The sum of the weights is 1."""
    centres = torch.arange(BINS, device=angles.device) * BIN_WIDTH + BIN_WIDTH / 2 - MAX_ANGLE
    distance = (angles.rad2deg()[..., None] - centres) / BIN_WIDTH
    return (-0.5 * distance.square()).softmax(-1)
