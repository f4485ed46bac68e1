"""The quantized network through TensorFlow's own converter: an independent check of `flatbuffer.py`.

Fake-quant operations carry the trained ranges, so the converter has nothing to calibrate. Its file is larger, and some
integers differ in the last bit, because it derives its scales from ranges instead of taking them.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow greets on every import

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import torch

from blazeposer.contract import OUTPUTS

from .export import activation_quantization
from .flatbuffer import Quantization
from .graph import INPUT, INPUT_SHAPE, Operation
from .quantized import HIGHEST, LOWEST, WEIGHT_LIMIT, QuantizedBlazePoser


def convert(model: QuantizedBlazePoser) -> bytes:
    """The bytes of an INT8 tflite with the weights and ranges of `model`, outputs in contract order."""
    signature = tf.TensorSpec(INPUT_SHAPE, tf.float32, name=INPUT)
    function = tf.function(_tf_network(model), input_signature=[signature], autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def _tf_network(model: QuantizedBlazePoser) -> Callable[[Any], list[Any]]:
    quantization = activation_quantization(model)

    def network(image: Any) -> list[Any]:
        tensors = {INPUT: _fake_quant(image, quantization[INPUT])}
        for operation in model.operations:
            x = _run(model, operation, [tensors[name] for name in operation.inputs])
            if model.source[operation.output] == operation.output:
                x = _fake_quant(x, quantization[operation.output])
            tensors[operation.output] = x
        return [tf.identity(tensors[output.name], name=output.name) for output in OUTPUTS]

    return network


def _run(model: QuantizedBlazePoser, operation: Operation, inputs: list[Any]) -> Any:
    x = inputs[0]
    match operation.kind:
        case "conv" | "depthwise":
            x = _convolve(model, operation, x)
        case "pool":
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        case "pad":
            x = tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, operation.shape[3] - operation.channels_in]])
        case "add":
            x = x + inputs[1]
        case "reshape":
            x = tf.reshape(x, operation.shape)
    return tf.nn.relu(x) if operation.relu else x


def _convolve(model: QuantizedBlazePoser, operation: Operation, x: Any) -> Any:
    layer = model.layer(operation)
    with torch.no_grad():
        limit = model.weight_scale(operation).numpy() * WEIGHT_LIMIT
    # Fake quantization is along the last axis: (kernel, kernel, in, out).
    weight = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        layer.weight.numpy(force=True).transpose(2, 3, 1, 0), -limit, limit, num_bits=8, narrow_range=True
    )
    strides = [1, operation.stride, operation.stride, 1]
    if operation.kind == "depthwise":  # TensorFlow wants (kernel, kernel, channels, 1)
        x = tf.nn.depthwise_conv2d(x, tf.transpose(weight, (0, 1, 3, 2)), strides, "SAME")
    else:
        x = tf.nn.conv2d(x, weight, strides, "SAME")
    return x if layer.bias is None else tf.nn.bias_add(x, layer.bias.numpy(force=True))


def _fake_quant(x: Any, quantization: Quantization) -> Any:
    scale, zero_point = quantization
    low, high = ((level - zero_point) * np.float32(scale) for level in (LOWEST, HIGHEST))
    return tf.quantization.fake_quant_with_min_max_vars(x, low, high, num_bits=8)
