"""Define the float network, which has a backbone, detection heads, and two small pose heads.

    image (N, 3, 128, 128) in [-1, 1]
      stem 3x3 /2 ................ 64x64x16
      block 0 .................... 64x64x16
      blocks 1-3 ................. 32x32x42
      blocks 4-9 ................. 16x16x88   tap: 2 anchors a cell, pose head
      blocks 10-14 ...............  8x8x88    tap: 6 anchors a cell, pose head

The diagram shows `architecture.ARCHITECTURE`. A tap is a feature map that the heads read. The backbone and the
detection heads come from MediaPipe's short-range BlazeFace (Bazarevsky et al., 2019). The pose heads are placed as in
Abbaszadeh's thesis (Politecnico di Milano, 2025). A depthwise convolution has no bias, because BlazeFace's bias is
folded exactly into the pointwise convolution.
"""

import math
from collections.abc import Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from blazeposer.core.contract import GRIDS, REGRESSOR_VALUES, ROTATION_VALUES

from .architecture import ARCHITECTURE, INPUT_CHANNELS, Architecture, Block

CEILING = 6.0
"""Largest value of a plain network's feature maps, as in RELU6."""
INITIAL_LOG_ERROR = math.log(5.0)
"""Logarithm of the expected error before training. 5 degrees is about the true error before training."""


class BlazeBlock(nn.Module):
    """A residual block. It adds its input to the output of its convolutions. Before the addition, the input is pooled
    if the stride is 2, and gets channels of zeros if the output has more channels."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.extra = channels_out - channels_in
        self.depthwise = nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=False)
        self.pointwise = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        shortcut, x = x, self.depthwise(x)
        if self.stride == 2:  # TensorFlow's SAME pads only right and bottom. The result is the odd rows and columns
            # of a convolution with stride 1, whose gradient is several times faster on a CPU.
            shortcut, x = F.max_pool2d(shortcut, 2), x[:, :, 1::2, 1::2]
        if self.extra:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.extra))
        return F.relu(shortcut + self.pointwise(x))


class PlainBlock(nn.Module):
    """A plain block, which has no shortcut. Its output is clamped."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.stride, self.ceiling = stride, CEILING
        self.depthwise = nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=False)
        self.pointwise = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.depthwise(x)
        if self.stride == 2:  # see BlazeBlock
            x = x[:, :, 1::2, 1::2]
        return F.hardtanh(self.pointwise(x), 0, self.ceiling)


def _block(description: Block, channels_in: int) -> nn.Module:
    kind = BlazeBlock if description.kind == "residual" else PlainBlock
    return kind(channels_in, description.channels, description.stride)


class Backbone(nn.Module):
    """The layers that compute the feature maps (N, channels, 16, 16) and (N, channels, 8, 8) from an image."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.taps = architecture.taps
        self.ceiling = CEILING if architecture.folds else math.inf
        self.stem = nn.Conv2d(INPUT_CHANNELS, architecture.stem, architecture.stem_kernel, 2)
        total = architecture.stem_kernel - 2  # padding of TensorFlow's SAME
        self.rim = (total // 2, total - total // 2) * 2
        channels = [architecture.stem, *(block.channels for block in architecture.blocks)]
        self.blocks = nn.ModuleList(
            _block(block, channels_in) for channels_in, block in zip(channels, architecture.blocks, strict=False)
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        first, second = self.maps(image, self.taps)
        return first, second

    def maps(self, image: Tensor, blocks: Sequence[int]) -> list[Tensor]:
        """Return the feature maps of the blocks with the numbers `blocks`, in the order of execution. Later blocks are
        not run."""
        x = self.stem(F.pad(image, self.rim)).clamp(0, self.ceiling)
        maps = []
        for index in range(max(blocks) + 1):
            x = self.blocks[index](x)
            if index in blocks:
                maps.append(x)
        return maps


class PoseHead(nn.Module):
    """A pose head, which computes rotation values (N, 6, side, side) and the logarithms of the expected errors (N, 1,
    side, side)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(channels, hidden, 1)
        self.rotation = nn.Conv2d(hidden, ROTATION_VALUES, 1)
        self.error = nn.Conv2d(hidden, 1, 1)
        assert self.error.bias is not None
        nn.init.zeros_(self.error.weight)
        nn.init.constant_(self.error.bias, INITIAL_LOG_ERROR)

    def embed(self, tap: Tensor) -> Tensor:
        """Return the output (N, hidden, side, side) of the hidden layer. In training, the angle bins (small ranges of
        the angles) are also computed from this output."""
        return F.relu(self.hidden(tap))

    def forward(self, tap: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.embed(tap)
        return self.rotation(hidden), self.error(hidden)


class BlazePoser(nn.Module):
    """The whole float network. `forward` returns the outputs in the order of `contract.OUTPUTS`."""

    def __init__(self, architecture: Architecture = ARCHITECTURE) -> None:
        super().__init__()
        self.architecture = architecture
        self.backbone = Backbone(architecture)
        widths = architecture.tap_channels
        self.scores = nn.ModuleList(nn.Conv2d(w, g.anchors, 1) for w, g in zip(widths, GRIDS, strict=True))
        self.regressors = nn.ModuleList(
            regressor_head(w, rank, g.anchors * REGRESSOR_VALUES)
            for w, rank, g in zip(widths, architecture.regressor_ranks, GRIDS, strict=True)
        )
        self.poses = nn.ModuleList(PoseHead(w, architecture.pose_hidden) for w in widths)

    @property
    def pose_heads(self) -> list[PoseHead]:
        return cast(list[PoseHead], list(self.poses))

    def detect(self, taps: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Compute the outputs 0 to 3 of `contract.OUTPUTS` from the two feature maps."""
        regressors = [cell_rows(head(tap), REGRESSOR_VALUES) for head, tap in zip(self.regressors, taps, strict=True)]
        scores = [cell_rows(head(tap), 1) for head, tap in zip(self.scores, taps, strict=True)]
        return regressors[0], scores[0], scores[1], regressors[1]

    def pose(self, taps: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Compute the outputs 4 to 7 of `contract.OUTPUTS` from the two feature maps."""
        (rotation_16, error_16), (rotation_8, error_8) = (
            head(tap) for head, tap in zip(self.pose_heads, taps, strict=True)
        )
        return cell_rows(rotation_16, 6), cell_rows(rotation_8, 6), cell_rows(error_16, 1), cell_rows(error_8, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        taps = self.backbone(image)
        return self.detect(taps) + self.pose(taps)


def regressor_head(channels: int, rank: int, values: int) -> nn.Module:
    """Return a 1x1 convolution if `rank` is 0. For another `rank`, return two 1x1 convolutions with `rank` channels
    between them. A low rank is enough, because the anchors of a cell give nearly the same regressors."""
    if not rank:
        return nn.Conv2d(channels, values, 1)
    return nn.Sequential(nn.Conv2d(channels, rank, 1), nn.Conv2d(rank, values, 1))


def cell_rows(maps: Tensor, values: int) -> Tensor:
    """Reorder (N, anchors * values, side, side) to one row for each anchor, (N, side * side * anchors, values)."""
    return maps.permute(0, 2, 3, 1).reshape(maps.shape[0], -1, values)
