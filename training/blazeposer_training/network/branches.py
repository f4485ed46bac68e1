"""Add branches to the network's convolutions for the training, and remove the branches after the training. The use of
branches that exist only in training is called structural re-parameterization (Ding et al., "RepVGG", 2021).

A plain block computes clamp(P'(D'x)), with a depthwise convolution D' and a pointwise convolution P'. In training, each
of the two convolutions of a plain block is the sum of a learned convolution and the identity. The identity passes the
input on unchanged, so the learned convolution only has to compute the difference between input and output. If the
argument `parallel` of `unfold` is not 0, a learned convolution is the sum of `parallel` branches, and a learned
depthwise convolution also has a branch with a 1x1 kernel. Each branch is a convolution with its own batch norm (Vasu et
al., "MobileOne", 2023). Without batch norms, several branches would only have the effect of a higher learning rate.

All branches are linear. After training, the branches become one filter (`fold`), so that the network on a camera has no
branches.

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

    @property
    def bias(self) -> Tensor | None:
        """Return the bias of the learned convolution."""
        return self.convolution.bias

    def forward(self, x: Tensor) -> Tensor:
        return _convolve(self.convolution, x, self.kernel, self.bias)


class Branches(nn.Module):
    """A convolution that is computed as the sum of the identity and several branches.

    Each branch is a convolution with a batch norm. Before training, the identity kernel and the kernels of the branches
    add up almost exactly to the original kernel. After `settle`, `Branches` computes the same outputs as the original
    convolution.
    """

    def __init__(self, convolution: nn.Conv2d, parallel: int) -> None:
        super().__init__()
        shortcut = Shortcut(copy.deepcopy(convolution))
        self.identity: Tensor
        self.register_buffer("identity", shortcut.identity, persistent=False)
        learned, side = shortcut.convolution.weight.detach(), convolution.weight.shape[-1]
        self.like = convolution
        del convolution.weight
        noise = [torch.randn_like(learned) * learned.std() / parallel for _ in range(parallel)]
        mean = torch.stack(noise).mean(0)
        kernels = [learned / parallel + part - mean for part in noise]
        if side > 1:
            kernels.append(torch.zeros_like(learned[..., :1, :1]) + 1e-3 * torch.randn_like(learned[..., :1, :1]))
        self.kernels = nn.ParameterList(kernels)
        self.norms = nn.ModuleList(nn.BatchNorm2d(len(learned)) for _ in kernels)
        self.settling = False

    @property
    def kernel(self) -> Tensor:
        """Return the kernel of the single convolution that can replace all branches after training."""
        total = self.identity.clone()
        for kernel, norm in zip(self.kernels, self.norms, strict=True):
            total += _padded(kernel, total) * _scale(norm)[:, None, None, None]
        return total

    @property
    def bias(self) -> Tensor:
        """Return the bias of the single convolution that can replace all branches after training."""
        own = self.like.bias
        total = self.identity.new_zeros(len(self.identity)) if own is None else own
        for norm in cast(list[nn.BatchNorm2d], list(self.norms)):
            total = total + norm.bias - cast(Tensor, norm.running_mean) * _scale(norm)
        return total

    def forward(self, x: Tensor) -> Tensor:
        y = _convolve(self.like, x, self.identity, self.like.bias)
        for kernel, norm in zip(self.kernels, self.norms, strict=True):
            part = _convolve(self.like, x, _padded(kernel, self.identity), None)
            if self.settling:
                _settle(norm, part)
            y = y + norm(part)
        return y


def _convolve(like: nn.Conv2d, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    return F.conv2d(x, kernel, bias, like.stride, cast(tuple[int, int], like.padding), 1, like.groups)


def _padded(kernel: Tensor, like: Tensor) -> Tensor:
    """Pad a kernel with zeros to the size of another kernel (`like`)."""
    rim = (like.shape[-1] - kernel.shape[-1]) // 2
    return F.pad(kernel, (rim,) * 4)


def _scale(norm: nn.Module) -> Tensor:
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_var is not None
    return norm.weight / (norm.running_var + norm.eps).sqrt()


def _settle(norm: nn.Module, values: Tensor) -> None:
    """Set the parameters of a batch norm so that the batch norm does not change the tensor `values`."""
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    variance, mean = torch.var_mean(values.float(), (0, 2, 3), correction=0)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.bias.copy_(mean)
    norm.weight.copy_((variance + norm.eps).sqrt())


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


def unfold(network: BlazePoser, parallel: int = 0) -> BlazePoser:
    """Copy a network, add the branches that exist only in training to the copy, and return the copy. The copy computes
    the same outputs as the original network, but has larger values in the feature maps.

    A network without plain blocks is copied unchanged. If `parallel` is not 0, the batch norms of the copy must be set
    with `settle` before the training.
    """
    network = copy.deepcopy(network)
    if network.architecture.folds:
        scale_maps(network, SCALE)
        clamp_at(network, SCALE * CEILING)
        for block in network.backbone.blocks:
            for name, child in list(block.named_children()):
                convolution = cast(nn.Conv2d, child)
                setattr(block, name, Branches(convolution, parallel) if parallel else Shortcut(convolution))
    return network


@torch.no_grad()
def settle(network: BlazePoser, image: Tensor) -> None:
    """Use images to set the batch norms of a network that `unfold` returned. `image` (N, 3, 128, 128) contains the
    images. After `settle`, the network computes the same outputs for these images as before `unfold`."""
    branches = [module for module in network.modules() if isinstance(module, Branches)]
    for module in branches:
        module.settling = True
    network.backbone(image)
    for module in branches:
        module.settling = False


@torch.no_grad()
def fold(network: BlazePoser) -> BlazePoser:
    """Return a copy of a trained network without the branches that only training needs. The function `fold` reverses
    the changes of `unfold`."""
    trained, network = network, BlazePoser(network.architecture)
    if not network.architecture.folds:
        network.load_state_dict(trained.state_dict())
        return network.train(trained.training)
    outside = {name: value for name, value in trained.state_dict().items() if not name.startswith("backbone.blocks")}
    network.load_state_dict(outside, strict=False)
    for theirs, ours in zip(trained.backbone.blocks, network.backbone.blocks, strict=True):
        passed = None  # bias of a depthwise convolution, which the next convolution takes over
        for name, child in theirs.named_children():
            convolution, branches = cast(nn.Conv2d, getattr(ours, name)), cast(Shortcut, child)
            kernel, bias = branches.kernel, branches.bias
            convolution.weight.copy_(kernel)
            if convolution.bias is None:
                passed = bias
            elif bias is not None:
                convolution.bias.copy_(bias if passed is None else bias + kernel[:, :, 0, 0] @ passed)
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
