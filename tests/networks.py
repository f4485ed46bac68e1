"""INT8 files of any architecture, with weights of noise, and the first architecture that shipped."""

from collections.abc import Sequence

import numpy as np

from blazeposer_training.int8.flatbuffer import Layer, write_tflite
from blazeposer_training.network.architecture import Architecture, stages
from blazeposer_training.network.graph import INPUT, Operation

RESIDUAL = Architecture(
    stem=16,
    blocks=stages((16, 16), (32, 36, 42), (48, 56, 64, 72, 80, 88), (88, 88, 88, 88, 88)),
    taps=(10, 15),
    regressor_ranks=(0, 24),
)
"""The first architecture that shipped: BlazeFace with fewer channels."""


def made_up(graph: Sequence[Operation]) -> bytes:
    """Return the bytes of a file of these operations."""
    noise = np.random.default_rng(0)
    constants = {}
    for operation in graph:
        if operation.has_weights:
            channels, side = operation.shape[3], operation.kernel
            conv = operation.kind == "conv"
            shape = (channels, side, side, operation.channels_in) if conv else (1, side, side, channels)
            constants[operation.output] = Layer(
                noise.integers(-127, 128, shape, np.int8),
                noise.integers(-9, 9, channels, np.int32),
                np.full(1 if operation.per_tensor else channels, 0.01, np.float32),
            )
    quantization = {operation.output: (0.05, -128) for operation in graph} | {INPUT: (1 / 127.5, 0)}
    return write_tflite(constants, quantization, graph)
