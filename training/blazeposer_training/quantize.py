"""`blazeposer quantize`: float weights to the INT8 and float tflite files and their manifest."""

from __future__ import annotations

from pathlib import Path


import numpy as np
from numpy.typing import NDArray

from blazeposer.prepare import rgb565
from blazeposer.contract import OUTPUTS

from .batches import TrainingBatches
from .calibrate import calibrate
from .data import data_folder, read_backgrounds, read_pools
from .flatbuffer import Layer, Quantization, write_tflite
from .graph import INPUT, Operation, operations
from .model import BlazePoser
from .quantized import QuantizedBlazePoser

CALIBRATION_POOLS = ("aflw", "wflw", "maskon")
"""Every pose, and scenes with faces of other sizes."""
SEED = 20260101


def calibration_images(folder: Path, count: int) -> NDArray[np.uint8]:
    """(count, 128, 128, 3) training pictures as a camera gives them; always the same."""
    pool = read_pools(folder, CALIBRATION_POOLS, "train")
    batches = TrainingBatches(pool, read_backgrounds(folder), count, range(1), SEED)
    return np.stack([rgb565(picture) for picture in batches[0].pictures.numpy()])


def float_layers(network: BlazePoser) -> dict[str, Layer]:
    """The float network's constants as tflite lays them out."""
    layers = {}
    for operation in operations():
        if operation.has_weights:
            layer = network.get_submodule(operation.output)
            bias = None if layer.bias is None else layer.bias.detach().numpy()
            layers[operation.output] = Layer(tflite_layout(operation, layer.weight.detach().numpy()), bias)
    return layers


def int8_layers(model: QuantizedBlazePoser) -> dict[str, Layer]:
    """The quantized network's constants as tflite lays them out."""
    layers = {}
    for operation in operations():
        if operation.has_weights:
            weight, bias = model.integers(operation)
            layers[operation.output] = Layer(
                tflite_layout(operation, weight.detach().numpy().astype(np.int8)),
                None if bias is None else bias.detach().numpy().astype(np.int32),
                model.weight_scale(operation).numpy(),
            )
    return layers


def activation_quantization(model: QuantizedBlazePoser) -> dict[str, Quantization]:
    """Scale and zero point of every tensor of the graph."""
    result = {}
    for name in (INPUT, *(operation.output for operation in operations())):
        quantizer = model.quantizer(name)
        result[name] = (float(quantizer.scale), int(quantizer.zero_point))
    return result


def tflite_layout(operation: Operation, weight: NDArray) -> NDArray:
    """Weights (out, in, kernel, kernel) as tflite has them."""
    return np.ascontiguousarray(weight.transpose((0, 2, 3, 1) if operation.kind == "conv" else (1, 2, 3, 0)))
