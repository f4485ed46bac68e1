"""`blazeposer levers`: the cost on a camera of each architecture that a recipe may name.

Each architecture is written as an INT8 file with random weights, and measured: parameters, multiply-accumulates, bytes,
arena (TensorFlow Lite Micro, 64 bit), cycles on the AE3's NPU (Vela), and estimated instructions and time on a
Cortex-M7.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import numpy as np
import torch
from rich.progress import track

from blazeposer.core.boards import find
from blazeposer.core.console import Console
from blazeposer.core.text import say
from blazeposer.evaluate.report import Table, show_table, with_notes
from blazeposer.tflite import cost
from blazeposer.tflite.arena import measure_arena
from blazeposer.tflite.graph import read_graph
from blazeposer.tflite.npu import ae3_cycles

from ..int8.export import activation_quantization, int8_layers
from ..int8.flatbuffer import write_tflite
from ..int8.quantized import QuantizedBlazePoser
from ..network.architecture import ARCHITECTURES, Architecture
from ..network.model import BlazePoser

KERNELS: cost.Kernels = "2026"
TIMED = (find("h7"), find("rt1062"))
"""Boards with a Cortex-M7 and no free space in their fast memory."""


def costs(architecture: Architecture) -> list[str]:
    """Return the cells of a table row for an architecture: parameters, multiply-accumulates, bytes, arena, Vela's
    cycles, instructions, and milliseconds on the boards in TIMED. Raises BlazePoserError."""
    noise = np.random.default_rng(0)
    torch.manual_seed(0)  # of the weights
    model = QuantizedBlazePoser(BlazePoser(architecture)).eval()
    for name in {model.source[operation.output] for operation in model.operations}:
        if not model.quantizer(name).frozen:  # no two ranges alike, as in a trained file
            model.quantizer(name).set_range(-noise.uniform(1, 9), noise.uniform(1, 9))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "candidate.tflite")
        path.write_bytes(write_tflite(int8_layers(model), activation_quantization(model), model.operations))
        graph, arena = read_graph(path.read_bytes(), path.name), measure_arena(path)
        figures = (
            sum(parameter.numel() for parameter in model.network.parameters()),
            sum(operation.macs for operation in model.operations),
            path.stat().st_size,
            arena.total,
            ae3_cycles(path),
            round(cost.total(cost.instructions(graph, KERNELS)) or 0),
        )
    times = (cost.estimate(graph, board, cost.camera_arena(arena), KERNELS) for board in TIMED)
    return [*(f"{figure:,}" for figure in figures), *(f"{time.network:.0f} ms" if time else "-" for time in times)]


@click.command(short_help="Show the cost of each architecture.")
@click.option("--markdown", is_flag=True, help="A table to paste into a page.")
def command(markdown: bool) -> None:
    """Show what each architecture that a recipe may name costs: its size, its memory, its time on cameras."""
    named = track(ARCHITECTURES.items(), "architectures", console=Console(stderr=True))
    head = ["", "parameters", "MACs", "file", "arena", "cycles", "instructions", *(board.name for board in TIMED)]
    table = Table(head, [[name, *costs(architecture)] for name, architecture in named], "INT8 files, made-up weights")
    if markdown:
        say(with_notes(table))
    else:
        show_table(table)
