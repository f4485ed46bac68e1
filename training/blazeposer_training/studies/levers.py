"""What each lever on the network's size costs and gains: python -m blazeposer_training.studies.levers --data DIR

Every candidate is written as a file with made-up weights and measured: parameters, multiply-accumulates, bytes, arena
(TensorFlow Lite Micro, 64 bit), cycles on an Ethos-U55-256 (Vela). Those that can be trained are, all with the same
short recipe, and scored on the `val` split. The table goes to docs/architecture.md.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from blazeposer.errors import BlazePoserError

from ..int8.arena import arena_bytes
from ..int8.export import activation_quantization, int8_layers
from ..int8.flatbuffer import Layer, write_tflite
from ..int8.quantized import QuantizedBlazePoser
from ..network.architecture import ORIGINAL, Architecture, Block, stages
from ..network.graph import Operation
from ..network.model import BlazePoser

VELA = (
    "--accelerator-config", "ethos-u55-256", "--system-config", "Ethos_U55_High_End_Embedded",
    "--memory-mode", "Shared_Sram", "--optimise", "Performance",
)  # fmt: skip

Graph = tuple[Operation, ...]


@dataclass(frozen=True)
class Candidate:
    """One line of the table."""

    name: str
    architecture: Architecture
    change: Callable[[Graph], Graph] = lambda graph: graph
    """What is done to the architecture's operations; the weights of what changes are made up."""
    biases: bool = False
    """Whether depthwise convolutions keep a bias of their own."""
    train: bool = True
    """Whether training tells anything: not where the lever is exact in float."""


def branch_first(graph: Graph) -> Graph:
    """TensorFlow's order: in each block depthwise and pointwise before pool and pad."""
    order = {"depthwise": 0, "pointwise": 1, "pool": 2, "pad": 3}
    blocks: dict[str, int] = {}
    keys = []
    for position, operation in enumerate(graph):
        block, _, part = operation.output.rpartition(".")
        inner = block.startswith("backbone.blocks") and part in order
        keys.append((blocks.setdefault(block, position) if inner else position, order.get(part, 0) if inner else 0))
    return tuple(graph[i] for i in sorted(range(len(graph)), key=keys.__getitem__))


def folded(graph: Graph) -> Graph:
    """Each 64x64 block as the one dense 3x3 convolution that it is exactly: identity added at the centre tap."""
    result = []
    for operation in graph:
        if not operation.output.startswith("backbone.blocks") or operation.shape[1] < 64:
            result.append(operation)
        elif operation.kind == "add":
            block = next(other for other in graph if other.output == f"{operation.output}.depthwise")
            result.append(replace(operation, kind="conv", inputs=block.inputs, kernel=3, channels_in=block.channels_in))
    return tuple(result)


S2, S3 = (32, 36, 42), (48, 56, 64, 72, 80, 88)
NARROW = Architecture(16, stages((16, 16), S2, S3, (96,) * 5), (10, 15))
LATE = replace(NARROW, blocks=stages((16, 16), S2, S3, (88,) * 5))
SHORT = Architecture(16, stages((16, 16), S2, S3, (96,) * 4), (10, 14))
REGULAR = Architecture(16, stages((16, 16), (32, 32, 48), (48, 48, 64, 64, 80, 88), (96,) * 4), (10, 14), (0, 24))
ONE_BLOCK = Architecture(16, (Block(16, 1, 0), *LATE.blocks[2:]), (9, 14), (0, 24))

CANDIDATES = (
    Candidate("original channels, TensorFlow's order of operations", ORIGINAL, branch_first, biases=True, train=False),
    Candidate("+ pool and pad before the branch", ORIGINAL, biases=True, train=False),
    Candidate("+ depthwise bias folded into the pointwise one", ORIGINAL),
    Candidate("+ 64x64 blocks folded to dense convolutions (exact)", ORIGINAL, folded, train=False),
    Candidate("16 channels at 64x64", NARROW),
    Candidate("16 channels at 64x64, 88 at 8x8", LATE),
    Candidate("... and 8x8 regressors in two factors of rank 24", replace(LATE, regressor_ranks=(0, 24))),
    Candidate(
        "16 channels at 64x64, one 8x8 block less, 8x8 regressors of rank 24", replace(SHORT, regressor_ranks=(0, 24))
    ),
    Candidate("one 64x64 block only, 88 at 8x8, rank 24", ONE_BLOCK),
    Candidate("widths in few steps, one 8x8 block less, rank 24", REGULAR),
)


def sizes(candidate: Candidate) -> dict[str, int]:
    """Parameters, MACs, bytes of the file, arena and Vela's cycles of a candidate, in this order."""
    model = QuantizedBlazePoser(BlazePoser(candidate.architecture)).eval()
    graph = candidate.change(model.operations)
    noise = np.random.default_rng(0)
    layers, quantization = int8_layers(model), activation_quantization(model)
    for operation in graph:
        channels = operation.shape[3] if operation.has_weights else 0
        if operation.kind == "conv" and operation.output not in layers:
            shape = (channels, operation.kernel, operation.kernel, operation.channels_in)
            weight, bias = noise.integers(-127, 128, shape, np.int8), noise.integers(-99, 99, channels, np.int32)
            layers[operation.output] = Layer(weight, bias, np.ones(channels, np.float32))
        elif operation.kind == "depthwise" and candidate.biases:
            bias = noise.integers(-99, 99, channels, np.int32)
            layers[operation.output] = replace(layers[operation.output], bias=bias)
    used = [layers[operation.output] for operation in graph if operation.has_weights]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "candidate.tflite"
        path.write_bytes(write_tflite(layers, quantization, graph=graph))
        return {
            "parameters": sum(layer.weight.size + (0 if layer.bias is None else layer.bias.size) for layer in used),
            "macs": sum(operation.macs for operation in graph),
            "file": path.stat().st_size,
            "arena": arena_bytes(path),
            "cycles": vela_cycles(path),
        }


def vela_cycles(path: Path) -> int:
    """Total cycles of one inference as Vela estimates them. Raises BlazePoserError."""
    command = [sys.executable, "-m", "ethosu.vela", str(path), "--output-dir", str(path.parent), *VELA]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1]
        raise BlazePoserError(f"Vela cannot compile {path.name} ({reason}): pip install 'blazeposer[dev]'")
    with open(next(path.parent.glob("*summary*.csv")), newline="") as stream:
        return round(float(next(csv.DictReader(stream))["cycles_total"]))


def row(name: str, size: Mapping[str, int], mae: str) -> str:
    """A line of the table in Markdown."""
    return (
        f"| {name} | {size['parameters']:,} | {size['macs'] / 1e6:.1f} M | {size['file']:,} | {size['arena']:,} "
        f"| {size['cycles']:,} | {mae} |"
    )
