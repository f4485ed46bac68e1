"""Read tflite files, and check every offset, because the libraries that run tflite files crash on damaged files."""

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from blazeposer.core.errors import ModelError
from blazeposer.core.files import read_file

_SCHEMA_VERSION = 3
_ITEM_BYTES = {
    "FLOAT32": 4, "FLOAT16": 2, "FLOAT64": 8, "INT8": 1, "INT16": 2, "INT32": 4, "INT64": 8, "UINT8": 1, "UINT16": 2,
    "UINT32": 4, "UINT64": 8, "BOOL": 1, "COMPLEX64": 8, "COMPLEX128": 16,
}  # fmt: skip
_TYPES = {number: name for name, number in vars(schema.TensorType).items() if isinstance(number, int)}
_OPERATORS = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
DAMAGE = (
    struct.error, AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError, MemoryError,
)  # fmt: skip
"""Exceptions that flatbuffers raises for a damaged file."""
_FORMS = {
    "CONV_2D": (2, 4), "DEPTHWISE_CONV_2D": (2, 4), "TRANSPOSE_CONV": (3, 4), "FULLY_CONNECTED": (2, 2),
    "ADD": (2, 0), "PAD": (2, 0), "MAX_POOL_2D": (1, 0), "RESHAPE": (1, 0), "DEQUANTIZE": (1, 0),
}  # fmt: skip
"""For each operation: smallest number of inputs, and number of dimensions of the weights (0 without weights)."""


@dataclass(frozen=True)
class Tensor:
    """`dtype` is the name of a numpy type."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    is_constant: bool
    is_zero: bool
    """True for a constant that contains only zeros, such as the bias of a layer without a bias."""
    scales: tuple[float, ...]
    """Quantization steps: one step, or one step for each channel, or none."""
    zero_point: int
    """Zero point of the first channel."""

    @property
    def scale(self) -> float:
        """Return the scale of the first channel, or 0.0 without a scale."""
        return self.scales[0] if self.scales else 0.0

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.elements * _ITEM_BYTES.get(self.dtype.upper(), 1)


@dataclass(frozen=True)
class Operator:
    """`inputs` and `outputs` contain indices of tensors. If the file leaves out an optional tensor, `inputs` and
    `outputs` contain no index for this tensor."""

    name: str
    """Name from the tflite schema, or a custom operator's name from the file."""
    is_custom: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    window: tuple[int, int] = (1, 1)
    """Height and width of a pooling window."""


@dataclass(frozen=True)
class Graph:
    """The main subgraph of a tflite file. The operations are in the order of execution."""

    tensors: tuple[Tensor, ...]
    operations: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    constants: Mapping[int, NDArray[Any]] = field(default_factory=dict, compare=False, repr=False)
    """Values of each constant tensor, by its index."""

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        return tuple(self.tensors[index] for index in self.inputs)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        return tuple(self.tensors[index] for index in self.outputs)


def read_model(path: Path) -> bytes:
    """Return a model file's bytes. Raises ModelError if the file cannot be read."""
    try:
        return read_file(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model ({error.strerror}): check the path") from error


def read_graph(data: bytes, name: str) -> Graph:
    """Return the graph of a tflite file. Raises ModelError with `name` if the file is damaged or not a tflite file."""
    if not data:
        raise ModelError(f"{name}: an empty file: copy it again")
    if len(data) < 8 or not schema.Model.ModelBufferHasIdentifier(data, 0):
        raise ModelError(
            f"{name}: not a tflite file: use a file from TensorFlow's converter or from `blazeposer quantize`"
        )
    try:
        return _graph(data)
    except DAMAGE as error:
        raise ModelError(f"{name}: a damaged or truncated tflite file: copy it again") from error


def _graph(data: bytes) -> Graph:
    model = schema.Model.GetRootAs(data, 0)
    _require(model.Version() == _SCHEMA_VERSION and model.SubgraphsLength() > 0)

    def every(count: int, get: Callable[[int], Any]) -> list[Any]:
        _require(count <= len(data) // 4)  # each element is an offset of four bytes
        return [get(index) for index in range(count)]

    buffers = every(model.BuffersLength(), model.Buffers)
    stored = [np.asarray(buffer.DataAsNumpy() if buffer.DataLength() else [], np.uint8) for buffer in buffers]
    codes = [_code(code) for code in every(model.OperatorCodesLength(), model.OperatorCodes)]
    main = model.Subgraphs(0)
    tensors: list[Tensor] = []
    constants: dict[int, NDArray[Any]] = {}
    for number, item in enumerate(every(main.TensorsLength(), main.Tensors)):
        values = stored[item.Buffer()]
        tensors.append(tensor := _tensor(item, values))
        if tensor.is_constant and tensor.dtype.upper() in _ITEM_BYTES and item.Sparsity() is None:  # others are packed
            _require(values.size >= tensor.bytes)
            constants[number] = values[: tensor.bytes].view(tensor.dtype).reshape(tensor.shape)
    operations = [_operation(item, codes, len(tensors)) for item in every(main.OperatorsLength(), main.Operators)]
    inputs, outputs = (_indices(values, len(tensors)) for values in (main.InputsAsNumpy(), main.OutputsAsNumpy()))
    _check_order(tensors, operations, inputs, outputs)
    for operation in operations:
        _check_form(operation, tensors)
    return Graph(tuple(tensors), tuple(operations), inputs, outputs, constants)


def _code(code: Any) -> tuple[str, bool]:
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())  # old files have only the deprecated field
    if number == schema.BuiltinOperator.CUSTOM:
        return (code.CustomCode() or b"?").decode(), True
    return _OPERATORS[number], False


def _tensor(tensor: Any, values: NDArray[np.uint8]) -> Tensor:
    shape = _numbers(tensor.ShapeAsNumpy())
    _require(all(0 <= side < 1 << 31 for side in shape))
    scales: tuple[float, ...] = ()
    zero_point = 0
    if (quantization := tensor.Quantization()) is not None:
        scales = _numbers(quantization.ScaleAsNumpy())
        zero_point = int(quantization.ZeroPoint(0)) if quantization.ZeroPointLength() else 0
    name, dtype, is_constant = (tensor.Name() or b"").decode(), _TYPES[tensor.Type()].lower(), values.size > 0
    return Tensor(name, shape, dtype, is_constant, is_constant and not values.any(), scales, zero_point)


def _operation(operation: Any, codes: Sequence[tuple[str, bool]], tensors: int) -> Operator:
    name, is_custom = codes[operation.OpcodeIndex()]
    inputs, outputs = operation.InputsAsNumpy(), operation.OutputsAsNumpy()
    window = (1, 1)
    if operation.BuiltinOptionsType() == schema.BuiltinOptions.Pool2DOptions and operation.BuiltinOptions():
        table, options = operation.BuiltinOptions(), schema.Pool2DOptions()
        options.Init(table.Bytes, table.Pos)
        window = (options.FilterHeight(), options.FilterWidth())
    return Operator(name, is_custom, _indices(inputs, tensors), _indices(outputs, tensors), window)


def _indices(values: Any, tensors: int) -> tuple[int, ...]:
    indices = _numbers(values)
    _require(all(-1 <= index < tensors for index in indices))
    return tuple(index for index in indices if index >= 0)


def _check_order(
    tensors: Sequence[Tensor], operations: Sequence[Operator], inputs: Sequence[int], outputs: Sequence[int]
) -> None:
    """Raise ValueError if an operation reads a tensor that is not yet written. Libraries for tflite files do not check
    the order."""
    written = set(inputs) | {index for index, tensor in enumerate(tensors) if tensor.is_constant}
    for operation in operations:
        # The inputs of an NPU's operation may include scratch memory, which no other operation has written.
        _require(operation.is_custom or written.issuperset(operation.inputs))
        written.update(operation.inputs, operation.outputs)
    _require(bool(inputs) and bool(outputs) and written.issuperset(outputs))


def _check_form(operation: Operator, tensors: Sequence[Tensor]) -> None:
    """Raise ValueError if the number of inputs or outputs, or the weights' shape, contradicts the tflite schema."""
    if (form := _FORMS.get(operation.name)) is None:
        return
    inputs, rank = form
    _require(len(operation.inputs) >= inputs and len(operation.outputs) == 1)
    if rank:
        used = [tensors[index] for index in (operation.inputs[0], operation.inputs[1], operation.outputs[0])]
        weights, output = used[1], used[2]
        _require(len(weights.shape) == rank and all(all(tensor.shape) for tensor in used))
        _require(operation.name == "FULLY_CONNECTED" or len(output.shape) == rank)


def _numbers(values: NDArray[Any] | int) -> tuple[Any, ...]:
    """Return the values of a flatbuffers vector. `values` is 0 if the file does not contain the vector."""
    return () if isinstance(values, int) else tuple(values.tolist())


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError
