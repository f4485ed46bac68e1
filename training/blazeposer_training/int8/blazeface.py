"""Make the INT8 BlazeFace that BlazePoser is compared with:  python -m blazeposer_training.int8.blazeface [--data DIR]

Run once; the file that it writes, `blazeface_int8.tflite` of the peers, is committed. It is MediaPipe's
network with all its channels, quantized after training on the same pictures as BlazePoser and written by the same
writer.
"""

from __future__ import annotations

import click
from rich.console import Console
from rich.progress import Progress

from blazeposer.core.contract import OUTPUTS
from blazeposer.evaluate.datasets.pool import data_folder
from blazeposer.evaluate.peers.blazeface import BLAZEFACE_INT8, DETECTION

from ..network.architecture import ORIGINAL
from ..network.graph import Operation, operations
from ..network.model import BlazePoser
from ..network.weights import load_blazeface
from .calibrate import quantize
from .export import activation_quantization, int8_layers
from .flatbuffer import write_tflite
from .quantize import calibration_images
from .quantized import QuantizedBlazePoser

IMAGES = 300
"""To set the ranges with."""


def detection_only(graph: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """The operations that the first four outputs of the contract need."""
    needed = {output.name for output in OUTPUTS[:DETECTION]}
    for operation in reversed(graph):
        if operation.output in needed:
            needed.update(operation.inputs)
    return tuple(operation for operation in graph if operation.output in needed)


@click.command()
@click.option("--data", "folder", help="Folder of the pools (default: BLAZEPOSER_DATA).")
def command(folder: str | None) -> None:
    """Make the INT8 BlazeFace anew."""
    console = Console(stderr=True)
    pictures = calibration_images(data_folder(folder), IMAGES, console.print)
    model = QuantizedBlazePoser(load_blazeface(BlazePoser(ORIGINAL))).eval()
    with Progress(console=console) as progress:
        task = progress.add_task("calibrating", total=3 * IMAGES)
        quantize(model, pictures, lambda done: progress.advance(task, done))
    graph = detection_only(operations(ORIGINAL))
    BLAZEFACE_INT8.write_bytes(write_tflite(int8_layers(model), activation_quantization(model), graph=graph))
    click.echo(f"{BLAZEFACE_INT8}: {BLAZEFACE_INT8.stat().st_size:,} bytes")


if __name__ == "__main__":
    command()
