"""Export the weights, biases and scales of a torch network in the layout of a tflite file."""

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..network.graph import Operation, operations
from ..network.model import BlazePoser
from .flatbuffer import Layer, Quantization
from .quantized import QuantizedBlazePoser


def float_layers(network: BlazePoser) -> dict[str, Layer]:
    layers = {}
    for operation in filter(lambda operation: operation.has_weights, operations(network.architecture)):
        layer = cast(nn.Conv2d, network.get_submodule(operation.output))
        bias = None if layer.bias is None else layer.bias.numpy(force=True)
        layers[operation.output] = Layer(tflite_layout(operation, layer.weight.numpy(force=True)), bias)
    return layers


@torch.no_grad()
def int8_layers(model: QuantizedBlazePoser) -> dict[str, Layer]:
    layers = {}
    for operation in filter(lambda operation: operation.has_weights, model.operations):
        weight, bias = model.integers(operation)
        layers[operation.output] = Layer(
            tflite_layout(operation, weight.numpy()).astype(np.int8),
            None if bias is None else bias.numpy().astype(np.int32),
            model.weight_scale(operation)[: 1 if operation.per_tensor else None].numpy(),
        )
    return layers


@torch.no_grad()
def activation_quantization(model: QuantizedBlazePoser) -> dict[str, Quantization]:
    """Return the scale and the zero point of every tensor that an operation reads or writes."""
    quantizers = {name: model.quantizer(name) for name in model.source}
    return {name: (float(item.scale), int(item.zero_point)) for name, item in quantizers.items()}


def tflite_layout(operation: Operation, weight: NDArray[Any]) -> NDArray[Any]:
    """Convert weights from torch's layout (out, in, kernel, kernel) to (out, kernel, kernel, in), or for a depthwise
    convolution to (1, kernel, kernel, out)."""
    return np.ascontiguousarray(weight.transpose((0, 2, 3, 1) if operation.kind == "conv" else (1, 2, 3, 0)))
