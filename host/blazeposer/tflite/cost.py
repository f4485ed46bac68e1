"""Count the work of each layer of a network, and estimate its instructions and its time on the Cortex-M7 of a camera.

Multiply-accumulates, parameters and bytes follow from the shapes. Nothing here was measured on a camera. The estimate
has two steps, each with its own uncertainty:

1. Instructions. They were counted: OpenMV's own TensorFlow Lite Micro for the Cortex-M7 (its build of September 2024,
   with the kernels of CMSIS-NN, which firmware 5.0.0 holds) ran ten networks on an emulated core, and two of them again
   with CMSIS-NN of June 2026. `KERNELS` holds what one layer takes, by least squares over seven of these. Totals are
   within 3 % of every count (tests/test_cost.py).
2. Time. A model of the core and its cache, scaled by two published times of CMSIS-NN on a Cortex-M7 (mcunet-vww1 on an
   STM32H743: 97 ms; MobileNetV2 0.30 at 80x80 on an STM32F746: 129 ms), gives cycles for an instruction: `SPEEDS`.
   20 % either way; more where the arena lies in SDRAM.

The time of a frame is the network, the firmware's scaling of the image, and the decoder. It leaves out the wait for
the sensor's next image, drawing and sending.
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
"""Year of CMSIS-NN: firmware 5.0.0 holds that of 2024, a later one may hold that of 2026."""
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


@dataclass(frozen=True)
class Rate:
    """Instructions that a kind of layer takes."""

    output: float
    """Instructions for each value that it writes."""
    mac: float = 0.0
    """Instructions for each multiply-accumulate."""
    copied: float = 0.0
    """Instructions for each place of the window at each place of the output, to copy inputs into one row first."""


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
"""Instructions of the firmware for each value of the input: scale the image and convert it (2.0 M for 128x128 RGB
out of a window of 240x240, counted)."""
DECODING = 4.0e6
"""Instructions of `board/blazeposer.py` in MicroPython for an image with one face, counted; with three, 4.45 M."""


@dataclass(frozen=True)
class Speed:
    """The speed of a core in the kernels while the arena lies in one memory."""

    cycles: float
    """Cycles for an instruction."""
    uncertainty: float
    """Share of the time, either way. With SDRAM the source says only "more than 20 %": 30 % is a guess."""
    source: str


SPEEDS: dict[tuple[Chip, Memory], Speed] = {
    ("STM32H7", "SRAM"): Speed(0.91, 0.20, "model of the core, scaled by two published times"),
    ("STM32H7", "SDRAM"): Speed(1.12, 0.30, "the same model for the H7 Plus; no published time with SDRAM"),
    ("i.MX RT1062", "SDRAM"): Speed(1.06, 0.30, "the same model; no published time with SDRAM"),
    ("i.MX RT1062", "DTCM"): Speed(0.82, 0.20, "the same model"),
}
"""Place of a measurement. Cycles for an instruction are the milliseconds of predict that `board/bench.py` prints,
times MHz, times 1000, divided by the instructions of network and scaling; the source is then the row."""

ARENA_SHARE = 0.835
"""Share, on a camera, of the bytes that TensorFlow Lite Micro keeps about operations and channels on a PC: pointers
are half as large. Within 400 bytes of the nine networks whose arena was counted with the camera's library."""
ARENA_EXTRA = 512
"""Bytes that the firmware adds to an arena (`TF_ARENA_EXTRA`, lib/tflm/tflm_backend.cc of openmv/openmv)."""


@dataclass(frozen=True)
class Estimate:
    """Time on one board. Milliseconds; each may be off by `uncertainty`, a share of it."""

    memory: Memory
    """Memory of the arena."""
    cycles: float
    """Cycles of the network."""
    network: float
    frame: float
    """Scaling, network and decoding."""
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
    """Return the instructions of each operation, in their order; None for one that was never counted."""
    return [
        _instructions(layer, _kind(graph, operation, layer), KERNELS[kernels])
        for operation, layer in zip(graph.operations, layers(graph), strict=True)
    ]


def unknown(graph: Graph) -> list[str]:
    """Return names of the operations that this model does not know, each once; then it estimates no time."""
    counted = zip(graph.operations, instructions(graph), strict=True)
    return sorted({operation.name for operation, count in counted if count is None})


def total(counts: Iterable[float | None]) -> float | None:
    """Return the instructions of a network; None if those of one operation are not known."""
    known = list(counts)
    return None if None in known else math.fsum(count for count in known if count is not None)


def camera_arena(arena: Arena) -> int:
    """Return the bytes of an arena on a camera, estimated from what TensorFlow Lite Micro counts on a 64-bit PC."""
    return arena.planned + round(ARENA_SHARE * arena.persistent) + ARENA_EXTRA


def speed(board: Board, memory: Memory) -> Speed | None:
    """Return the speed of a board's core with the arena in a memory; None if it is not known."""
    return SPEEDS.get((board.chip, memory))


def milliseconds(count: float, board: Board, of: Speed) -> float:
    """Return the time of so many instructions."""
    return count * of.cycles / (1000 * board.mhz)


def estimate(
    graph: Graph, board: Board, arena: int, kernels: Kernels = "2024", decoding: float = DECODING
) -> Estimate | None:
    """Return the time of a network on a board; None if an operation or the core is not known, or no memory has room.

    arena: bytes on the camera. decoding: instructions after the network.
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
    """Return the name of an operation in `KERNELS`; empty if its form was never counted."""
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
