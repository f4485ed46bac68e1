"""Convert the quantized network with TensorFlow's own converter, as an independent check of `flatbuffer.py`.

Fake-quantization operations give the network's ranges to the converter, so the converter does not calibrate.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # hide TensorFlow's messages at import

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import torch

from blazeposer.core.contract import OUTPUTS

from ..network.graph import INPUT, INPUT_SHAPE, Operation
from .export import activation_quantization
from .flatbuffer import Quantization
from .quantized import HIGHEST, LOWEST, WEIGHT_LIMIT, QuantizedBlazePoser


def convert(model: QuantizedBlazePoser) -> bytes:
    """Return the bytes of an INT8 tflite file of `model`, with the outputs in the order of `contract.OUTPUTS`."""
    signature = tf.TensorSpec(INPUT_SHAPE, tf.float32, name=INPUT)
    function = tf.function(_tf_network(model), input_signature=[signature], autograph=False)
    # With a trackable object, the converter would use a SavedModel, which changes the order of the outputs.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def _tf_network(model: QuantizedBlazePoser) -> Callable[[Any], list[Any]]:
    quantization = activation_quantization(model)

    def network(image: Any) -> list[Any]:
        tensors = {INPUT: _fake_quant(image, quantization[INPUT])}
        for operation in model.operations:
            x = _run(model, operation, tensors[operation.inputs[0]])
            if model.source[operation.output] == operation.output:
                x = _fake_quant(x, quantization[operation.output])
            tensors[operation.output] = x
        return [tf.identity(tensors[output.name], name=output.name) for output in OUTPUTS]

    return network


def _run(model: QuantizedBlazePoser, operation: Operation, x: Any) -> Any:
    match operation.kind:
        case "conv" | "depthwise":
            x = _convolve(model, operation, x)
        case "reshape":
            x = tf.reshape(x, operation.shape)
    match operation.activation:
        case "relu":
            x = tf.nn.relu(x)
        case "relu6":
            x = tf.nn.relu6(x)
    return x


def _convolve(model: QuantizedBlazePoser, operation: Operation, x: Any) -> Any:
    with torch.no_grad():
        weight, bias = model.constants(operation)  # already rounded, as in the file that `flatbuffer.py` writes
        limit = model.weight_scale(operation).numpy() * WEIGHT_LIMIT
    # The function needs the output channels on the last axis: (kernel, kernel, in, out).
    kernel = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        weight.numpy().transpose(2, 3, 1, 0), -limit, limit, num_bits=8, narrow_range=True
    )
    strides = [1, operation.stride, operation.stride, 1]
    if operation.kind == "depthwise":  # TensorFlow needs (kernel, kernel, channels, 1)
        x = tf.nn.depthwise_conv2d(x, tf.transpose(kernel, (0, 1, 3, 2)), strides, "SAME")
    else:
        x = tf.nn.conv2d(x, kernel, strides, "SAME")
    return x if bias is None else tf.nn.bias_add(x, bias.numpy())


def _fake_quant(x: Any, quantization: Quantization) -> Any:
    return tf.quantization.fake_quant_with_min_max_vars(x, *_range(*quantization), num_bits=8)


def _range(scale: float, zero_point: int) -> tuple[np.float32, np.float32]:
    """Return the range from which TensorFlow's converter computes exactly `scale`, to the last bit. A wrong last bit
    makes a few quantized values wrong by 1. In later layers, these errors grow to half a pixel."""
    low, high = (np.float32((level - zero_point) * scale) for level in (LOWEST, HIGHEST))
    for towards in (np.float32(np.inf), np.float32(-np.inf)):
        end = high
        for _ in range(16):
            if np.float32((float(end) - float(low)) / (HIGHEST - LOWEST)) == np.float32(scale):
                return low, end
            end = np.nextafter(end, towards)
    raise ValueError(f"no float32 range has the step {scale}")
