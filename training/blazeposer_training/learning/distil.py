"""Train the backbone to compute BlazeFace's feature maps. This distillation is the first stage of a training.

A backbone with BlazeFace's own channels needs no distillation, because it starts with a copy of BlazeFace's weights.
The distillation has two parts. The first part of the distillation trains the blocks with feature maps of 64x64 and
32x32, from which all smaller feature maps are computed. The second part of the distillation trains the blocks with
feature maps of 16x16 and 8x8. The targets of both parts of the distillation are BlazeFace's feature maps. If all blocks
were trained together from the start, the later blocks would lose the weights that were copied from BlazeFace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ..images.batches import Batch, Teacher
from ..network.architecture import ORIGINAL, Architecture
from ..network.model import BlazePoser
from ..network.weights import kept_channels
from .learner import Fit, Learner, autocast, console, progress, to_input
from .recipe import Recipe


@dataclass(frozen=True)
class Part:
    """One part of the distillation. The blocks with the numbers `blocks` are trained together, with BlazeFace's feature
    maps as targets.

    Each item of `maps` is a tuple (ours, theirs, channels). Block number `ours` must imitate BlazeFace's block number
    `theirs`. The tensor `channels` contains the indices of the channels that are imitated.
    """

    blocks: range
    maps: tuple[tuple[int, int, Tensor], ...]


def parts(architecture: Architecture) -> list[Part]:
    """Return the list of the distillation's parts, which are trained one after the other.

    For BlazeFace's own architecture, the list of distillation parts is empty. The targets are feature maps of 32x32,
    16x16 and 8x8. The blocks at 64x64 are trained without a target of their own.
    """
    if (architecture.stem, architecture.blocks) == (ORIGINAL.stem, ORIGINAL.blocks):
        return []
    strides = [block.stride for block in architecture.blocks]
    ends = [i for i, stride in enumerate([*strides[1:], 2]) if stride == 2]
    kept = kept_channels(architecture)
    first, second, last = ends[-3:]
    maps = [(end, architecture.blocks[end].source, torch.from_numpy(kept[end + 1])) for end in (first, second, last)]
    return [Part(range(first + 1), (maps[0],)), Part(range(first + 1, last + 1), (maps[1], maps[2]))]


def parameters(part: Part, model: BlazePoser) -> list[nn.Parameter]:
    """Return the parameters of the network that a part of the distillation trains. The first part of the distillation
    also trains the network's first convolution (stem)."""
    modules = [model.backbone.blocks[index] for index in part.blocks]
    if part.blocks.start == 0:
        modules.append(model.backbone.stem)
    return [parameter for module in modules for parameter in module.parameters()]


def originals(part: Part, original: BlazePoser, pictures: Tensor) -> tuple[Tensor, ...]:
    """Return the feature maps of BlazeFace that are the targets of one part of the distillation."""
    image = to_input(pictures)
    with torch.no_grad(), autocast(image.device):
        return tuple(original.backbone.maps(image, [theirs for _, theirs, _ in part.maps]))


def distance(part: Part, model: BlazePoser, originals: tuple[Tensor, ...], image: Tensor) -> Tensor:
    """Return the sum of the distances between the trained backbone's feature maps and BlazeFace's feature maps. The
    distance between two feature maps is the mean squared difference, divided by the mean square of BlazeFace's feature
    map."""
    maps = model.backbone.maps(image, [ours for ours, _, _ in part.maps])
    terms = []
    for ours, theirs, (_, _, channels) in zip(maps, originals, part.maps, strict=True):
        wanted = theirs[:, channels.to(theirs.device)].float()
        distance = (ours[:, : len(channels)].float() - wanted).square().mean()
        terms.append(distance / wanted.square().mean())
    return torch.stack(terms).sum()


def distil_features(learner: Learner, batches: Callable[[range, Teacher], Iterator[Batch]], recipe: Recipe) -> None:
    """Train the backbone to compute BlazeFace's feature maps. Each of the two parts of the distillation takes half of
    `recipe.distil_steps`. The function `batches` returns the training batches for a range of steps. Each batch also
    contains BlazeFace's feature maps."""
    for number, part in enumerate(parts(learner.model.architecture), 1):
        total, lost = recipe.distil_steps // 2, torch.zeros(())
        steps = range((number - 1) * total, number * total)
        taught = batches(steps, partial(originals, part, learner.original))
        fit = Fit(parameters(part, learner.model), recipe.distil_rate, [total], recipe.warmup, recipe.decay)
        for batch in progress(taught, total, f"feature maps, part {number}"):
            image = to_input(batch.pictures)
            with autocast(image.device):
                lost = distance(part, learner.model, batch.taught, image)
            fit.step(lost)
        console.print(
            f"feature maps, part {number}: {float(lost.detach()) / len(part.maps):.3f} of their power differs"
        )
    learner.average.load_state_dict(learner.model.state_dict())
