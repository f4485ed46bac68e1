"""Shortcuts that exist in training only: structural re-parameterization (Ding et al., "RepVGG", 2021).

A plain block is clamp(P'(D'x)). In training D' = D + I and P' = P + I, the identity cut or padded to the channels, so
that D and P learn what differs from passing the input on. All three are linear: after training the sums are filters
again (`fold`), and what runs on a camera has no shortcut.

In training the maps are `SCALE` times as large as in the folded network, for BlazeFace's weights, from which they
start, are made for that. Between the two lies a factor on the stem, the biases and the heads: exact, because clamping
at 60 and at 6 are then the same. The folded network clamps where tflite's RELU6 does.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .model import CEILING, BlazePoser

SCALE = 10.0


class Shortcut(nn.Module):
    """A convolution whose kernel is a learned one and the identity."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution
        self.identity: Tensor
        self.register_buffer("identity", identity(convolution), persistent=False)
        with torch.no_grad():
            convolution.weight -= self.identity

    @property
    def kernel(self) -> Tensor:
        return self.convolution.weight + self.identity

    def forward(self, x: Tensor) -> Tensor:
        own = self.convolution
        return F.conv2d(x, self.kernel, own.bias, own.stride, cast(tuple[int, int], own.padding), 1, own.groups)

    def folded(self) -> nn.Conv2d:
        """The one convolution that computes the same."""
        convolution = copy.deepcopy(self.convolution)
        with torch.no_grad():
            convolution.weight.copy_(self.kernel)
        return convolution


def identity(convolution: nn.Conv2d) -> Tensor:
    """The kernel, shaped as the convolution's, that passes as many channels on as there are on both sides."""
    kernel = torch.zeros_like(convolution.weight)
    channels, side = min(convolution.in_channels, convolution.out_channels), kernel.shape[-1]
    at = torch.arange(channels)
    kernel[at, at if convolution.groups == 1 else 0, side // 2, side // 2] = 1
    return kernel


def unfold(network: BlazePoser) -> BlazePoser:
    """A copy of a network to train, its function the same but for the scale of the maps; without plain blocks a mere
    copy."""
    network = copy.deepcopy(network)
    if network.architecture.folds:
        scale_maps(network, SCALE)
        clamp_at(network, SCALE * CEILING)
        for block in network.backbone.blocks:
            for name, child in list(block.named_children()):
                setattr(block, name, Shortcut(cast(nn.Conv2d, child)))
    return network


def fold(network: BlazePoser) -> BlazePoser:
    """A copy of a trained network without what only training needs: the inverse of `unfold`."""
    network = copy.deepcopy(network)
    if network.architecture.folds:
        for block in network.backbone.blocks:
            for name, child in list(block.named_children()):
                setattr(block, name, cast(Shortcut, child).folded())
        scale_maps(network, 1 / SCALE)
        clamp_at(network, CEILING)
    return network


def clamp_at(network: BlazePoser, ceiling: float) -> None:
    """Set the largest value of all maps of a plain backbone."""
    for module in (network.backbone, *network.backbone.blocks):
        module.ceiling = ceiling


@torch.no_grad()
def scale_maps(network: BlazePoser, factor: float) -> None:
    """Multiply all maps of a plain backbone by a factor through its weights; the outputs stay as they are."""
    backbone = network.backbone
    backbone.stem.weight *= factor
    for name, parameter in backbone.named_parameters():
        if name.endswith("bias"):
            parameter.mul_(factor)
    for head in (*network.scores, *network.regressors, *(head.hidden for head in network.pose_heads)):
        first = cast(nn.Conv2d, head[0] if isinstance(head, nn.Sequential) else head)
        first.weight /= factor
