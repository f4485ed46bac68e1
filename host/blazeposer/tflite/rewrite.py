"""Make changed copies of tflite files."""

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder

from blazeposer.core.errors import ModelError
from blazeposer.tflite.graph import DAMAGE


def rewritten(data: bytes, change: Callable[[Any], None]) -> bytes:
    """Return a changed copy of a tflite file. `change` gets the file as a `ModelT` of the tflite schema, and changes
    the `ModelT` in place. Raises ModelError."""
    try:
        model = schema.ModelT.InitFromPackedBuf(data)
        change(model)
        builder = Builder(len(data))
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
    except DAMAGE as error:
        raise ModelError("a damaged tflite file: copy it again") from error


def with_all_outputs(data: bytes) -> bytes:
    """Return a copy of a tflite file with more outputs. The network's outputs come first, and then come the results of
    all operations."""

    def expose(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.outputs = [*graph.outputs, *(operator.outputs[0] for operator in graph.operators)]

    return rewritten(data, expose)


def with_bias_scales(data: bytes) -> bytes:
    """Return a copy of an INT8 network in which each bias has a scale: the scale of the input times the scale of the
    weights. The tflite files of this project contain no scales for biases, because cameras do not read these scales,
    and the scales would take a quarter of the file. Without the scales, XNNPACK leaves the convolutions to slower
    kernels of LiteRT, and the network takes four times as long."""
    bare = False

    def complete(model: Any) -> None:
        nonlocal bare
        tensors = model.subgraphs[0].tensors
        for operator in model.subgraphs[0].operators:
            code = model.operatorCodes[operator.opcodeIndex].builtinCode
            if code not in (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D):
                continue
            source, weight, bias = (tensors[index] for index in operator.inputs)
            if bias.type == schema.TensorType.INT32 and bias.quantization is None:
                scales = weight.quantization.scale
                bias.quantization = schema.QuantizationParametersT()
                bias.quantization.scale = source.quantization.scale[0] * scales
                bias.quantization.zeroPoint = np.zeros(len(scales), np.int64)
                bare = True

    result = rewritten(data, complete)
    return result if bare else data
