"""The work of each operation of a tflite file, from its shapes."""

from __future__ import annotations

from dataclasses import dataclass

from blazeposer.tflite.graph import Graph, Operation, Tensor

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


@dataclass(frozen=True)
class Layer:
    """One operation and its cost for one image."""

    name: str
    """Name of the operation in the tflite schema."""
    shape: tuple[int, ...]
    """Shape of its first output."""
    macs: int
    """Multiply-accumulates; of convolutions and fully connected layers only."""
    parameters: int
    """Weights and biases; those that several operations share count at the first."""
    kernel: tuple[int, int]
    """Height and width of a convolution's window; (1, 1) of what has none."""
    moved: int
    """Bytes read and written if each tensor is touched once, constants included."""


def layers(graph: Graph) -> tuple[Layer, ...]:
    """Return every operation in the order of execution."""
    # Files of float16 weights turn these into float32 first.
    stored = {op.outputs[0]: op.inputs[0] for op in graph.operations if op.name == "DEQUANTIZE"}
    seen: set[int] = set()
    result = []
    for operation in graph.operations:
        constants = [stored.get(index, index) for index in operation.inputs[1:] if operation.name in _WEIGHTED]
        new = [index for index in constants if index not in seen and _is_weight(graph.tensors[index])]
        seen.update(new)
        touched = {*operation.inputs, *operation.outputs}
        result.append(
            Layer(
                operation.name,
                graph.tensors[operation.outputs[0]].shape if operation.outputs else (),
                _macs(graph, operation),
                sum(graph.tensors[index].elements for index in new),
                _kernel(graph, operation),
                sum(graph.tensors[index].bytes for index in touched),
            )
        )
    return tuple(result)


def _is_weight(tensor: Tensor) -> bool:
    return tensor.is_constant and not tensor.is_zero


def _kernel(graph: Graph, operation: Operation) -> tuple[int, int]:
    if operation.name not in _WEIGHTED or operation.name == "FULLY_CONNECTED":
        return 1, 1
    _, height, width, _ = graph.tensors[operation.inputs[1]].shape
    return height, width


def _macs(graph: Graph, operation: Operation) -> int:
    """Return the multiply-accumulates, from the weights' shape as the tflite schema lays it out."""
    if operation.name not in _WEIGHTED:
        return 0
    output = graph.tensors[operation.outputs[0]]
    weights = graph.tensors[operation.inputs[1]]
    match operation.name:
        case "DEPTHWISE_CONV_2D":  # (1, kernel, kernel, channels)
            return output.elements * weights.shape[1] * weights.shape[2]
        case "TRANSPOSE_CONV":  # (out, kernel, kernel, in), each input to kernel x kernel x out outputs
            return graph.tensors[operation.inputs[2]].elements * weights.elements // weights.shape[3]
        case _:  # (out, kernel, kernel, in) or (out, in)
            return output.elements * weights.elements // weights.shape[0]
