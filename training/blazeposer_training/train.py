"""blazeposer train --data DIR --output models/blazeposer.safetensors

Two stages, as the thesis has them. First the pose heads alone, on feature-space embeddings: the two tapped maps of the
frozen original, computed once and cached. Then the whole network, with the frozen original's detections distilled into
it. Everything that decides the result is in `Recipe`; a stopped training goes on from its last checkpoint.
"""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import click
import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from blazeposer.decode import Face
from blazeposer.errors import BlazePoserError
from blazeposer.resources import models_dir
from blazeposer.rotation import angles_from_rotation

from . import data, weights
from .batches import Batch, training_batches, validation_batches
from .losses import (
    AngleBins,
    Prediction,
    Target,
    detections,
    inside_boxes,
    pose_terms,
    poses,
    total_loss,
    weighted_sum,
)
from .metrics import Scores, find, score
from .model import BlazePoser

console = Console(stderr=True)
T = TypeVar("T")


@dataclass(frozen=True)
class Recipe:
    """The settings of a training, each with its reason."""

    steps: int = 12000
    """Of the second stage; 80 minutes on one of two cores."""
    batch: int = 64
    rate: float = 1.2e-3
    """AdamW's peak, after a warm-up, falling along a cosine to nothing."""
    warmup: int = 200
    decay: float = 1e-4
    average: float = 0.998
    """Per step, of the moving average of the weights: it is what ships."""
    cached_batches: int = 160
    """Of the first stage: 10,000 pictures, 0.6 GB of features."""
    cached_epochs: int = 6
    cached_rate: float = 3e-3
    seed: int = 0


class Learner:
    """The network being trained, the bins that only training needs, and the frozen original that teaches detection."""

    def __init__(self, recipe: Recipe, start: Path | None = None) -> None:
        torch.manual_seed(recipe.seed)
        self.model = weights.load(start).train() if start else weights.load_blazeface(BlazePoser())
        self.bins = AngleBins()
        self.original = weights.load_blazeface(BlazePoser()).eval().requires_grad_(False)
        for part in (self.model, self.bins, self.original):
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model).requires_grad_(False)

    def target(self, batch: Batch) -> tuple[Tensor, tuple[Tensor, Tensor], Target]:
        """The network's input, the original's taps, and what the losses need."""
        image = to_input(batch.pictures)
        with torch.no_grad(), autocast():
            taps = self.original.backbone(image)
            logits, regressors = detections(self.original, taps)
        return image, taps, Target(logits, regressors, batch.rotations, batch.boxes, batch.weights)

    def update_average(self, decay: float) -> None:
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)


def to_input(pictures: Tensor) -> Tensor:
    """uint8 (N, 128, 128, 3) to the network's input, channels last in memory."""
    return (pictures.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def autocast() -> torch.autocast:
    """bfloat16 arithmetic on float32 weights: three times as fast on CPUs that have it."""
    return torch.autocast("cpu", dtype=torch.bfloat16)


def train_heads(learner: Learner, batches: Iterator[Batch], recipe: Recipe) -> None:
    """First stage: cache the original's taps, then train the pose heads on them."""
    cached: list[tuple[tuple[Tensor, Tensor], Target]] = []
    for batch in _progress(batches, recipe.cached_batches, "caching features"):
        _, taps, target = learner.target(batch)
        target.regressors = torch.empty(0)
        cached.append(((taps[0].bfloat16(), taps[1].bfloat16()), target))
    parameters = [*learner.model.poses.parameters(), *learner.bins.parameters()]
    optimizer = torch.optim.AdamW(parameters, recipe.cached_rate, weight_decay=recipe.decay)
    total = recipe.cached_epochs * len(cached)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.cached_rate, total)
    order = torch.cat([torch.randperm(len(cached)) for _ in range(recipe.cached_epochs)]).tolist()
    for index in _progress(iter(order), total, "pose heads on cached features"):
        taps, target = cached[index]
        with autocast():
            rotation, bins = poses(learner.model, learner.bins, taps)
        terms = pose_terms(rotation, bins, target, inside_boxes(target.boxes))
        loss = weighted_sum(terms)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    learner.average.load_state_dict(learner.model.state_dict())


class Trainer:
    """Second stage: everything trains. Its state is a checkpoint in the run's folder."""

    def __init__(self, learner: Learner, recipe: Recipe, run: Path) -> None:
        self.learner, self.recipe, self.run = learner, recipe, run
        self.checkpoint = run / "checkpoint.pt"
        trained = nn.ModuleList([learner.model, learner.bins])
        for head in learner.model.pose_heads:
            head.error.requires_grad_(False)
        self.parameters = [parameter for parameter in trained.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, recipe.rate, weight_decay=recipe.decay)
        warmup = min(recipe.warmup / recipe.steps, 0.3)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, recipe.rate, recipe.steps, pct_start=warmup, div_factor=20
        )
        self.step = 0

    def save(self) -> None:
        state = {
            "step": self.step,
            "recipe": asdict(self.recipe),
            "model": self.learner.model.state_dict(),
            "average": self.learner.average.state_dict(),
            "bins": self.learner.bins.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)
        weights.save(self.learner.average, self.run / "average.safetensors")

    def resume(self) -> bool:
        """Go on from the run's checkpoint, if it has one. Raises BlazePoserError when it is of another recipe."""
        if not self.checkpoint.exists():
            return False
        state = torch.load(self.checkpoint, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise BlazePoserError(f"{self.run} holds a training with other settings: name another folder with --run")
        self.learner.model.load_state_dict(state["model"])
        self.learner.average.load_state_dict(state["average"])
        self.learner.bins.load_state_dict(state["bins"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step = state["step"]
        return True

    def train(self, batch: Batch) -> dict[str, float]:
        image, _, target = self.learner.target(batch)
        with autocast():
            taps = self.learner.model.backbone(image)
            logits, regressors = detections(self.learner.model, taps)
            rotation, bins = poses(self.learner.model, self.learner.bins, taps)
        loss, terms = total_loss(Prediction(logits, regressors, rotation, bins), target)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 5.0)
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        self.learner.update_average(min(self.recipe.average, self.step / (self.step + 10)))
        return terms


def _progress(items: Iterator[T], total: int, what: str) -> Iterator[T]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=console) as progress:
        yield from progress.track(items, total=total, description=what)


def train(folder: Path, recipe: Recipe, run: Path, start: Path | None, workers: int, every: int = 500) -> Scores:
    """Run or resume a training; its log is `log.jsonl` in the run's folder. Returns the last validation scores."""
    run.mkdir(parents=True, exist_ok=True)
    pool = data.read_pools(folder, data.TRAINING_POOLS, "train", console.print)
    validation = data.read_pools(folder, data.TRAINING_POOLS, "val", console.print)
    backgrounds = data.read_backgrounds(folder)
    checks = list(validation_batches(validation, backgrounds, recipe.batch))
    learner = Learner(recipe, start)
    trainer = Trainer(learner, recipe, run)
    if trainer.resume():
        console.print(f"going on from step {trainer.step} of {run}")
    elif start is None:
        steps = range(recipe.steps, recipe.steps + recipe.cached_batches)  # none that the second stage will see
        train_heads(learner, training_batches(pool, backgrounds, recipe.batch, steps, recipe.seed, workers), recipe)
    scores = score_network(learner.average, checks)
    console.print(f"step {trainer.step}: val {scores.line()}")
    steps = range(trainer.step, recipe.steps)
    batches = training_batches(pool, backgrounds, recipe.batch, steps, recipe.seed, workers)
    began, first, logged = time.time(), trainer.step, trainer.step
    sums: dict[str, float] = {}
    for batch in _progress(batches, len(steps), "whole network"):
        for name, value in trainer.train(batch).items():
            sums[name] = sums.get(name, 0.0) + value
        if trainer.step % every and trainer.step != recipe.steps:
            continue
        trainer.save()
        scores = score_network(learner.average, checks)
        rate = (trainer.step - first) / (time.time() - began)
        means = {name: round(value / (trainer.step - logged), 4) for name, value in sums.items()}
        logged = trainer.step
        with open(run / "log.jsonl", "a") as log:
            log.write(json.dumps({"step": trainer.step, "train": means, "val": scores.as_dict()}) + "\n")
        left = (recipe.steps - trainer.step) / rate / 60
        console.print(f"step {trainer.step}/{recipe.steps}: val {scores.line()} | {means} | {left:.0f} min left")
        sums.clear()
    return scores


def score_network(model: BlazePoser, batches: Iterable[Batch]) -> Scores:
    """Scores of the float network on validation batches."""
    model.eval()
    found: list[Face | None] = []
    rotations = []
    for batch in batches:
        with torch.no_grad():
            outputs = [output.numpy() for output in model(to_input(batch.pictures))]
        for row, box in enumerate(batch.boxes.numpy().astype(np.float64)):
            found.append(find([output[row : row + 1] for output in outputs], box))
        rotations.append(batch.rotations.numpy())
    truth = np.concatenate(rotations).astype(np.float64)
    return score(found, truth, angles_from_rotation(truth))


def notes(recipe: Recipe, start: Path | None, scores: Scores) -> dict[str, object]:
    """What goes into the weights' file, and from there into the manifest."""
    return {
        "start": start.name if start else f"MediaPipe BlazeFace short range, sha256 {weights.BLAZEFACE_SHA256}",
        "pools": list(data.TRAINING_POOLS),
        "labels": "mean rotation of three teacher networks",
        "recipe": asdict(recipe),
        "validation": scores.as_dict(),
    }


@click.command()
@click.option("--data", "folder", help="Folder of the pools (default: BLAZEPOSER_DATA).")
@click.option("--output", type=click.Path(path_type=Path), help="Where the weights go (default: models/).")
@click.option("--run", type=click.Path(path_type=Path), default=Path("runs/main"), show_default=True,
              help="Folder of checkpoints and log; a stopped run goes on from it.")  # fmt: skip
@click.option("--start", type=click.Path(path_type=Path, exists=True), help="Weights to go on from, not BlazeFace's.")
@click.option("--steps", default=Recipe.steps, show_default=True, help="Steps of the second stage.")
@click.option("--rate", default=Recipe.rate, show_default=True, help="Peak learning rate of the second stage.")
@click.option("--seed", default=0, show_default=True)
@click.option("--workers", default=1, show_default=True, help="Processes that make training pictures.")
def command(
    folder: str | None, output: Path | None, run: Path, start: Path | None, steps: int, rate: float, seed: int,
    workers: int,
) -> None:  # fmt: skip
    """Train the float network and write its weights."""
    torch.set_flush_denormal(True)
    # A worker needs a core of its own: threads that share one with it make all others wait at every operation.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) - workers))
    recipe = Recipe(steps=steps, rate=rate, seed=seed)
    try:
        scores = train(data.data_folder(folder), recipe, run, start, workers)
    except KeyboardInterrupt as error:
        raise BlazePoserError(f"stopped: the same command goes on from the last checkpoint in {run}") from error
    target = output or models_dir() / "blazeposer.safetensors"
    weights.save(weights.load(run / "average.safetensors"), target, notes(recipe, start, scores))
    console.print(f"wrote {target}")
