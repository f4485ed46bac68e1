"""Train the network: `blazeposer train --recipe full --data DIR --output models/blazeposer.safetensors`.

In the first stage (`distil`), the backbone learns BlazeFace's feature maps. In the second stage, the pose heads are
trained alone on stored feature maps, as in Abbaszadeh's thesis (Politecnico di Milano, 2025). In the third stage, the
whole network is trained.
"""

import itertools
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor, nn

from blazeposer.core.errors import BlazePoserError
from blazeposer.core.face import Face
from blazeposer.core.resources import models_dir, output_models_dir
from blazeposer.core.rotation import angles_from_rotation
from blazeposer.evaluate.datasets import pool as data
from blazeposer.evaluate.metrics import Scores, find, score
from blazeposer.evaluate.peers.mediapipe import BLAZEFACE_SHA256

from ..images.bank import read_bank
from ..images.batches import Batch, Teacher, disturbed_batches, training_batches, validation_batches
from ..images.settings import ImageSettings
from ..network import weights
from ..network.branches import fold
from ..network.model import BlazePoser
from .device import CPU, best_device, has_bfloat16, share_cores
from .distil import distil_features
from .expected_error import calibrate_error
from .learner import Fit, Learner, autocast, console, progress, to_input
from .losses import Target, detections, inside_boxes, pose_terms, poses, total_loss, weighted_sum
from .recipe import Recipe, read_recipe, recipe_names


def train_heads(learner: Learner, batches: Iterator[Batch], recipe: Recipe) -> None:
    """Run the second stage: store the feature maps that the pose heads read, and train only the pose heads."""
    cached: list[tuple[tuple[Tensor, Tensor], Target]] = []
    for batch in progress(
        itertools.islice(batches, recipe.cached_batches), recipe.cached_batches, "computing feature maps"
    ):
        image, target = learner.target(batch)
        with torch.no_grad(), autocast(image.device):
            first, second = learner.model.backbone(image)
        target.detections.regressors = torch.empty(0)
        cached.append(((first.bfloat16(), second.bfloat16()), target))
    total = recipe.cached_epochs * len(cached)
    parameters = [*learner.model.poses.parameters(), *learner.bins.parameters()]
    fit = Fit(parameters, recipe.cached_rate, [total], recipe.warmup, recipe.decay)
    generator = torch.Generator().manual_seed(recipe.seed)
    order = torch.cat([torch.randperm(len(cached), generator=generator) for _ in range(recipe.cached_epochs)]).tolist()
    for index in progress(iter(order), total, "training pose heads"):
        taps, target = cached[index]
        with autocast(taps[0].device):
            pose = poses(learner.model, learner.bins, taps)
        fit.step(weighted_sum(pose_terms(pose, target, inside_boxes(target.boxes)), recipe.weights))
    learner.average.load_state_dict(learner.model.state_dict())


class Trainer:
    """The third stage of a training, with checkpoints in the folder `run`."""

    def __init__(self, learner: Learner, recipe: Recipe, run: Path, start: Path | None = None) -> None:
        self.learner, self.recipe, self.run = learner, recipe, run
        self.start = weights.sha256(start) if start else ""
        self.checkpoint = run / "checkpoint.pt"
        trained = nn.ModuleList([learner.model, learner.bins])
        self.fit = Fit(list(trained.parameters()), recipe.rate, recipe.cycles, recipe.warmup, recipe.decay)
        self.step = 0
        self.seconds = 0.0
        """Seconds of training, without the time in which the training was stopped."""
        self.scores: Scores | None = None
        """Scores of the moving average at the last validation."""

    def save(self) -> None:
        """Write the checkpoint and the moving average of the weights. Each of these two files is replaced only when the
        new file is complete."""
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "recipe": asdict(self.recipe),
            "start": self.start,
            "model": self.learner.model.state_dict(),
            "average": self.learner.average.state_dict(),
            "bins": self.learner.bins.state_dict(),
            "fit": self.fit.state_dict(),
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)
        about = {"architecture": self.recipe.architecture}
        weights.save(fold(self.learner.average), self.run / "average.safetensors", about)

    def resume(self) -> bool:
        """Continue from the checkpoint of a stopped training, and return whether there is a checkpoint. Raises
        BlazePoserError if the checkpoint was made with another recipe or other initial weights."""
        if not self.checkpoint.exists():
            return False
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        if (state["recipe"], state["start"]) != (asdict(self.recipe), self.start):
            raise BlazePoserError(
                f"{self.run} contains a training with other settings: choose another folder with --run"
            )
        self.learner.model.load_state_dict(state["model"])
        self.learner.average.load_state_dict(state["average"])
        self.learner.bins.load_state_dict(state["bins"])
        self.fit.load_state_dict(state["fit"])
        self.step, self.seconds = state["step"], state["seconds"]
        return True

    def validate(self, checks: list[Batch], means: Mapping[str, float] | None = None) -> None:
        """Measure and log the scores of the averaged weights on the validation images. `means` are the means of the
        loss terms since the previous validation."""
        self.scores = score_network(self.learner.average, checks)
        console.print(f"step {self.step}: val {self.scores.line()}")
        self.log(step=self.step, seconds=round(self.seconds), train=means, val=self.scores.as_dict())

    def log(self, **entry: object) -> None:
        """Append an entry to the log of the training, as one line."""
        with open(self.run / "log.jsonl", "a") as log:
            log.write(json.dumps(entry) + "\n")

    def train(self, batch: Batch) -> dict[str, Tensor]:
        """Take one training step, and return the terms of the loss."""
        image, target = self.learner.target(batch)
        with autocast(image.device):
            taps = self.learner.model.backbone(image)
            found = detections(self.learner.model, taps)
            pose = poses(self.learner.model, self.learner.bins, taps)
        loss, terms = total_loss(found, pose, target, self.recipe.weights)
        self.fit.step(loss)
        self.step += 1
        self.learner.update_average(min(self.recipe.average, self.step / (self.step + 10)))
        return terms


def train(
    folder: Path, recipe: Recipe, run: Path, start: Path | None = None, device: torch.device = CPU,
    workers: int = 0, every: int = 500,
) -> Trainer:  # fmt: skip
    """Train the network, and return the `Trainer` at the end. The checkpoint and the log (`log.jsonl`) are written to
    the folder `run`. If the folder `run` contains a stopped training, the stopped training continues.

    `workers` is the number of processes that make the images in advance. `every` is the number of steps between two
    validations. At the end, the expected error is calibrated on the validation images without and with disturbances.
    """
    run.mkdir(parents=True, exist_ok=True)
    bank = read_bank(folder, recipe.pools, "train", device, console.print, recipe.faceless)
    places = recipe.faceless and ("faceless",)
    validation = read_bank(folder, recipe.pools, "val", device, console.print, places)
    checks = list(validation_batches(validation, recipe.batch))
    disturbed = list(disturbed_batches(validation, recipe.batch, recipe.last_images))
    learner = Learner(recipe, start, device)
    trainer = Trainer(learner, recipe, run, start)
    resumed = trainer.resume()
    began = time.monotonic() - trainer.seconds
    trainer.log(**about(recipe, device))

    def batches(steps: range, settings: ImageSettings, teacher: Teacher) -> Iterator[Batch]:
        return training_batches(bank, recipe.batch, steps, recipe.seed, settings, workers, teacher)

    def first_batches(steps: range, teacher: Teacher) -> Iterator[Batch]:
        """Return batches for the first two stages. The third stage uses other batches."""
        unseen = range(recipe.steps + steps.start, recipe.steps + steps.stop)
        return batches(unseen, recipe.images, teacher)

    teach = learner.teach_detection
    if resumed:
        console.print(f"continuing from step {trainer.step} of the training in {run}")
    elif start is None:
        distil_features(learner, first_batches, recipe)
        steps = range(recipe.distil_steps, recipe.distil_steps + recipe.cached_batches)
        train_heads(learner, first_batches(steps, teach), recipe)
    trainer.seconds = time.monotonic() - began
    if not resumed:
        trainer.save()
    trainer.validate(checks)

    def lessons() -> Iterator[Batch]:
        start, end = trainer.step, 0
        for phase in recipe.phases:
            end += phase.steps
            yield from batches(range(start, end), phase.images, teach)
            start = max(start, end)

    sums, logged = Counter[str](), trainer.step
    for batch in progress(lessons(), recipe.steps - trainer.step, "training the whole network"):
        sums.update(trainer.train(batch))
        if trainer.step % every and trainer.step != recipe.steps:
            continue
        trainer.seconds = time.monotonic() - began
        trainer.save()
        means = {name: round(float(value) / (trainer.step - logged), 4) for name, value in sums.items()}
        console.print(f"step {trainer.step}/{recipe.steps}: {means}")
        trainer.validate(checks, means)
        logged = trainer.step
        sums.clear()
    every_batch = [*checks, *disturbed]
    spread = np.concatenate([batch.spread.cpu().numpy() for batch in every_batch])
    slope, offset = calibrate_error(learner.average, score_network(learner.average, every_batch), spread)
    trainer.scores = score_network(learner.average, checks)
    trainer.log(
        expected_error={"slope": round(slope, 4), "offset": round(offset, 4)},
        disturbed=score_network(learner.average, disturbed).as_dict(),
    )
    return trainer


def about(recipe: Recipe, device: torch.device) -> dict[str, object]:
    """Return the log entry about the recipe and the PC. The entry is written when a training starts or continues."""
    return {
        "recipe": asdict(recipe),
        "device": torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else torch.cpu.get_capabilities().get("cpu_name", "CPU"),
        "threads": torch.get_num_threads(),
        "bfloat16": has_bfloat16(device),
        "torch": torch.__version__,
    }


def score_network(model: BlazePoser, batches: Iterable[Batch]) -> Scores:
    """Return the scores of the float network on validation batches."""
    model.eval()
    found: list[Face | None] = []
    rotations = []
    for batch in batches:
        with torch.no_grad():
            outputs = [output.cpu().numpy() for output in model(to_input(batch.pictures))]
        for row, box in enumerate(batch.boxes.cpu().numpy().astype(np.float64)):
            found.append(find([output[row : row + 1] for output in outputs], box))
        rotations.append(batch.rotations.cpu().numpy())
    truth = np.concatenate(rotations).astype(np.float64)
    return score(found, truth, angles_from_rotation(truth))


def notes(recipe: Recipe, start: Path | None, scores: Scores) -> dict[str, object]:
    """Return the notes about a training. The file of weights and the INT8 network's manifest (JSON file) contain these
    notes. If the training started from the file `start`, the entry `start` is a copy of the notes in the file
    `start`."""
    return {
        "start": weights.notes(start) if start else f"MediaPipe BlazeFace short range, sha256 {BLAZEFACE_SHA256}",
        "labels": "mean rotation of teacher networks",
        "recipe": asdict(recipe),
        "validation": scores.as_dict(),
    }


@click.command()
@click.option("--recipe", "name", metavar="NAME|FILE",
              help="Recipe with the settings of the training. The recipe is a toml file or one of the names "
              f"{', '.join(recipe_names())} (default: full; with --only: own).")  # fmt: skip
@click.option("--data", "folder", help="Folder of the pools (default: the folder in BLAZEPOSER_DATA).")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File for the weights (default: models/blazeposer.safetensors; with --only: out/NAME.safetensors).",
)
@click.option("--run", type=click.Path(path_type=Path),
              help="Folder for the checkpoints and the log. A stopped training continues from the last checkpoint "
              "in the folder (default: runs/main; with --only: runs/NAME).")  # fmt: skip
@click.option(
    "--start",
    type=click.Path(path_type=Path, exists=True),
    help="File of weights from which the training starts, in place of BlazeFace's weights.",
)
@click.option("--pool", "more", multiple=True, metavar="NAME",
              help="Also train on this pool, which `blazeposer label` made. The pool must be in the folder of the "
              "pools. The option can be repeated.")  # fmt: skip
@click.option("--only", is_flag=True,
              help="Train only on the pools in --pool, and start from BlazePoser's weights.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), help="Seed for random values (default: the recipe's seed).")
def command(
    name: str | None, folder: str | None, output: Path | None, run: Path | None, start: Path | None,
    more: tuple[str, ...], only: bool, seed: int | None,
) -> None:  # fmt: skip
    """Train the float network, and write the trained weights into a file."""
    torch.set_flush_denormal(True)
    if only and not more:
        raise click.UsageError("--only needs --pool: add --pool NAME.")
    recipe = read_recipe(name or ("own" if only else "full"))
    if seed is not None:
        recipe = replace(recipe, seed=seed)
    recipe = replace(recipe, pools=more, faceless=()) if only else replace(recipe, pools=(*recipe.pools, *more))
    start = start or (models_dir() / "blazeposer.safetensors" if only else None)
    run = run or Path("runs") / (more[0] if only else "main")
    target = output or (
        Path("out") / f"{more[0]}.safetensors" if only else output_models_dir() / "blazeposer.safetensors"
    )
    device = best_device()
    workers = 0 if device.type == "cuda" else 1  # images for a GPU are made on the GPU
    share_cores(workers)
    try:
        trainer = train(data.data_folder(folder), recipe, run, start, device, workers)
    except KeyboardInterrupt as error:
        raise BlazePoserError(f"stopped: run the same command to continue from the last checkpoint in {run}") from error
    assert trainer.scores
    weights.save(fold(trainer.learner.average), target, notes(recipe, start, trainer.scores))
    console.print(f"Wrote {target}")
