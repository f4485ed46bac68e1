"""Count the work of each layer of a network. Estimate how many instructions and how much time a network needs on the
Cortex-M7 of a camera. No number in this module was measured on a camera. The time is estimated in two steps:

1. The instructions of ten networks were counted on an emulated Cortex-M7, in OpenMV's own build of TensorFlow Lite
   Micro for the Cortex-M7. This build is from September 2024, contains the kernels of CMSIS-NN and is a part of
   firmware 5.0.0. The instructions of two networks were counted again with CMSIS-NN from June 2026. The rates in
   `KERNELS` were fitted to the counts of seven networks by least squares. For each of the ten networks, the error of
   the estimated instructions is at most 3 % (tests/test_cost.py).
2. The average number of cycles for an instruction (`SPEEDS`) comes from a model of the Cortex-M7 and its cache. The
   model was scaled to two published times of CMSIS-NN: 97 ms for mcunet-vww1 on an STM32H743, and 129 ms for
   MobileNetV2 0.30 at 80x80 on an STM32F746. The error of a time may be 20 %, or larger if the arena (the network's
   working memory) is in SDRAM.

The time of a frame includes the network, the decoder, and the firmware's scaling of the image. It does not include the
drawing and sending of the faces, or the wait for the sensor's next image.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from blazeposer.core.boards import Board, Chip, Memory
from blazeposer.tflite.arena import Arena
from blazeposer.tflite.graph import Graph, Operator

Kernels = Literal["2024", "2026"]
"""Version of CMSIS-NN, given by its year. Firmware 5.0.0 contains CMSIS-NN of 2024. A later firmware may
contain CMSIS-NN of 2026."""
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


@dataclass(frozen=True)
class LayerCost:
    name: str
    shape: tuple[int, ...]
    """Shape of the operation's first output."""
    macs: int
    """Multiply-accumulates of a convolution or a fully connected layer."""
    parameters: int
    """Number of weights and biases. Shared parameters count only for the first operation."""
    kernel: tuple[int, int]
    """Size of a convolution's window, or (1, 1)."""
    moved: int
    """Bytes that are read and written if each tensor is accessed once."""


@dataclass(frozen=True)
class Rate:
    """Instructions that one kind of layer needs, for each value and each multiply-accumulate."""

    output: float
    """Instructions for each output value."""
    mac: float = 0.0
    """Instructions for each multiply-accumulate."""
    copied: float = 0.0
    """Instructions for each element of the window at each position of the window. These instructions copy the window's
    inputs before the multiplication."""


_RATES = {
    "1x1": Rate(40, 1.56),
    # With 3 channels, 258 instructions were counted for each output of a 5x5 window, and 133 for each output of a 3x3
    # window. The rate below also fits a 3x3 window over 16 channels.
    "k x k": Rate(62, 1.8, 39),
    "depthwise 3x3": Rate(73),  # 70 to 76 were counted, with any stride
    "add": Rate(82),
    "pad": Rate(38),
    "pool 2x2": Rate(39.5),  # 37 to 42 were counted
    "reshape": Rate(0),
}
KERNELS: dict[Kernels, dict[str, Rate]] = {
    "2024": _RATES,
    # Only the rate of PAD was counted separately. The rate of 1x1 was chosen so that it fits the counted totals of two
    # networks and the shares of the kinds (1x1 35 %, add 27 %, depthwise 22 %, stem 15 %). The other rates stay.
    "2026": _RATES | {"pad": Rate(2.3), "1x1": Rate(37, 1.56)},
}

SCALING = 41
"""Number of instructions with which the firmware scales and converts the image, for each input value of the network.
For 128x128 RGB pixels from a window of 240x240 pixels, 2.0 million instructions were counted."""
DECODING = 4.0e6
"""Number of instructions that were counted for `board/blazeposer.py` in MicroPython, for an image with one face. Three
faces need 4.45 million instructions."""


@dataclass(frozen=True)
class Speed:
    """The speed of a camera's core when the arena is in a certain kind of memory."""

    cycles: float
    """Average number of cycles for an instruction."""
    uncertainty: float
    """Largest relative error of a time. The value for SDRAM is a guess."""


SPEEDS: dict[tuple[Chip, Memory], Speed] = {
    ("STM32H7", "SRAM"): Speed(0.91, 0.20),  # from a model of the core, scaled by two published times
    ("STM32H7", "SDRAM"): Speed(1.12, 0.30),  # from the same model for the H7 Plus; no published time with SDRAM
    ("i.MX RT1062", "SDRAM"): Speed(1.06, 0.30),  # from the same model; no published time with SDRAM
    ("i.MX RT1062", "DTCM"): Speed(0.82, 0.20),  # from the same model
}
"""If you measure a camera, add its speed to this table. The cycles for an instruction are milliseconds x MHz x 1000 /
instructions. The milliseconds are the value "predict" in the row that `board/bench.py` prints. The instructions are
those of the network and of the scaling together. Add the whole row as a comment."""

ARENA_SHARE = 0.835
"""Size of TensorFlow Lite Micro's data on a camera divided by the size of the same data on a PC. On a PC, pointers are
twice as large. For nine networks, the estimated arena and the arena counted by the camera's library differ by at most
400 bytes."""
ARENA_EXTRA = 512
"""Bytes that the firmware adds to an arena (`TF_ARENA_EXTRA` in lib/tflm/tflm_backend.cc of openmv/openmv)."""


@dataclass(frozen=True)
class Estimate:
    """The estimated times of a network on one board in milliseconds. The largest relative error is `uncertainty`."""

    memory: Memory
    network: float
    frame: float
    """Time for scaling, network and decoding together."""
    uncertainty: float

    @property
    def frames_per_second(self) -> float:
        return 1000 / self.frame


def layers(graph: Graph) -> tuple[LayerCost, ...]:
    """Return the cost of every operation, in the order of execution."""
    # In a file with float16 weights, DEQUANTIZE converts the weights to float32.
    stored = {op.outputs[0]: op.inputs[0] for op in graph.operations if op.name == "DEQUANTIZE"}
    seen: set[int] = set()
    result = []
    for operation in graph.operations:
        constants = [stored.get(index, index) for index in operation.inputs[1:] if operation.name in _WEIGHTED]
        filled = [index for index in constants if graph.tensors[index].is_constant and not graph.tensors[index].is_zero]
        new = [index for index in filled if index not in seen]
        seen.update(new)
        has_window = operation.name in _WEIGHTED and operation.name != "FULLY_CONNECTED"
        height, width = graph.tensors[operation.inputs[1]].shape[1:3] if has_window else (1, 1)
        touched = {*operation.inputs, *operation.outputs}
        result.append(
            LayerCost(
                operation.name,
                graph.tensors[operation.outputs[0]].shape if operation.outputs else (),
                _macs(graph, operation),
                sum(graph.tensors[index].elements for index in new),
                (height, width),
                sum(graph.tensors[index].bytes for index in touched),
            )
        )
    return tuple(result)


def instructions(graph: Graph, kernels: Kernels = "2024") -> list[float | None]:
    """Return the instructions of every operation, or None for an operation whose instructions were never counted."""
    return [
        _instructions(layer, _kind(graph, operation, layer), KERNELS[kernels])
        for operation, layer in zip(graph.operations, layers(graph), strict=True)
    ]


def unknown(graph: Graph) -> list[str]:
    """Return the names of the operations whose instructions were never counted."""
    counted = zip(graph.operations, instructions(graph), strict=True)
    return sorted({operation.name for operation, count in counted if count is None})


def total(counts: Iterable[float | None]) -> float | None:
    """Return the sum of `counts`, or None if a count is None."""
    known = list(counts)
    return None if None in known else math.fsum(count for count in known if count is not None)


def camera_arena(arena: Arena) -> int:
    """Convert the size of an arena on a 64-bit PC to the estimated size in bytes on a camera."""
    return arena.planned + round(ARENA_SHARE * arena.persistent) + ARENA_EXTRA


def speed(board: Board, memory: Memory) -> Speed | None:
    return SPEEDS.get((board.chip, memory))


def milliseconds(count: float, board: Board, of: Speed) -> float:
    return count * of.cycles / (1000 * board.mhz)


def estimate(
    graph: Graph, board: Board, arena: int, kernels: Kernels = "2024", decoding: float = DECODING
) -> Estimate | None:
    """Return the estimated times of a network. Return None if the cost of an operation or the speed of the core is not
    known, or if no memory has room for the arena (`arena` bytes). `decoding` is the number of instructions for the
    decoder."""
    memory = board.memory_of(arena)
    count = total(instructions(graph, kernels))
    if memory is None or count is None or (found := speed(board, memory)) is None:
        return None
    around = SCALING * sum(tensor.elements for tensor in graph.input_tensors) + decoding
    network, rest = (milliseconds(each, board, found) for each in (count, around))
    return Estimate(memory, network, network + rest, found.uncertainty)


def _instructions(layer: LayerCost, kind: str, rates: dict[str, Rate]) -> float | None:
    rate = rates.get(kind)
    if rate is None:
        return None
    outputs = math.prod(layer.shape)
    copies = outputs // layer.shape[-1] * math.prod(layer.kernel) if rate.copied else 0
    return rate.output * outputs + rate.mac * layer.macs + rate.copied * copies


def _kind(graph: Graph, operation: Operator, layer: LayerCost) -> str:
    """Return the key in `KERNELS` for an operation, or "" if its instructions were never counted."""
    tensors = [graph.tensors[index] for index in (*operation.inputs, *operation.outputs)]
    source, output = tensors[0], tensors[-1]
    if source.dtype != "int8" or output.dtype != "int8":
        return ""
    match operation.name:
        case "CONV_2D":
            return "1x1" if layer.kernel == (1, 1) else "k x k"
        case "DEPTHWISE_CONV_2D" if layer.kernel == (3, 3) and source.shape[-1] == output.shape[-1]:
            return "depthwise 3x3"
        case "ADD" if tensors[0].shape == tensors[1].shape:
            return "add"
        case "MAX_POOL_2D" if operation.window == (2, 2):
            return "pool 2x2"
        case "PAD" | "RESHAPE":
            return operation.name.lower()
    return ""


def _macs(graph: Graph, operation: Operator) -> int:
    """Return the multiply-accumulates of an operation. The axes of each tensor have the order of the tflite schema."""
    if operation.name not in _WEIGHTED:
        return 0
    output = graph.tensors[operation.outputs[0]]
    weights = graph.tensors[operation.inputs[1]]
    match operation.name:
        case "DEPTHWISE_CONV_2D":  # (1, kernel, kernel, channels)
            return output.elements * weights.shape[1] * weights.shape[2]
        case "TRANSPOSE_CONV":  # (out, kernel, kernel, in): each input value adds to kernel x kernel x out outputs
            return graph.tensors[operation.inputs[2]].elements * weights.elements // weights.shape[3]
        case _:  # (out, kernel, kernel, in) or (out, in)
            return output.elements * weights.elements // weights.shape[0]
