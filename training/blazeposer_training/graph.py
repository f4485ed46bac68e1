"""The network as a list of operations: the order, layout and names in which a tflite file has them.

The one description that the quantized torch network, the flatbuffer writer and the TensorFlow cross-check all read, so
that the three cannot differ in structure. Tensors are NHWC. Pool and pad come before depthwise and pointwise: fewer
tensors are alive at once, which makes the arena a fifth smaller than TensorFlow's order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from blazeposer.contract import GRIDS, INPUT_SIZE, OUTPUTS, REGRESSOR_VALUES, ROTATION_VALUES

from .model import BLOCKS, POSE_HIDDEN, STEM_CHANNELS, TAPS

Kind = Literal["conv", "depthwise", "pool", "pad", "add", "reshape"]
INPUT = "image"
INPUT_SHAPE = (1, INPUT_SIZE, INPUT_SIZE, 3)
STEM_KERNEL = 5
DEPTHWISE_KERNEL = 3


@dataclass(frozen=True)
class Operation:
    """One operation. Convolutions pad as TensorFlow's SAME, pool is 2x2 with stride 2, pad appends channels of zero.

    A convolution's `output` is also the prefix of its weight and bias in `BlazePoser`'s state.
    """

    kind: Kind
    output: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    """Of the output; a batch of one."""
    kernel: int = 1
    stride: int = 1
    channels_in: int = 0
    relu: bool = False

    @property
    def has_weights(self) -> bool:
        return self.kind in ("conv", "depthwise")

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        if not self.has_weights:
            return 0
        return math.prod(self.shape) * self.kernel**2 * (self.channels_in if self.kind == "conv" else 1)


def operations() -> tuple[Operation, ...]:
    """All operations in the order of execution, each after those that it reads."""
    return tuple(_operations())


def _operations() -> Iterator[Operation]:
    side = INPUT_SIZE // 2
    x = "backbone.stem"
    yield Operation("conv", x, (INPUT,), (1, side, side, STEM_CHANNELS), STEM_KERNEL, 2, 3, relu=True)
    for index, (channels_in, channels_out, stride) in enumerate(BLOCKS):
        side //= stride
        block = f"backbone.blocks.{index}"
        shape = (1, side, side, channels_out)
        shortcut = x
        if stride == 2:
            yield Operation("pool", f"{block}.pool", (shortcut,), (1, side, side, channels_in))
            shortcut = f"{block}.pool"
        if channels_out > channels_in:
            yield Operation("pad", f"{block}.pad", (shortcut,), shape, channels_in=channels_in)
            shortcut = f"{block}.pad"
        yield from _separable(block, "pointwise", x, shape, channels_in, stride)
        yield Operation("add", block, (shortcut, f"{block}.pointwise"), shape, relu=True)
        x = block
        if index in TAPS:
            yield from _heads(TAPS.index(index), x, channels_out)


def _separable(
    prefix: str, last: str, x: str, shape: tuple[int, ...], channels_in: int, stride: int = 1, relu: bool = False
) -> Iterator[Operation]:
    """Depthwise 3x3 and a 1x1 convolution called `last`."""
    depthwise = f"{prefix}.depthwise"
    yield Operation("depthwise", depthwise, (x,), (*shape[:3], channels_in), DEPTHWISE_KERNEL, stride, channels_in)
    yield Operation("conv", f"{prefix}.{last}", (depthwise,), shape, channels_in=channels_in, relu=relu)


def _heads(tap: int, x: str, channels: int) -> Iterator[Operation]:
    grid = GRIDS[tap]
    pose = f"poses.{tap}"
    yield from _output(f"regressors.{tap}", f"regressors_{grid.side}", x, channels, grid.anchors * REGRESSOR_VALUES)
    yield from _output(f"scores.{tap}", f"scores_{grid.side}", x, channels, grid.anchors)
    yield from _separable(pose, "hidden", x, (1, grid.side, grid.side, POSE_HIDDEN), channels, relu=True)
    yield from _output(f"{pose}.rotation", f"rotation_{grid.side}", f"{pose}.hidden", POSE_HIDDEN, ROTATION_VALUES)
    yield from _output(f"{pose}.error", f"error_{grid.side}", f"{pose}.hidden", POSE_HIDDEN, 1)


def _output(head: str, name: str, x: str, channels: int, values: int) -> Iterator[Operation]:
    """A 1x1 convolution and the reshape that makes it the output `name` of the contract."""
    output = next(output for output in OUTPUTS if output.name == name)
    side = next(grid.side for grid in GRIDS if name.endswith(f"_{grid.side}"))
    yield Operation("conv", head, (x,), (1, side, side, values), channels_in=channels)
    yield Operation("reshape", name, (head,), output.shape)
