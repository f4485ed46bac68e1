"""Train the backbone to compute BlazeFace's feature maps. This distillation is the first stage of a training.

The first part of the distillation trains the blocks with feature maps of 64x64 and 32x32. The second part trains the
blocks with feature maps of 16x16 and 8x8. If all blocks were trained together from the start, the later blocks would
lose the weights that were copied from BlazeFace.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ..images.batches import Batch, Teacher
from ..network.architecture import Architecture
from ..network.model import BlazePoser
from ..network.weights import kept_channels
from .learner import Fit, Learner, autocast, console, progress, to_input
from .recipe import Recipe


@dataclass(frozen=True)
class Part:
    """One part of the distillation. `blocks` contains the numbers of the blocks that the part trains. Each item of
    `maps` is a tuple (ours, theirs, channels). `ours` is the number of a block in the trained network, and `theirs` is
    the number of a block in BlazeFace. Channel i of the block `ours` learns to imitate channel `channels[i]` of the
    block `theirs`."""

    blocks: range
    maps: tuple[tuple[int, int, Tensor], ...]


def parts(architecture: Architecture) -> list[Part]:
    """Return the parts of the distillation. The blocks at 64x64 learn only from the feature map of 32x32."""
    strides = [block.stride for block in architecture.blocks]
    ends = [i for i, stride in enumerate([*strides[1:], 2]) if stride == 2]
    kept = kept_channels(architecture)
    first, second, last = ends[-3:]
    maps = [(end, architecture.blocks[end].source, torch.from_numpy(kept[end + 1])) for end in (first, second, last)]
    return [Part(range(first + 1), (maps[0],)), Part(range(first + 1, last + 1), (maps[1], maps[2]))]


def parameters(part: Part, model: BlazePoser) -> list[nn.Parameter]:
    """Return the parameters that a part trains. The first part also trains the stem (the network's first
    convolution)."""
    modules = [model.backbone.blocks[index] for index in part.blocks]
    if part.blocks.start == 0:
        modules.append(model.backbone.stem)
    return [parameter for module in modules for parameter in module.parameters()]


def originals(part: Part, original: BlazePoser, pictures: Tensor) -> tuple[Tensor, ...]:
    """Return BlazeFace's feature maps for images. These feature maps are the targets of a part."""
    image = to_input(pictures)
    with torch.no_grad(), autocast(image.device):
        return tuple(original.backbone.maps(image, [theirs for _, theirs, _ in part.maps]))


def distance(part: Part, model: BlazePoser, originals: tuple[Tensor, ...], image: Tensor) -> Tensor:
    """Return the sum of the distances between the backbone's feature maps and BlazeFace's feature maps. Each distance
    is the mean squared difference, divided by the mean square of BlazeFace's feature map."""
    maps = model.backbone.maps(image, [ours for ours, _, _ in part.maps])
    terms = []
    for ours, theirs, (_, _, channels) in zip(maps, originals, part.maps, strict=True):
        wanted = theirs[:, channels.to(theirs.device)].float()
        distance = (ours[:, : len(channels)].float() - wanted).square().mean()
        terms.append(distance / wanted.square().mean())
    return torch.stack(terms).sum()


def distil_features(learner: Learner, batches: Callable[[range, Teacher], Iterator[Batch]], recipe: Recipe) -> None:
    """Train all parts of the distillation. Each part takes half of `recipe.distil_steps`. The function `batches` gets a
    range of steps and a `Teacher`. It returns the batches of these steps, with the results of the `Teacher` in
    `Batch.taught`."""
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
