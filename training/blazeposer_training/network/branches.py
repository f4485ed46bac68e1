"""Add shortcuts to the network's convolutions for the training, and remove the shortcuts after the training. The use of
branches that exist only in training is called structural re-parameterization (Ding et al., "RepVGG", 2021).

A plain block computes clamp(P'(D'x)), with a depthwise convolution D' and a pointwise convolution P'. In training, each
of the two convolutions of a plain block is the sum of a learned convolution and the identity. The identity passes the
input on unchanged, so the learned convolution only has to compute the difference between input and output. The learned
convolution and the identity are linear. After training, both become one filter (`fold`), so that the network on a
camera has no shortcuts.

In training, the values of the feature maps are `SCALE` times as large as in the folded network. `SCALE` matches the
large values in the feature maps of BlazeFace, from whose weights the training starts. After training, `scale_maps`
makes the values of the feature maps smaller by changing weights and biases. The folded network clamps its feature maps
at 6, which is the limit of tflite's RELU6. In training, the clamp is also `SCALE` times as large (60), so the scaling
changes no output of the network.
"""

import copy
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .model import CEILING, BlazePoser

SCALE = 10.0


class Shortcut(nn.Module):
    """A convolution whose kernel is the sum of a learned kernel and the identity."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution
        self.identity: Tensor
        self.register_buffer("identity", identity(convolution), persistent=False)
        with torch.no_grad():
            convolution.weight -= self.identity

    @property
    def kernel(self) -> Tensor:
        """Return the sum of the learned kernel and the identity kernel."""
        return self.convolution.weight + self.identity

    def forward(self, x: Tensor) -> Tensor:
        like = self.convolution
        return F.conv2d(x, self.kernel, like.bias, like.stride, cast(tuple[int, int], like.padding), 1, like.groups)


def identity(convolution: nn.Conv2d) -> Tensor:
    """Return a kernel with which a convolution passes its input on unchanged (identity kernel).

    If the convolution has different numbers of input and output channels, the identity kernel passes only the channels
    that both the input and the output have.
    """
    kernel = torch.zeros_like(convolution.weight)
    channels, side = min(convolution.in_channels, convolution.out_channels), kernel.shape[-1]
    at = torch.arange(channels)
    kernel[at, at if convolution.groups == 1 else 0, side // 2, side // 2] = 1
    return kernel


def unfold(network: BlazePoser) -> BlazePoser:
    """Copy a plain network, add the shortcuts that exist only in training to the copy, and return the copy. The copy
    computes the same outputs as the original network, but has larger values in the feature maps."""
    network = copy.deepcopy(network)
    scale_maps(network, SCALE)
    clamp_at(network, SCALE * CEILING)
    for block in network.backbone.blocks:
        for name, child in list(block.named_children()):
            setattr(block, name, Shortcut(cast(nn.Conv2d, child)))
    return network


@torch.no_grad()
def fold(network: BlazePoser) -> BlazePoser:
    """Return a copy of a trained network without the shortcuts that only training needs. The function `fold` reverses
    the changes of `unfold`."""
    trained, network = network, BlazePoser(network.architecture)
    outside = {name: value for name, value in trained.state_dict().items() if not name.startswith("backbone.blocks")}
    network.load_state_dict(outside, strict=False)
    for theirs, ours in zip(trained.backbone.blocks, network.backbone.blocks, strict=True):
        for name, child in theirs.named_children():
            convolution, shortcut = cast(nn.Conv2d, getattr(ours, name)), cast(Shortcut, child)
            convolution.weight.copy_(shortcut.kernel)
            if convolution.bias is not None and shortcut.convolution.bias is not None:
                convolution.bias.copy_(shortcut.convolution.bias)
    scale_maps(network, 1 / SCALE)
    return network.train(trained.training)


def clamp_at(network: BlazePoser, ceiling: float) -> None:
    """Set the largest possible value in all feature maps of a plain backbone."""
    for module in (network.backbone, *network.backbone.blocks):
        module.ceiling = ceiling


@torch.no_grad()
def scale_maps(network: BlazePoser, factor: float) -> None:
    """Multiply the values of all feature maps of a plain backbone by `factor`. To keep the network's outputs unchanged,
    the weights of the first layer of each head are divided by `factor`."""
    backbone = network.backbone
    backbone.stem.weight *= factor
    for name, parameter in backbone.named_parameters():
        if name.endswith("bias"):
            parameter.mul_(factor)
    for head in (*network.scores, *network.regressors, *(head.hidden for head in network.pose_heads)):
        first = cast(nn.Conv2d, head[0] if isinstance(head, nn.Sequential) else head)
        first.weight /= factor
