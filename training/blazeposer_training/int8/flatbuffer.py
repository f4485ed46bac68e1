"""Write the network to an INT8 or float tflite file, without TensorFlow's converter.

This module leaves out data that no runtime reads, for example the names of inner tensors. It stores equal vectors only
once, for example the zero points of channels. Therefore, its file is a quarter smaller than the file from TensorFlow's
converter. The same network always gives the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from blazeposer.core.contract import OUTPUTS

from ..network.graph import INPUT, INPUT_SHAPE, Operation

Quantization = tuple[float, int]
"""Scale and zero point of a tensor."""

_SCHEMA_VERSION = 3
_ALIGNMENT = 16  # alignment of buffers, prescribed by the schema
_OPS = {  # for each kind: the builtin operator, and its version for per-channel int8
    "conv": ("CONV_2D", 3),
    "depthwise": ("DEPTHWISE_CONV_2D", 3),
    "add": ("ADD", 2),
    "pad": ("PAD", 2),
    "pool": ("MAX_POOL_2D", 2),
    "reshape": ("RESHAPE", 1),
}
OPERATOR_NAMES = {kind: name for kind, (name, _) in _OPS.items()}
"""Name of TensorFlow Lite's operator for each kind of `graph.Operation`."""


@dataclass(frozen=True)
class Layer:
    """The constants of one convolution.

    - `weight` has the shape (out, kernel, kernel, in), or (1, kernel, kernel, channels) for a depthwise convolution.
      Its type is int8 or float32.
    - `bias` has the shape (out,) and the type int32 or float32.
    - `scales` has the shape (out,) or (1,). For float weights, `scales` is None.
    """

    weight: NDArray[Any]
    bias: NDArray[Any] | None
    scales: NDArray[np.float32] | None = None


def write_tflite(
    layers: Mapping[str, Layer], quantization: Mapping[str, Quantization], graph: Sequence[Operation]
) -> bytes:
    """Return the bytes of a tflite file with the operations `graph`, and with the outputs that `graph` computes.

    - `layers` has the constants of each convolution, by the name of the operation.
    - `quantization` has the quantization of each tensor, by the name of the tensor. For a float file, it is empty.
    """
    return _Writer(quantization).write(layers, graph)


class _Writer:
    def __init__(self, quantization: Mapping[str, Quantization]) -> None:
        self.builder = flatbuffers.Builder(1 << 18)
        self.quantization = quantization
        self.activation_type = np.dtype(np.int8 if quantization else np.float32)
        self.vectors: dict[tuple[str, bytes], int] = {}
        self.tables: dict[tuple[Any, ...], int] = {}
        self.buffers: list[int] = []
        self.constants: dict[tuple[str, tuple[int, ...], bytes], int] = {}
        self.tensors: list[int] = []
        self.names: dict[str, int] = {}
        """Index of each activation's tensor."""

    def write(self, layers: Mapping[str, Layer], graph: Sequence[Operation]) -> bytes:
        self.buffers.append(self._table("Buffer"))  # the schema needs an empty buffer 0
        # TFLite Micro's planner places tensors of equal size from the largest number to the smallest. The arena is
        # smallest if tensors are placed in the order of execution, so they are numbered from the last to the first.
        for operation in reversed(graph):
            self._activation(operation.output, operation.shape)
        self._activation(INPUT, INPUT_SHAPE)
        operators = [self._operation(operation, layers) for operation in graph]
        outputs = [self.names[output.name] for output in OUTPUTS if output.name in self.names]
        subgraph = self._table(
            "SubGraph",
            Tensors=self._offsets(self.tensors),
            Inputs=self._vector([self.names[INPUT]], np.int32),
            Outputs=self._vector(outputs, np.int32),
            Operators=self._offsets(operators),
        )
        codes = [
            self._table("OperatorCode", DeprecatedBuiltinCode=code, BuiltinCode=code, Version=version)
            for code, version in ((getattr(schema.BuiltinOperator, name), version) for name, version in _OPS.values())
        ]
        model = self._table(
            "Model",
            Version=_SCHEMA_VERSION,
            OperatorCodes=self._offsets(codes),
            Subgraphs=self._offsets([subgraph]),
            Buffers=self._offsets(self.buffers),
        )
        self.builder.Finish(model, b"TFL3")
        return bytes(self.builder.Output())

    def _operation(self, operation: Operation, layers: Mapping[str, Layer]) -> int:
        inputs = [self.names[name] for name in operation.inputs]
        activation = getattr(schema.ActivationFunctionType, operation.activation.upper())
        stride = {"StrideW": operation.stride, "StrideH": operation.stride}
        match operation.kind:
            case "conv" | "depthwise":
                layer = layers[operation.output]
                axis = 3 if operation.kind == "depthwise" else 0
                inputs.append(self._constant(layer.weight, layer.scales, axis))
                bias = layer.bias
                if bias is None:  # XNNPACK crashes on a depthwise convolution without bias
                    channels = layer.weight.shape[axis]
                    bias = np.zeros(channels, np.float32 if layer.scales is None else np.int32)
                inputs.append(self._constant(bias))
                fields = {"FusedActivationFunction": activation, "Padding": schema.Padding.SAME, **stride}
                if operation.kind == "conv":
                    options = ("Conv2DOptions", fields)
                else:
                    options = ("DepthwiseConv2DOptions", {**fields, "DepthMultiplier": 1})
            case "pool":
                window = {"FilterWidth": 2, "FilterHeight": 2, "StrideW": 2, "StrideH": 2}
                options = ("Pool2DOptions", {"Padding": schema.Padding.VALID, **window})
            case "add":
                options = ("AddOptions", {"FusedActivationFunction": activation})
            case "pad":
                extra = operation.shape[3] - operation.channels_in
                inputs.append(self._constant(np.array([[0, 0], [0, 0], [0, 0], [0, extra]], np.int32)))
                options = ("PadOptions", {})
            case "reshape":
                options = ("ReshapeOptions", {"NewShape": self._vector(operation.shape, np.int32)})
        name, fields = options
        return self._table(
            "Operator",
            OpcodeIndex=list(_OPS).index(operation.kind),
            Inputs=self._vector(inputs, np.int32),
            Outputs=self._vector([self.names[operation.output]], np.int32),
            BuiltinOptionsType=getattr(schema.BuiltinOptions, name),
            BuiltinOptions=self._shared_table(name, **fields),
        )

    def _activation(self, name: str, shape: tuple[int, ...]) -> None:
        quantization = 0
        if self.quantization:
            scale, zero_point = self.quantization[name]
            quantization = self._quantization([scale], [zero_point])
        readable = name == INPUT or any(name == output.name for output in OUTPUTS)
        self.names[name] = self._tensor(shape, self.activation_type, 0, quantization, name if readable else "")

    def _constant(self, values: NDArray[Any], scales: NDArray[np.float32] | None = None, axis: int = 0) -> int:
        """Add a constant tensor, and return its index. Equal constants without quantization are stored only once."""
        data = values.tobytes()
        key = (values.dtype.str, values.shape, data)
        if scales is None and key in self.constants:
            return self.constants[key]
        self.builder.Prep(_ALIGNMENT, len(data))
        self.buffers.append(self._table("Buffer", Data=self.builder.CreateByteVector(data)))
        quantization = 0 if scales is None else self._quantization(scales, np.zeros(len(scales)), axis)
        index = self._tensor(values.shape, values.dtype, len(self.buffers) - 1, quantization, "")
        if scales is None:
            self.constants[key] = index
        return index

    def _tensor(self, shape: tuple[int, ...], dtype: np.dtype[Any], buffer: int, quantization: int, name: str) -> int:
        fields = {"Name": self.builder.CreateString(name)} if name else {}
        fields |= {"Quantization": quantization} if quantization else {}
        kind = getattr(schema.TensorType, dtype.name.upper())
        self.tensors.append(
            self._table("Tensor", Shape=self._vector(shape, np.int32), Type=kind, Buffer=buffer, **fields)
        )
        return len(self.tensors) - 1

    def _quantization(self, scales: Any, zero_points: Any, axis: int = 0) -> int:
        return self._shared_table(
            "QuantizationParameters",
            Scale=self._vector(scales, np.float32),
            ZeroPoint=self._vector(zero_points, np.int64),
            QuantizedDimension=axis,
        )

    def _vector(self, values: Any, dtype: Any) -> int:
        """Return the offset of a vector of numbers. Equal vectors are written only once."""
        array = np.asarray(values, dtype)
        key = (array.dtype.str, array.tobytes())
        if key not in self.vectors:
            self.vectors[key] = self.builder.CreateNumpyVector(array)
        return self.vectors[key]

    def _offsets(self, offsets: Sequence[int]) -> int:
        self.builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return int(self.builder.EndVector())

    def _shared_table(self, kind: str, **fields: int) -> int:
        """Return the offset of a table. Equal tables are written only once."""
        key = (kind, *fields.items())
        if key not in self.tables:
            self.tables[key] = self._table(kind, **fields)
        return self.tables[key]

    def _table(self, kind: str, **fields: int) -> int:
        """Write a table, and return its offset. `fields` has numbers, and offsets of vectors and tables."""
        getattr(schema, f"{kind}Start")(self.builder)
        for name, value in fields.items():
            getattr(schema, f"{kind}Add{name}")(self.builder, value)
        return int(getattr(schema, f"{kind}End")(self.builder))
