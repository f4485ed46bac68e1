"""Rebuild the torch network from which an INT8 tflite file was written. This module reverses `export.py`."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blazeposer.core.errors import ModelError
from blazeposer.tflite import graph as tflite

from ..network.architecture import ARCHITECTURES, Architecture
from ..network.graph import INPUT, Operation, operations
from ..network.model import BlazePoser
from .flatbuffer import OPERATOR_NAMES
from .quantized import LEVELS, QuantizedBlazePoser


class ReadBack(QuantizedBlazePoser):
    """The quantized network that an INT8 tflite file contains, with the quantization steps of the file. If the network
    is written to a file again, the new file has the same bytes.

    Raises ModelError if the file has none of this project's architectures.
    """

    def __init__(self, data: bytes, name: str) -> None:
        graph = tflite.read_graph(data, name)
        super().__init__(BlazePoser(_architecture(graph, name)))
        self._scales: dict[str, Tensor] = {}
        with torch.no_grad():
            self._set_range(INPUT, graph.input_tensors[0])
            for operation, written in zip(self.operations, graph.operations, strict=True):
                if self.source[operation.output] == operation.output:
                    self._set_range(operation.output, graph.tensors[written.outputs[0]])
                if operation.has_weights:
                    weight, bias = written.inputs[1:3]
                    self._set_layer(operation, graph.tensors[weight], graph.constants[weight], graph.constants[bias])
        self.eval()

    def weight_scale(self, operation: Operation) -> Tensor:
        """Return the quantization steps of a convolution's weights, as stored in the file."""
        return self._scales[operation.output]

    def _set_range(self, name: str, tensor: tflite.Tensor) -> None:
        quantizer = self.quantizer(name)
        quantizer.start.fill_(tensor.scale)
        quantizer.growth.zero_()
        quantizer.offset.fill_(tensor.zero_point / LEVELS)

    def _set_layer(self, operation: Operation, tensor: tflite.Tensor, weight: NDArray[Any], bias: NDArray[Any]) -> None:
        layer = self.layer(operation)
        scales = torch.tensor(tensor.scales, dtype=torch.float32).expand(layer.out_channels)
        self._scales[operation.output] = scales
        order = (0, 3, 1, 2) if operation.kind == "conv" else (3, 0, 1, 2)
        integers = torch.tensor(weight.transpose(order).astype(np.float32))
        layer.weight.copy_(integers * scales[:, None, None, None])
        if layer.bias is not None:
            layer.bias.copy_(torch.tensor(bias.astype(np.float32)) * self.quantizer(operation.inputs[0]).scale * scales)


def _architecture(graph: tflite.Graph, name: str) -> Architecture:
    """Return the architecture that has the same operations as `graph`. Raises ModelError if there is none. The
    error message names the file `name`."""
    found = []
    for item in graph.operations:
        kernel = graph.tensors[item.inputs[1]].shape[1:2] if len(item.inputs) > 2 else ()
        found.append((item.name, graph.tensors[item.outputs[0]].shape, kernel))
    for architecture in ARCHITECTURES.values():
        built = operations(architecture)
        if found == [(OPERATOR_NAMES[op.kind], op.shape, (op.kernel,) * op.has_weights) for op in built]:
            return architecture
    raise ModelError(f"{name}: not an architecture of {__package__}: choose a model of this project")
