"""`blazeposer compare-quantization --data DIR --output docs/quantization_steps.md` compares methods of quantization.

The command compares plain post-training quantization, fine-tuning part by part, and quantization-aware training of the
whole network. During the fine-tuning, the command measures the network after each part. The command writes a table with
one row for each tflite file. All files are measured with LiteRT's reference kernels on the validation images of the
training pools (data sets).
"""

import copy
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from rich.progress import track

from blazeposer.core.contract import ANGLES
from blazeposer.core.errors import InputError
from blazeposer.core.resources import models_dir
from blazeposer.core.rotation import angles_from_rotation
from blazeposer.evaluate.datasets import pool as data
from blazeposer.evaluate.detection import Agreement, Answers, agreement
from blazeposer.evaluate.metrics import Scores, find, score
from blazeposer.evaluate.report import markdown_table
from blazeposer.media.output import make_folder
from blazeposer.tflite.interpreter import Network, open_network

from ..images.bank import read_bank
from ..images.batches import Batch, validation_batches
from ..int8.export import activation_quantization, float_layers, int8_layers
from ..int8.flatbuffer import write_tflite
from ..int8.qaf import BATCH, Budget, fine_tune, train_whole
from ..int8.quantize import WORKERS, calibrated, calibration_images
from ..int8.quantized import QuantizedBlazePoser
from ..learning.device import share_cores
from ..learning.learner import console
from ..learning.recipe import recipe_of
from ..network.graph import operations
from ..network.weights import load, notes

IMAGES = 300
"""Number of images from which the ranges of the network's values are measured."""


class Row(NamedTuple):
    """A row of the table of measurements."""

    name: str
    scores: Scores
    near: Agreement


class Judge:
    """A class that measures tflite files on validation images, and compares their results with the float network's."""

    def __init__(self, batches: Sequence[Batch], float_file: bytes) -> None:
        self.batches = batches
        self.rotations = np.concatenate([batch.rotations.numpy() for batch in batches]).astype(np.float64)
        self.rows: list[Row] = []
        self.float: Answers | None = None
        self.measure("float", float_file)

    def step(self, name: str, model: QuantizedBlazePoser) -> None:
        """Measure a quantized network, and add the measurements to the table."""
        self.measure(name, write_tflite(int8_layers(model), activation_quantization(model), model.operations))

    def measure(self, name: str, file: bytes) -> None:
        """Measure a tflite file, and add a row with the measurements to the table."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "step.tflite")
            path.write_bytes(file)
            found = self._answers(open_network(path), name)
        self.float = self.float or found
        scores = score(found, self.rotations, angles_from_rotation(self.rotations))
        self.rows.append(Row(name, scores, agreement(found, self.float, self.rotations)))
        console.print(f"{name}: {scores.line()}")

    def _answers(self, network: Network, name: str) -> Answers:
        found: Answers = []
        for batch in track(self.batches, f"measuring {name}", console=console):
            for picture, box in zip(batch.pictures.numpy(), batch.boxes.numpy().astype(np.float64), strict=True):
                found.append(find(network.outputs(picture), box))
        return found


@click.command(short_help="Compare methods to quantize the network.")
@click.option("--data", "folder", help="Folder of the pools (default: the folder in BLAZEPOSER_DATA).")
@click.option(
    "--weights", type=click.Path(path_type=Path), help="File of float weights (default: models/blazeposer.safetensors)."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the table to this Markdown page.")
def command(folder: str | None, weights: Path | None, output: Path | None) -> None:
    """Compare three methods to quantize the network to INT8.

    The three methods are plain quantization, fine-tuning of one part after the other, and training of the whole
    network.
    """
    torch.set_flush_denormal(True)
    share_cores(WORKERS)
    path = data.data_folder(folder)
    if output:
        make_folder(output.parent)
    weights = weights or models_dir() / "blazeposer.safetensors"
    network, recipe, budget = load(weights), recipe_of(notes(weights)), Budget(polish_steps=150)
    checks = list(validation_batches(read_bank(path, data.TRAINING_POOLS, "val", report=console.print), 64))
    judge = Judge(checks, write_tflite(float_layers(network), {}, operations(network.architecture)))
    plain = calibrated(network, calibration_images(path, IMAGES, recipe, console.print), console)
    judge.step("plain", plain)
    bank = read_bank(path, data.TRAINING_POOLS, "train", report=console.print)
    student = copy.deepcopy(plain)
    fine_tune(
        student, network, bank, recipe, budget, lambda name: judge.step(f"part by part: {name}", student), WORKERS
    )
    student = copy.deepcopy(plain)
    train_whole(student, network, bank, recipe, budget, WORKERS)
    judge.step("all at once, as many steps", student)
    page = table(judge.rows, budget, hashlib.sha256(weights.read_bytes()).hexdigest())
    click.echo(page)
    if output:
        try:
            output.write_text(page, encoding="utf-8")
        except OSError as error:
            raise InputError(f"{output}: cannot write the page ({error.strerror}): check --output") from error


def table(rows: Sequence[Row], budget: Budget, weights: str) -> str:
    """Return the text of the page about the methods of quantization. `weights` is the sha256 checksum of the file with
    the float weights."""
    head = ("", "MAE", *ANGLES, "geodesic", "recall", "MAE above float's, same faces", "IoU with float's boxes",
            "keypoints' distance from float's")  # fmt: skip
    cells = []
    for name, scores, near in rows:
        figures = (scores.mean, *scores.errors.mean(0).tolist(), scores.mean_geodesic)
        cells.append((
            name, *(f"{value:.2f}" for value in figures), f"{scores.recall:.4f}", f"{near.angles:+.3f}",
            f"{near.overlap:.3f}", f"{100 * near.keypoints:.2f} %",
        ))  # fmt: skip
    steps = budget.backbone_epochs[0] * budget.batches
    whole = steps + budget.polish_steps
    return f"""\
# What each step of quantization costs

The command `blazeposer compare-quantization --data DIR --output docs/quantization_steps.md` made this page. The
checksum (sha256) of the file with the float weights starts with {weights[:8]}. The errors in the table are in
degrees, and were measured on {len(rows[0].scores.labels)} faces of the `val` split of the training data. Each row of
the table shows one tflite file, which ran with LiteRT's reference kernels. The keypoints' distance from the float
network's keypoints is a percentage of the image's side.

{markdown_table(head, cells)}

The part in the name of a row "part by part" was tuned last. The parts in the rows above it were already tuned, and the
parts in the rows below it were not tuned yet. The backbone up to the 16x16 feature map was tuned for {steps}
steps with {BATCH} images in each step.
The parts after the 16x16 feature map were tuned on stored INT8 feature maps. For the row "part by part: all
parts together", all parts were then tuned together for {budget.polish_steps} steps. For the row "all at once", all
parts were tuned together from the start for {whole} steps, with the learning rate of these {budget.polish_steps} steps.
"""
