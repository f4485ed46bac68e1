"""Check that a file is a BlazePoser network: compare its input and outputs with `blazeposer.core.contract`."""

from __future__ import annotations

import math

from blazeposer.core.contract import INPUT_SCALE, INPUT_SIZE, INPUT_ZERO_POINT, OUTPUTS
from blazeposer.tflite.graph import Graph

_INTEGERS = ("int8", "uint8", "int32")  # int32: biases and shapes; uint8: what an NPU reads and writes


def breach(graph: Graph) -> str:
    """The first point in which a graph is not a BlazePoser network; empty if there is none.

    A network is all INT8, or all float (the file that training writes beside it).
    """
    inputs, outputs = graph.input_tensors, graph.output_tensors
    if len(inputs) != 1 or len(outputs) != len(OUTPUTS):
        return f"{len(inputs)} inputs and {len(outputs)} outputs, 1 and {len(OUTPUTS)} expected"
    (image,) = inputs
    if image.dtype not in ("int8", "float32"):
        return f"the input is {image.dtype}, int8 or float32 expected"
    if image.shape != (expected := (1, INPUT_SIZE, INPUT_SIZE, 3)):
        return f"the input is {image.shape}, {expected} expected"
    for index, (tensor, output) in enumerate(zip(outputs, OUTPUTS, strict=True)):
        if tensor.dtype != image.dtype:
            return f"output {index} is {tensor.dtype}, {image.dtype} expected"
        if tensor.shape != output.shape:
            return f"output {index} is {tensor.shape}, {output.shape} expected ({output.name})"
    return "" if image.dtype == "float32" else _quantization_breach(graph)


def is_float(graph: Graph) -> bool:
    """Return whether a file's input and outputs are float: for PCs, not for cameras."""
    return graph.input_tensors[0].dtype == "float32"


def _quantization_breach(graph: Graph) -> str:
    (image,) = graph.input_tensors
    if not math.isclose(image.scale, INPUT_SCALE, rel_tol=1e-4) or image.zero_point != INPUT_ZERO_POINT:
        return f"the input's scale is {image.scale:g} and its zero point {image.zero_point}, 1/127.5 and 0 expected"
    for number, tensor in enumerate(graph.tensors):
        if tensor.dtype not in _INTEGERS:
            return f"the tensor {tensor.name or number!r} is {tensor.dtype}, and not an integer one"
    for index, tensor in enumerate(graph.output_tensors):
        if not tensor.scale > 0:
            return f"output {index} names no scale"
    return ""
