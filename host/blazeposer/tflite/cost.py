"""Count the work of each layer of a network, and estimate its instructions and its time on the Cortex-M7 of a camera.

Multiply-accumulates, parameters and bytes follow from the shapes. Nothing here was measured on a camera. The estimate
has two steps, each with its own uncertainty:

1. Instructions were counted on an emulated core, where ten networks ran in OpenMV's own TensorFlow Lite Micro for the
   Cortex-M7. This build of September 2024, with its kernels of CMSIS-NN, is in firmware 5.0.0. Two networks ran again
   with CMSIS-NN of June 2026. `KERNELS` contains the instructions of each kind of layer, a least-squares fit to seven
   of these networks. Totals are within 3 % of every count (tests/test_cost.py).
2. Cycles for an instruction (`SPEEDS`) come from a model of the core and its cache. The model is scaled by two
   published times of CMSIS-NN on a Cortex-M7 (mcunet-vww1 on an STM32H743: 97 ms; MobileNetV2 0.30 at 80x80 on an
   STM32F746: 129 ms). The time may be wrong by 20 % in both directions, and by more if the arena is in SDRAM.

The time of a frame is the sum of the network, the firmware's scaling of the image, and the decoder. It does not include
the wait for the sensor's next image, drawing and sending.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from blazeposer.core.boards import Board, Chip, Memory
from blazeposer.tflite.arena import Arena
from blazeposer.tflite.graph import Graph, Operation

Kernels = Literal["2024", "2026"]
"""Year of CMSIS-NN. Firmware 5.0.0 contains CMSIS-NN of 2024; a later firmware may contain CMSIS-NN of 2026."""
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


@dataclass(frozen=True)
class Layer:
    """One operation and its cost for one image."""

    name: str
    """Name of the operation in the tflite schema."""
    shape: tuple[int, ...]
    """Shape of the operation's first output."""
    macs: int
    """Number of multiply-accumulates. Only convolutions and fully connected layers have them."""
    parameters: int
    """Number of weights and biases. Parameters that several operations share count only for the first operation."""
    kernel: tuple[int, int]
    """Height and width of a convolution's window; (1, 1) for an operation without a window."""
    moved: int
    """Bytes that are read and written if each tensor is accessed once, constants included."""


@dataclass(frozen=True)
class Rate:
    """Instructions of one kind of layer."""

    output: float
    """Instructions for each output value."""
    mac: float = 0.0
    """Instructions for each multiply-accumulate."""
    copied: float = 0.0
    """Instructions for each place of the window at each place of the output. The kernel first copies the inputs of a
    window into one row."""


_RATES = {
    "1x1": Rate(40, 1.56),
    # Counted: 258 for each output of a 5x5 window over 3 channels, 133 of a 3x3 one. The same three figures fit 3x3
    # over 16 channels.
    "k x k": Rate(62, 1.8, 39),
    "depthwise 3x3": Rate(73),  # 70 to 76, with any stride
    "add": Rate(82),
    "pad": Rate(38),
    "pool 2x2": Rate(39.5),  # 37 to 42
    "reshape": Rate(0),
}
KERNELS: dict[Kernels, dict[str, Rate]] = {
    "2024": _RATES,
    # Only the rate of PAD was counted by itself. The one of 1x1 is what brings the two totals of 2026 and their shares
    # by kind (1x1 35 %, add 27 %, depthwise 22 %, stem 15 %) nearest to those counted; the others stay.
    "2026": _RATES | {"pad": Rate(2.3), "1x1": Rate(37, 1.56)},
}

SCALING = 41
"""Instructions of the firmware for each input value, to scale the image and convert it. The count is 2.0 M for 128x128
RGB from a window of 240x240."""
DECODING = 4.0e6
"""Instructions of `board/blazeposer.py` in MicroPython for an image with one face, counted. With three faces: 4.45 M.
"""


@dataclass(frozen=True)
class Speed:
    """The speed of a core in the kernels while the arena is in one memory."""

    cycles: float
    """Cycles for an instruction."""
    uncertainty: float
    """Largest error of the time in both directions, as a share of the time. For SDRAM the source says only "more than
    20 %", so 30 % is a guess."""
    source: str


SPEEDS: dict[tuple[Chip, Memory], Speed] = {
    ("STM32H7", "SRAM"): Speed(0.91, 0.20, "model of the core, scaled by two published times"),
    ("STM32H7", "SDRAM"): Speed(1.12, 0.30, "the same model for the H7 Plus; no published time with SDRAM"),
    ("i.MX RT1062", "SDRAM"): Speed(1.06, 0.30, "the same model; no published time with SDRAM"),
    ("i.MX RT1062", "DTCM"): Speed(0.82, 0.20, "the same model"),
}
"""Speed of each core, for each memory of the arena. A measurement on a camera belongs here.

Cycles for an instruction are milliseconds x MHz x 1000 / instructions. The milliseconds are "predict" in the row that
`board/bench.py` prints; the instructions are those of network and scaling. Then write this row as the source.
"""

ARENA_SHARE = 0.835
"""Bytes that TensorFlow Lite Micro keeps on a camera about operations and channels, as a share of those on a PC. A
camera's pointers are half as large. The estimate is within 400 bytes of the counts with the camera's library, for nine
networks."""
ARENA_EXTRA = 512
"""Bytes that the firmware adds to an arena (`TF_ARENA_EXTRA`, lib/tflm/tflm_backend.cc of openmv/openmv)."""


@dataclass(frozen=True)
class Estimate:
    """Time on one board in milliseconds. The error of each time is at most `uncertainty`, a share of the time."""

    memory: Memory
    """Memory that holds the arena."""
    cycles: float
    """Cycles of the network."""
    network: float
    frame: float
    """Milliseconds of scaling, network and decoding."""
    uncertainty: float
    source: str

    @property
    def frames_per_second(self) -> float:
        return 1000 / self.frame


def layers(graph: Graph) -> tuple[Layer, ...]:
    """Return every operation in the order of execution."""
    # Files of float16 weights turn these into float32 first.
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
            Layer(
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
    """Return the instructions of each operation, in the order of execution; None for an operation that was never
    counted."""
    return [
        _instructions(layer, _kind(graph, operation, layer), KERNELS[kernels])
        for operation, layer in zip(graph.operations, layers(graph), strict=True)
    ]


def unknown(graph: Graph) -> list[str]:
    """Return the names of the operations whose time cannot be estimated, each name once."""
    counted = zip(graph.operations, instructions(graph), strict=True)
    return sorted({operation.name for operation, count in counted if count is None})


def total(counts: Iterable[float | None]) -> float | None:
    """Return the sum of the instructions of a network; None if the instructions of one operation are not known."""
    known = list(counts)
    return None if None in known else math.fsum(count for count in known if count is not None)


def camera_arena(arena: Arena) -> int:
    """Return the bytes of an arena on a camera, estimated from TensorFlow Lite Micro's count on a 64-bit PC."""
    return arena.planned + round(ARENA_SHARE * arena.persistent) + ARENA_EXTRA


def speed(board: Board, memory: Memory) -> Speed | None:
    """Return the speed of a board's core with the arena in a memory; None if the speed is not known."""
    return SPEEDS.get((board.chip, memory))


def milliseconds(count: float, board: Board, of: Speed) -> float:
    """Return the time of `count` instructions on a board."""
    return count * of.cycles / (1000 * board.mhz)


def estimate(
    graph: Graph, board: Board, arena: int, kernels: Kernels = "2024", decoding: float = DECODING
) -> Estimate | None:
    """Return the time of a network on a board; None if an operation or the core is not known, or no memory has room.

    `arena` is the size of the arena on the camera in bytes. `decoding` is the number of instructions after the network.
    """
    memory = board.memory_of(arena)
    count = total(instructions(graph, kernels))
    if memory is None or count is None or (found := speed(board, memory)) is None:
        return None
    around = SCALING * sum(tensor.elements for tensor in graph.input_tensors) + decoding
    network, rest = (milliseconds(each, board, found) for each in (count, around))
    return Estimate(memory, count * found.cycles, network, network + rest, found.uncertainty, found.source)


def _instructions(layer: Layer, kind: str, rates: dict[str, Rate]) -> float | None:
    rate = rates.get(kind)
    if rate is None:
        return None
    outputs = math.prod(layer.shape)
    copies = outputs // layer.shape[-1] * math.prod(layer.kernel) if rate.copied else 0
    return rate.output * outputs + rate.mac * layer.macs + rate.copied * copies


def _kind(graph: Graph, operation: Operation, layer: Layer) -> str:
    """Return the name of an operation in `KERNELS`; empty if this form of the operation was never counted."""
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


def _macs(graph: Graph, operation: Operation) -> int:
    """Return the multiply-accumulates of an operation, from the shape of its weights in the tflite schema."""
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
