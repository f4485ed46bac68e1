"""Compute the INT8 network in torch as a camera computes it, but with gradients for training.

Every tensor passes a quantizer with a trainable scale (LSQ+: Bhalgat et al., 2020). Gradients pass through rounding
unchanged. As in TensorFlow Lite's reference kernels, activations have asymmetric quantization per tensor, and weights
have symmetric quantization per channel. The scale of a convolution's int32 bias is the scale of the input times the
scale of the weights. The output of a reshape operation has the scale and zero point of the operation's input.
"""

import math
from collections.abc import Iterable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blazeposer.core.contract import INPUT_SCALE, INPUT_ZERO_POINT, OUTPUTS

from ..network.graph import INPUT, Operation, operations
from ..network.model import BlazePoser

LOWEST, HIGHEST = -128, 127
LEVELS = HIGHEST - LOWEST + 1
WEIGHT_LIMIT = 127
BIAS_LIMIT = 2**24
"""Largest absolute value of an int32 bias. float32 can represent all integers up to this value. Within this limit, a
bias cannot cause an overflow of an accumulator."""
FIXED_QUANTIZATION = {  # scale, zero point
    # -8 to 8. Outside of this range, the probability hardly changes. A wider range makes the steps near 0.5 coarser.
    "scores": (8 / 127, 0),
    # -1.6 to 1.6. The two rows of a rotation have a length of about 1, or more if the network is sure. With the limit
    # 1.1, the error is 0.15 degree larger.
    "rotation": (1.6 / 127, 0),
    # 0 to ln 60, for expected errors of 1 to 60 degrees.
    "error": (math.log(60) / 255, LOWEST),
}
"""Quantization of the outputs that have a fixed range."""


class Quantizer(nn.Module):
    """A module that rounds the values of one activation tensor to the 256 levels of INT8.

    A level q stands for the value scale * (q - zero_point). If `unsigned` is true, the zero point is always -128, as
    after a ReLU. If `frozen` is true, training changes neither the scale nor the zero point.
    """

    def __init__(self, scale: float = 1.0, zero_point: int = 0, unsigned: bool = False, frozen: bool = False) -> None:
        super().__init__()
        self.unsigned, self.frozen = unsigned, frozen
        self.start: Tensor
        self.register_buffer("start", torch.tensor(scale))
        self.growth = nn.Parameter(torch.zeros(()), requires_grad=not frozen)
        """Natural logarithm of `scale` / `start`."""
        first = (LOWEST if unsigned else zero_point) / LEVELS
        self.offset = nn.Parameter(torch.tensor(first), requires_grad=not (frozen or unsigned))
        """Zero point divided by LEVELS. The quotient is about as large as a weight, so that one learning rate fits all
        parameters."""

    def set_range(self, low: float, high: float) -> None:
        """Set the scale and the zero point for the range from `low` to `high`. One level stands for exactly 0."""
        low, high = (0.0 if self.unsigned else min(low, 0.0)), max(high, 1e-6)
        scale = (high - low) / (HIGHEST - LOWEST)
        with torch.no_grad():
            self.start.fill_(scale)
            self.growth.zero_()
            self.offset.fill_(min(max(round(LOWEST - low / scale), LOWEST), HIGHEST) / LEVELS)

    @property
    def scale(self) -> Tensor:
        return self.start * self.growth.exp()

    @property
    def zero_point(self) -> Tensor:
        return _round(self.offset * LEVELS).clamp(LOWEST, HIGHEST)

    @torch.no_grad()
    def levels(self, x: Tensor) -> Tensor:
        """Quantize the values `x`, and return the INT8 levels (-128 to 127) as floats."""
        return torch.clamp((x / self.scale).round() + self.zero_point, LOWEST, HIGHEST)

    @torch.no_grad()
    def values(self, levels: Tensor) -> Tensor:
        """Return the real values that INT8 levels represent."""
        return (levels.float() - self.zero_point) * self.scale

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, _FakeQuantization.apply(x, self.scale, self.zero_point))


class _FakeQuantization(torch.autograd.Function):
    """The rounding of values to INT8 levels, with the gradients of the LSQ+ paper (equations 3 to 5).

    The rounding has a gradient of 1. The gradients are written by hand, because torch's own gradients would need five
    tensors in memory and 50 % more time.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
        steps = x / scale
        levels = (steps.round() + zero_point).clamp_(LOWEST, HIGHEST) - zero_point
        ctx.save_for_backward(steps, levels, scale)
        return levels * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        steps, levels, scale = ctx.saved_tensors
        (gradient,) = gradients
        inside = gradient * (steps - levels).abs().le_(0.5)  # 0 where the value was clamped
        of_scale = (gradient * levels).sum() - (inside * steps).sum()
        return inside, of_scale, (inside.sum() - gradient.sum()) * scale


class QuantizedBlazePoser(nn.Module):
    """A network that computes with quantized tensors. The INT8 weights come from the float network in the attribute
    `network`. The float network may contain only `plain` blocks (see `architecture.Block`)."""

    def __init__(self, network: BlazePoser) -> None:
        super().__init__()
        assert all(block.kind == "plain" for block in network.architecture.blocks)
        self.network = network
        self.operations = operations(network.architecture)
        self.source: dict[str, str] = {INPUT: INPUT}
        """For the name of each tensor, the name of the tensor whose quantizer is used."""
        quantizers = {INPUT: Quantizer(INPUT_SCALE, INPUT_ZERO_POINT, frozen=True)}
        for operation in self.operations:
            if operation.kind == "reshape":
                self.source[operation.output] = self.source[operation.inputs[0]]
                continue
            self.source[operation.output] = operation.output
            fixed = next(
                (FIXED_QUANTIZATION[part] for part in operation.output.split(".") if part in FIXED_QUANTIZATION), None
            )
            quantizers[operation.output] = (
                Quantizer(*fixed, frozen=True) if fixed else Quantizer(unsigned=operation.activation != "none")
            )
        self.quantizers = nn.ModuleDict({_key(name): quantizer for name, quantizer in quantizers.items()})

    def quantizer(self, tensor: str) -> Quantizer:
        return cast(Quantizer, self.quantizers[_key(self.source[tensor])])

    def layer(self, operation: Operation) -> nn.Conv2d:
        """Return the torch convolution that has an operation's float weights."""
        return cast(nn.Conv2d, self.network.get_submodule(operation.output))

    def weight_scale(self, operation: Operation) -> Tensor:
        """Return the quantization step of each output channel's weights.

        The step is usually 1/127 of the channel's largest weight. A channel with a large bias gets a larger step,
        because of `BIAS_LIMIT`. All channels of a regressor head share one step, because all regressors are in pixels.
        Separate steps would make the file 1.4 KB larger.
        """
        layer = self.layer(operation)
        scale = layer.weight.detach().abs().amax(dim=(1, 2, 3)) / WEIGHT_LIMIT
        if layer.bias is not None:
            input_scale = self.quantizer(operation.inputs[0]).scale.detach()
            scale = torch.maximum(scale, layer.bias.detach().abs() / (input_scale * BIAS_LIMIT))
        if operation.per_tensor:
            scale = scale.amax().expand_as(scale)
        return scale.clamp(min=1e-9)

    def integers(self, operation: Operation) -> tuple[Tensor, Tensor | None]:
        """Return a convolution's quantized weights (out, in, kernel, kernel) and biases. The integers are in float
        tensors, because torch computes gradients only for floats."""
        layer = self.layer(operation)
        scale = self.weight_scale(operation)
        weight = torch.clamp(_round(layer.weight / scale[:, None, None, None]), -WEIGHT_LIMIT, WEIGHT_LIMIT)
        if layer.bias is None:
            return weight, None
        return weight, _round(layer.bias / (self.quantizer(operation.inputs[0]).scale * scale))

    def trace(self, image: Tensor, quantized: bool = True) -> dict[str, Tensor]:
        """Return all tensors of the network, by name. `image` has the shape (N, 3, 128, 128) and values from -1 to 1.

        The outputs have the shapes in `contract.OUTPUTS`, and all other tensors have the layout NCHW. If `quantized` is
        false, return the tensors of the float network.
        """
        tensors = {INPUT: self.quantizer(INPUT)(image) if quantized else image}
        return self.extend(tensors, self.operations, quantized)

    def extend(
        self, tensors: dict[str, Tensor], operations: Iterable[Operation], quantized: bool = True
    ) -> dict[str, Tensor]:
        """Compute `operations`, store their outputs in `tensors`, and return `tensors`. The caller ensures that
        `tensors` contains the inputs that none of `operations` computes."""
        for operation in operations:
            x = self.run(operation, tensors[operation.inputs[0]], quantized)
            if quantized and self.source[operation.output] == operation.output:
                x = self.quantizer(operation.output)(x)
            tensors[operation.output] = x
        return tensors

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the dequantized outputs, in the order of `contract.OUTPUTS`."""
        tensors = self.trace(image)
        return tuple(tensors[output.name] for output in OUTPUTS)

    def run(self, operation: Operation, x: Tensor, quantized: bool = True) -> Tensor:
        """Compute one operation from the real values `x` of its input. The result is not rounded to INT8 levels."""
        match operation.kind:
            case "conv" | "depthwise":
                layer = self.layer(operation)
                weight, bias = self.constants(operation) if quantized else (layer.weight, layer.bias)
                x = convolve(operation, x, weight, bias)
            case "reshape":
                x = x.permute(0, 2, 3, 1).reshape(x.shape[0], *operation.shape[1:])
        match operation.activation:
            case "relu":
                x = F.relu(x)
            case "relu6":
                x = F.relu6(x)
        return x

    def constants(self, operation: Operation) -> tuple[Tensor, Tensor | None]:
        """Return a convolution's weights and biases as real values, rounded to the quantization steps."""
        weight, bias = self.integers(operation)
        scale = self.weight_scale(operation)
        if bias is not None:
            bias = bias * (scale * self.quantizer(operation.inputs[0]).scale)
        return weight * scale[:, None, None, None], bias


def convolve(operation: Operation, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve `x` with TensorFlow's SAME padding, without activation. The layout of input and output is NCHW."""
    groups = operation.channels_in if operation.kind == "depthwise" else 1
    total = operation.kernel - operation.stride
    before = total // 2
    x = F.pad(x, (before, total - before, before, total - before))
    return F.conv2d(x, weight, bias, operation.stride, groups=groups)


def _round(x: Tensor) -> Tensor:
    """Round a tensor, with a gradient of 1 (straight-through estimator)."""
    return x + (x.round() - x).detach()


def _key(tensor: str) -> str:
    return tensor.replace(".", "/")
