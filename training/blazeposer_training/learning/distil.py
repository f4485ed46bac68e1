"""Train the backbone to compute BlazeFace's feature maps. This module is the first stage of a training.

A backbone with BlazeFace's own channels skips this stage. The stage has two parts. Each part learns BlazeFace's feature
maps at the end of each of the part's resolutions. First the blocks with large feature maps learn, because all other
feature maps are computed from the large feature maps. Then the remaining blocks learn. If all blocks learned together
from the start, the later blocks would lose the copied weights.
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
    """Blocks that learn together, and the feature maps that the blocks learn. For each feature map, `maps` has the
    number of our block, the number of BlazeFace's block, and BlazeFace's channels in our order."""

    blocks: range
    maps: tuple[tuple[int, int, Tensor], ...]


def parts(architecture: Architecture) -> list[Part]:
    """Return the parts of the stage. The first part has the resolutions 64x64 and 32x32, and the second part has the
    resolutions 16x16 and 8x8.

    BlazeFace's own architecture has no parts. The feature map at 64x64 has no target.
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
    """Return the trained parameters of a part: the parameters of its blocks, and of the stem for the first part."""
    modules = [model.backbone.blocks[index] for index in part.blocks]
    if part.blocks.start == 0:
        modules.append(model.backbone.stem)
    return [parameter for module in modules for parameter in module.parameters()]


def originals(part: Part, original: BlazePoser, pictures: Tensor) -> tuple[Tensor, ...]:
    """Return BlazeFace's feature maps that the part has to learn."""
    image = to_input(pictures)
    with torch.no_grad(), autocast(image.device):
        return tuple(original.backbone.maps(image, [theirs for _, theirs, _ in part.maps]))


def distance(part: Part, model: BlazePoser, originals: tuple[Tensor, ...], image: Tensor) -> Tensor:
    """Return the mean squared distance of the part's feature maps from BlazeFace's feature maps. Each distance is
    relative to the power of BlazeFace's feature map, and the distances of the part are summed."""
    maps = model.backbone.maps(image, [ours for ours, _, _ in part.maps])
    terms = []
    for ours, theirs, (_, _, channels) in zip(maps, originals, part.maps, strict=True):
        wanted = theirs[:, channels.to(theirs.device)].float()
        distance = (ours[:, : len(channels)].float() - wanted).square().mean()
        terms.append(distance / wanted.square().mean())
    return torch.stack(terms).sum()


def distil_features(learner: Learner, batches: Callable[[range, Teacher], Iterator[Batch]], recipe: Recipe) -> None:
    """Run the stage, with half of its steps for each part. `batches` returns the batches for a range of steps, with a
    teacher's outputs."""
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
