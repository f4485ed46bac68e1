"""Describe the network as a list of operations, with the order, layout (NHWC) and names of a tflite file.

In each block, the pool and pad operations come before the convolutions, so that fewer tensors are in memory at the same
time. With TensorFlow's order of operations, the network's working memory (arena) would be a quarter larger. Only
residual blocks have pool, pad and add operations. No residual network ships, but tests write files of residual
networks.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from blazeposer.core.contract import GRIDS, INPUT_SIZE, OUTPUTS, REGRESSOR_VALUES, ROTATION_VALUES

from .architecture import INPUT_CHANNELS, Architecture, Block

Kind = Literal["conv", "depthwise", "pool", "pad", "add", "reshape"]
Activation = Literal["none", "relu", "relu6"]
INPUT = "image"
INPUT_SHAPE = (1, INPUT_SIZE, INPUT_SIZE, 3)
BLOCK_KERNEL = 3


@dataclass(frozen=True)
class Operation:
    """One operation of the network. Convolutions use TensorFlow's `SAME` padding. The operation `pool` is a 2x2 max
    pooling with stride 2, and the operation `pad` appends channels of zeros. For an operation with weights, `output` is
    also the name of its torch module."""

    kind: Kind
    output: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    """Shape of the output for one image."""
    kernel: int = 1
    stride: int = 1
    channels_in: int = 0
    activation: Activation = "none"
    per_tensor: bool = False
    """True if all weights share one quantization step. False if each output channel has its own quantization step."""

    @property
    def has_weights(self) -> bool:
        return self.kind in ("conv", "depthwise")

    @property
    def macs(self) -> int:
        """Return the number of multiply-accumulate operations for one image."""
        if not self.has_weights:
            return 0
        return math.prod(self.shape) * self.kernel**2 * (self.channels_in if self.kind == "conv" else 1)


def operations(architecture: Architecture) -> tuple[Operation, ...]:
    """Return the operations of an architecture in the order of execution."""
    return tuple(_operations(architecture))


def _operations(architecture: Architecture) -> Iterator[Operation]:
    side, channels = INPUT_SIZE // 2, architecture.stem
    x = "backbone.stem"
    activation: Activation = "relu6" if architecture.folds else "relu"
    shape = (1, side, side, channels)
    yield Operation("conv", x, (INPUT,), shape, architecture.stem_kernel, 2, INPUT_CHANNELS, activation)
    for index, description in enumerate(architecture.blocks):
        side //= description.stride
        shape = (1, side, side, description.channels)
        yield from _block(f"backbone.blocks.{index}", description, x, channels, shape)
        x, channels = block_output(architecture, index), description.channels
        if index in architecture.taps:
            yield from _heads(architecture, architecture.taps.index(index), x)


def block_output(architecture: Architecture, index: int) -> str:
    last = {"residual": "", "plain": ".pointwise"}[architecture.blocks[index].kind]
    return f"backbone.blocks.{index}{last}"


def _block(block: str, description: Block, x: str, channels: int, shape: tuple[int, ...]) -> Iterator[Operation]:
    stride, residual = description.stride, description.kind == "residual"
    shortcut = x
    if residual and stride == 2:
        yield Operation("pool", f"{block}.pool", (shortcut,), (*shape[:3], channels))
        shortcut = f"{block}.pool"
    if residual and description.channels > channels:
        yield Operation("pad", f"{block}.pad", (shortcut,), shape, channels_in=channels)
        shortcut = f"{block}.pad"
    yield Operation("depthwise", f"{block}.depthwise", (x,), (*shape[:3], channels), BLOCK_KERNEL, stride, channels)
    activation: Activation = "none" if residual else "relu6"
    pointwise = f"{block}.pointwise"
    yield Operation("conv", pointwise, (f"{block}.depthwise",), shape, channels_in=channels, activation=activation)
    if residual:
        yield Operation("add", block, (shortcut, pointwise), shape, activation="relu")


def _heads(architecture: Architecture, tap: int, x: str) -> Iterator[Operation]:
    grid, channels, hidden = GRIDS[tap], architecture.tap_channels[tap], architecture.pose_hidden
    rank, head, values = architecture.regressor_ranks[tap], f"regressors.{tap}", grid.anchors * REGRESSOR_VALUES
    if rank:
        shape = (1, grid.side, grid.side, rank)
        yield Operation("conv", f"{head}.0", (x,), shape, channels_in=channels, per_tensor=True)
        yield from _output(f"{head}.1", "regressors", grid.side, f"{head}.0", rank, values)
    else:
        yield from _output(head, "regressors", grid.side, x, channels, values)
    yield from _output(f"scores.{tap}", "scores", grid.side, x, channels, grid.anchors)
    pose, shape = f"poses.{tap}", (1, grid.side, grid.side, hidden)
    yield Operation("conv", f"{pose}.hidden", (x,), shape, channels_in=channels, activation="relu")
    yield from _output(f"{pose}.rotation", "rotation", grid.side, f"{pose}.hidden", hidden, ROTATION_VALUES)
    yield from _output(f"{pose}.error", "error", grid.side, f"{pose}.hidden", hidden, 1)


def _output(head: str, kind: str, side: int, x: str, channels: int, values: int) -> Iterator[Operation]:
    """Yield a 1x1 convolution and a reshape, which compute the network's output `kind`_`side`."""
    output = next(output for output in OUTPUTS if output.name == f"{kind}_{side}")
    shape, per_tensor = (1, side, side, values), kind == "regressors"
    yield Operation("conv", head, (x,), shape, channels_in=channels, per_tensor=per_tensor)
    yield Operation("reshape", output.name, (head,), output.shape)
