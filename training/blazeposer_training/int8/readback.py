"""From an INT8 tflite back to the torch network that it was written from: the inverse of `export.py`.

So a file can be held against its float weights and go through TensorFlow's converter long after it was made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from torch import Tensor

from blazeposer.core.errors import ModelError

from ..network.architecture import ARCHITECTURES, Architecture
from ..network.graph import INPUT, Operation, operations
from ..network.model import BlazePoser
from .flatbuffer import OPERATOR_NAMES
from .quantized import LEVELS, QuantizedBlazePoser


class ReadBack(QuantizedBlazePoser):
    """The network of a file's bytes, with the file's own steps. Raises ModelError if it has none of our architectures.

    Writing it again gives the same bytes (`export.int8_layers`, `flatbuffer.write_tflite`).
    """

    def __init__(self, data: bytes, name: str) -> None:
        file = schema.ModelT.InitFromPackedBuf(data)
        graph = file.subgraphs[0]
        super().__init__(BlazePoser(_architecture(file, name)))
        self._scales: dict[str, Tensor] = {}
        with torch.no_grad():
            self._set_range(INPUT, graph.tensors[graph.inputs[0]])
            for operation, written in zip(self.operations, graph.operators, strict=True):
                if self.source[operation.output] == operation.output:
                    self._set_range(operation.output, graph.tensors[written.outputs[0]])
            for operation, written in zip(self.operations, graph.operators, strict=True):
                if operation.has_weights:
                    weight, bias = (graph.tensors[index] for index in written.inputs[1:3])
                    self._set_layer(operation, weight, _constant(file, weight), _constant(file, bias))
        self.eval()

    def weight_scale(self, operation: Operation) -> Tensor:
        """The steps that the file names, not those that its weights would get."""
        return self._scales[operation.output]

    def _set_range(self, name: str, tensor: schema.TensorT) -> None:
        quantizer = self.quantizer(name)
        quantizer.start.fill_(float(tensor.quantization.scale[0]))
        quantizer.growth.zero_()
        quantizer.offset.fill_(int(tensor.quantization.zeroPoint[0]) / LEVELS)

    def _set_layer(
        self, operation: Operation, tensor: schema.TensorT, weight: NDArray[Any], bias: NDArray[Any]
    ) -> None:
        layer = self.layer(operation)
        scales = torch.tensor(np.asarray(tensor.quantization.scale, np.float32)).expand(layer.out_channels)
        self._scales[operation.output] = scales
        order = (0, 3, 1, 2) if operation.kind == "conv" else (3, 0, 1, 2)
        integers = torch.tensor(weight.reshape(tensor.shape).transpose(order).astype(np.float32))
        layer.weight.copy_(integers * scales[:, None, None, None])
        if layer.bias is not None:
            layer.bias.copy_(torch.tensor(bias.astype(np.float32)) * self.quantizer(operation.inputs[0]).scale * scales)


def _architecture(file: schema.ModelT, name: str) -> Architecture:
    """The one of ours whose operations the file has."""
    graph, codes = file.subgraphs[0], [code.builtinCode for code in file.operatorCodes]

    def kernel(item: schema.OperatorT) -> list[int]:
        """The shape of a convolution's weights."""
        return list(graph.tensors[item.inputs[1]].shape) if len(item.inputs) > 2 else []

    found = [
        (codes[item.opcodeIndex], tuple(graph.tensors[item.outputs[0]].shape), kernel(item)[1:2])
        for item in graph.operators
    ]
    for architecture in ARCHITECTURES.values():
        expected = [
            (getattr(schema.BuiltinOperator, OPERATOR_NAMES[item.kind]), item.shape, [item.kernel] * item.has_weights)
            for item in operations(architecture)
        ]
        if found == expected:
            return architecture
    raise ModelError(f"{name}: another architecture than {__package__} trains: choose a model of ours")


def _constant(file: schema.ModelT, tensor: schema.TensorT) -> NDArray[Any]:
    data = np.asarray(file.buffers[tensor.buffer].data, np.uint8)
    return data.view(np.int8 if tensor.type == schema.TensorType.INT8 else np.int32)
