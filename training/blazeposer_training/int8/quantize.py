"""`blazeposer quantize` writes an INT8 and a float tflite file, a manifest (a JSON file) for each of them, and golden
vectors for the INT8 file."""

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from blazeposer.core.contract import MAX_FILE_BYTES
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.prepare import rgb565
from blazeposer.core.resources import models_dir, output_models_dir
from blazeposer.evaluate.datasets.pool import TRAINING_POOLS, data_folder
from blazeposer.evaluate.validate import golden
from blazeposer.tflite.arena import measure_arena
from blazeposer.tflite.manifest import Manifest, describe, write_manifest

from ..images.bank import Bank, read_bank
from ..images.batches import TrainingBatches
from ..learning.device import share_cores
from ..learning.recipe import Recipe, recipe_of
from ..network.architecture import Architecture
from ..network.graph import operations
from ..network.model import BlazePoser
from ..network.weights import load, notes, sha256
from .calibrate import quantize
from .export import activation_quantization, float_layers, int8_layers
from .flatbuffer import OPERATOR_NAMES, Layer, Quantization, write_tflite
from .qaf import Budget, fine_tune
from .quantized import QuantizedBlazePoser

CALIBRATION_POOLS = ("aflw", "wflw", "maskon")
"""Data sets for calibration, with every pose and faces of many sizes."""
WEIGHTS = "blazeposer.safetensors"
SEED = 20260101
WORKERS = 1
"""Number of processes that make the images for tuning in advance."""


@click.command(short_help="Make the INT8 network from the float network.")
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="File of float weights from `blazeposer train` (default: models/blazeposer.safetensors).",
)
@click.option("--data", help="Folder of the pools (default: the folder in BLAZEPOSER_DATA).")
@click.option(
    "--pool",
    "pools",
    multiple=True,
    metavar="NAME",
    help="Use only this pool, and not the pools of BlazePoser. The option can be repeated.",
)
@click.option(
    "--images",
    type=click.IntRange(min=20),
    default=300,
    show_default=True,
    help="Number of images on which the ranges of the network's values are measured.",
)
@click.option(
    "--plain",
    is_flag=True,
    help="Quantize without fine-tuning. With --plain, the command takes one minute in place of ten minutes.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for blazeposer.tflite, blazeposer_float.tflite, manifests and golden vectors (default: models).",
)
def command(
    weights: Path | None, data: str | None, pools: tuple[str, ...], images: int, plain: bool, output: Path | None
) -> None:
    """Quantize the network to INT8.

    First, the command measures the ranges of the network's values on training images that have the quality of a
    camera's images.

    Then, the command fine-tunes the parts of the INT8 network, one after the other. The fine-tuning brings the outputs
    of each part closer to the outputs of the float network.
    """
    torch.set_flush_denormal(True)
    console = Console(stderr=True)
    output = output or output_models_dir()
    trained = output_models_dir() / WEIGHTS
    weights = weights or (trained if trained.exists() else models_dir() / WEIGHTS)
    network = load(weights)
    folder = data_folder(data)
    recipe = recipe_of(notes(weights))
    model = calibrated(network, calibration_images(folder, images, recipe, console.print, pools), console)
    origin = {**notes(weights), "weights_sha256": sha256(weights)}
    quantization: dict[str, object] = {
        "calibration_images": images,
        "calibration_pools": list(pools or CALIBRATION_POOLS),
    }
    if not plain:
        share_cores(WORKERS)
        bank = _bank(folder, pools, TRAINING_POOLS, console.print)
        fine_tune(model, network, bank, recipe, Budget(), workers=WORKERS)
        quantization["fine_tuning"] = asdict(Budget())
    output.mkdir(parents=True, exist_ok=True)
    for manifest in (
        write(
            output / "blazeposer.tflite", network.architecture, int8_layers(model), activation_quantization(model),
            origin | quantization,
        ),
        write(output / "blazeposer_float.tflite", network.architecture, float_layers(network), {}, origin),
    ):  # fmt: skip
        click.echo(
            f"{output / manifest.file}: {manifest.file_bytes:,} bytes, {manifest.payload_bytes:,} bytes of parameters, "
            f"arena {manifest.arena_bytes:,}, {manifest.macs / 1e6:.1f} M MACs"
        )
    golden.write_beside(output / "blazeposer.tflite")


def calibrated(network: BlazePoser, pictures: NDArray[np.uint8], console: Console) -> QuantizedBlazePoser:
    """Return an INT8 copy of the network. The images `pictures` (N, 128, 128, 3) determine its ranges."""
    model = QuantizedBlazePoser(copy.deepcopy(network)).eval()
    with Progress(console=console) as progress:
        task = progress.add_task("calibrating", total=3 * len(pictures))
        quantize(model, pictures, lambda done: progress.advance(task, done))
    return model


def calibration_images(
    folder: Path, count: int, recipe: Recipe, report: Callable[[str], None], pools: tuple[str, ...] = ()
) -> NDArray[np.uint8]:
    """Return RGB training images (count, 128, 128, 3) from `pools`. If `pools` is empty, the images come from
    `CALIBRATION_POOLS`. As on a camera, the colours are rounded to RGB565. The same arguments always give the same
    images."""
    bank = _bank(folder, pools, CALIBRATION_POOLS, report)
    batch = TrainingBatches(bank, count, range(1), SEED, recipe.last_images)[0]
    return np.stack([rgb565(picture) for picture in batch.pictures.numpy()])


def _bank(folder: Path, pools: tuple[str, ...], default: tuple[str, ...], report: Callable[[str], None]) -> Bank:
    """Read the training images. A user's own `pools` come without photos for backgrounds, so the backgrounds are drawn
    rooms."""
    return read_bank(folder, pools or default, "train", report=report, faceless=() if pools else ("faceless",))


def write(
    path: Path, architecture: Architecture, layers: dict[str, Layer], quantization: dict[str, Quantization],
    training: dict[str, object],
) -> Manifest:  # fmt: skip
    """Write a tflite file and its manifest. Raises BlazePoserError if an INT8 file would be too large."""
    graph = operations(architecture)
    data = write_tflite(layers, quantization, graph)
    if quantization and len(data) > MAX_FILE_BYTES:
        raise BlazePoserError(
            f"{path.name} would have {len(data):,} bytes, the limit is {MAX_FILE_BYTES:,}: train a smaller network"
        )
    path.write_bytes(data)
    constants = [values for layer in layers.values() for values in (layer.weight, layer.bias) if values is not None]
    manifest = describe(
        path,
        quantization,
        {name: layer.scales.tolist() for name, layer in layers.items() if layer.scales is not None},
        payload_bytes=sum(values.nbytes for values in constants),
        parameters=sum(parameter.numel() for parameter in BlazePoser(architecture).parameters()),
        macs=sum(operation.macs for operation in graph),
        arena_bytes=measure_arena(path).total,
        ops=dict(sorted(Counter(OPERATOR_NAMES[operation.kind] for operation in graph).items())),
        training=training,
    )
    write_manifest(manifest, path)
    return manifest
