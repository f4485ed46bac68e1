"""blazeposer ablate --data DIR --output docs/ablations.md [--finetune]

Which loss, which head, and does the backbone have to be released? Variants (`variants`) are compared on cached features
of the original BlazeFace, where a run takes seconds, with its detections throughout, so that they differ in nothing but
pose; the best go on to fresh pictures, with a backbone that stays frozen or is released. Judged on the pools' `val`
split. Results are kept beside the output, as JSON: the same command goes on where it was stopped.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor

from blazeposer.core.contract import GRIDS, ROTATION_VALUES, SCORE_THRESHOLD
from blazeposer.core.decode import Face
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.rotation import angles_from_rotation
from blazeposer.evaluate.datasets import pool as data
from blazeposer.evaluate.metrics import YAW_RANGES, Scores, find, score

from ..images.bank import Bank, read_bank
from ..images.batches import Batch, training_batches, validation_batches
from ..learning.learner import Fit, Learner, autocast, console, progress, to_input
from ..learning.losses import detection_terms, detections, inside_boxes, per_cell, weighted_sum
from ..learning.processes import Processes, join, share_cores
from ..learning.recipe import Recipe
from ..network.architecture import ORIGINAL
from ..network.model import BlazePoser
from .variants import CELLS, GROUPS, VARIANTS, Cells, Heads, Lesson, pose_loss

SEEDS = (0, 1, 2)
RECIPE = Recipe(
    architecture="residual",
    steps=900, batch=64, rate=1.2e-3, warmup=100, decay=1e-4, average=0.0, distil_steps=0, distil_rate=0.0,
    cached_batches=320, cached_epochs=6, cached_rate=3e-3, seed=0,
)  # fmt: skip
FINETUNED = (
    ("released", "depthwise, 1x1 to 24, 1x1"),
    ("released", "1x1 to 36, 1x1"),
    ("frozen", "1x1 to 36, 1x1"),
)
"""Backbone and variant: the two best heads of about the same size, and the thesis's way of training one."""
DECISION = """\
**Decided.** The 6-value rotation stays: reading the angles from bins ({cached/expectation of 33 bins, entropy 0.1} of
33, {cached/expectation of 66 bins, entropy 0.1} of 66) does not win by the 0.2 degree that a change of what cameras
decode would have to bring ({cached/rotation + 2 angles + 0.1 bins} for the loss that ships, rotation + 2 angles + 0.1
bins). Losses differ by little more than seeds do: rotation alone has {cached/rotation, chordal}, angles alone
{cached/angles, clipped at 1}. The head matters more. A depthwise 3x3 convolution before the hidden layer brings nothing
that as many parameters in a wider one do not: {cached/depthwise, 1x1 to 24, 1x1} against {cached/1x1 to 32, 1x1} of 1x1
to 32, 1x1. So the head that ships has none, and is as wide as the parameters allow: 1x1 to 36, 1x1. The 68 landmarks as
a further target bring nothing ({cached/landmarks 1}), and stay out. On fresh pictures a backbone that is released
brings more than all of these: {released/1x1 to 36, 1x1} against {frozen/1x1 to 36, 1x1} degrees.
"""

Results = dict[str, dict[str, float]]
"""`figures` of each run, by "STAGE/VARIANT/SEED"; the stage is cached, released or frozen."""


class Bench:
    """The pictures, and the original's features that heads learn from first."""

    def __init__(self, folder: Path, recipe: Recipe, device: torch.device, workers: int) -> None:
        self.folder, self.recipe, self.device, self.workers = folder, recipe, device, workers
        self.checks = list(validation_batches(read_bank(folder, data.TRAINING_POOLS, "val", device), recipe.batch))
        self.learner = Learner(recipe, None, device)
        self.lessons: list[Lesson] = []
        steps = range(recipe.steps, recipe.steps + recipe.cached_batches)  # none that fine-tuning will see
        for batch in progress(self.batches(steps), len(steps), "caching features"):
            image, target = self.learner.target(batch)
            with torch.no_grad(), autocast(device):
                taps = self.learner.original.backbone(image)
            lesson = Lesson.of([tap.bfloat16() for tap in taps], target.detections.logits, batch)
            self.lessons.append(lesson)
        self.detected = list(detect(self.learner.original, self.checks))
        del self.bank  # gigabytes that only fine-tuning needs again

    @cached_property
    def bank(self) -> Bank:
        return read_bank(self.folder, data.TRAINING_POOLS, "train", self.device, console.print)

    def batches(self, steps: range) -> Iterator[Batch]:
        return training_batches(self.bank, self.recipe.batch, steps, self.recipe.seed, workers=self.workers)

    def run(self, stage: str, name: str, seed: int) -> Scores:
        """Train a variant from scratch, and judge it."""
        torch.manual_seed(seed)
        heads = Heads(VARIANTS[name], ORIGINAL.tap_channels).to(self.device)
        fit(heads, self.lessons, self.recipe)
        if stage == "cached":
            return judge(heads, self.detected)
        network = copy.deepcopy(self.learner.original).requires_grad_(stage == "released")
        finetune(heads, network, self.learner, self.batches(range(self.recipe.steps)), self.recipe)
        return judge(heads, detect(network, self.checks))


def fit(heads: Heads, lessons: list[Lesson], recipe: Recipe) -> None:
    """Train heads on cached features, as `train.train_heads` does."""
    optimizer = torch.optim.AdamW(heads.parameters(), recipe.cached_rate, weight_decay=recipe.decay, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.cached_rate, recipe.cached_epochs * len(lessons))
    for index in torch.cat([torch.randperm(len(lessons)) for _ in range(recipe.cached_epochs)]).tolist():
        optimizer.zero_grad()
        pose_loss(heads, lessons[index]).backward()
        optimizer.step()
        schedule.step()


def finetune(heads: Heads, network: BlazePoser, learner: Learner, batches: Iterable[Batch], recipe: Recipe) -> None:
    """Train on fresh pictures: heads alone where the network is frozen, else all of it, the original's detections
    distilled, as `train.Trainer` does."""
    parts = (heads, network.backbone, network.scores, network.regressors)
    parameters = [parameter for part in parts for parameter in part.parameters() if parameter.requires_grad]
    descent = Fit(parameters, recipe.rate, recipe.steps, recipe.warmup, recipe.decay, Processes())
    for batch in batches:
        image, target = learner.target(batch)
        with autocast(image.device):
            taps = network.backbone(image)
            found = detections(network, taps)
        distance = weighted_sum(detection_terms(found, target, inside_boxes(target.boxes)))  # constant where frozen
        descent.step(distance + pose_loss(heads, Lesson.of(taps, target.detections.logits, batch)))


Detected = tuple[list[Tensor], Cells, Batch]
"""Of a batch: outputs 0 to 3 of the contract, the cells of the anchors that survive, the labels."""


def detect(network: BlazePoser, checks: Iterable[Batch]) -> Iterator[Detected]:
    """What the heads read of validation pictures, and what the decoder needs beside their answer."""
    for batch in checks:
        with torch.no_grad():
            taps = network.backbone(to_input(batch.pictures))
            outputs = list(network.detect(taps))
        scores = torch.cat([outputs[1], outputs[2]], dim=1)[..., 0].sigmoid()
        yield outputs, Cells.gather(taps, per_cell(scores) >= SCORE_THRESHOLD - 1e-6), batch


def judge(heads: Heads, detected: Iterable[Detected]) -> Scores:
    """Scores on validation pictures, decoded as `train.score_network` does."""
    found: list[Face | None] = []
    rotations = []
    for outputs, cells, batch in detected:
        with torch.no_grad():
            six = heads(cells)[0]
        rows = six.new_zeros(len(batch.boxes), CELLS, ROTATION_VALUES)
        rows[cells.image, cells.cell] = six
        poses = rows.split([grid.cells for grid in GRIDS], dim=1)
        errors = [part[..., :1] for part in poses]  # not looked at
        maps = [output.cpu().numpy() for output in (*outputs, *poses, *errors)]
        for row, box in enumerate(batch.boxes.cpu().numpy().astype(np.float64)):
            found.append(find([part[row : row + 1] for part in maps], box))
        rotations.append(batch.rotations.cpu().numpy())
    truth = np.concatenate(rotations).astype(np.float64)
    return score(found, truth, angles_from_rotation(truth))


def figures(scores: Scores) -> dict[str, float]:
    """What is kept of a run: degrees, and the share of faces found."""
    by_yaw = {f"{low}-{high}": scores.within(low, high).mean for low, high in YAW_RANGES}
    far = scores.within(*YAW_RANGES[-1]).mean_geodesic
    values = {"MAE": scores.mean, **by_yaw, "geodesic": scores.mean_geodesic, "geodesic beyond 60": far}
    return {name: round(value, 4) for name, value in (values | {"recall": scores.recall}).items()}


def read_results(path: Path, settings: Mapping[str, object]) -> Results:
    """What earlier runs found; nothing if there is no file. Raises BlazePoserError when it is of other settings."""
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text())
        same = kept["settings"] == settings
    except (ValueError, KeyError, TypeError) as error:
        raise BlazePoserError(f"{path} holds no results of ablations: move it away") from error
    if not same:
        raise BlazePoserError(f"{path} holds results of other settings: move it away, or name another --output")
    return dict(kept["results"])


def write_results(path: Path, settings: Mapping[str, object], results: Results) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"settings": settings, "results": results}, indent=1) + "\n")
    partial.replace(path)


def page(results: Results) -> str:
    """The tables of all runs so far, and what was decided, as markdown."""
    pictures = RECIPE.cached_batches * RECIPE.batch
    parts = [
        "# Ablations\n",
        "Made by `blazeposer ablate --finetune`. Errors on the pools' `val` split in degrees, faces placed as "
        f"AFLW2000's are; mean ± standard deviation over {len(SEEDS)} seeds (without ±, one seed). Parameters are both "
        "pose heads', as shipped.\n",
        re.sub(r"\{(.+?)/(.+?)\}", lambda match: cell(results, match[1], match[2], "MAE"), DECISION),
        f"On cached features of the frozen original: {pictures:,} pictures, {RECIPE.cached_epochs} "
        "epochs. Weights of "
        "terms are those of `variants.Variant`; where a row does not name it, the loss is rotation + 0.7 angles + 0.1 "
        "bins and the head depthwise, 1x1 to 24, 1x1.\n",
    ]
    for title, group in GROUPS.items():
        parts.append(table(results, title, [("cached", name) for name in group]))
    if any(f"{stage}/{name}/{SEEDS[0]}" in results for stage, name in FINETUNED):
        parts.append(f"From there, {RECIPE.steps} steps of {RECIPE.batch} fresh pictures:\n")
        parts.append(table(results, "Backbone", FINETUNED))
    return "\n".join(parts)


def table(results: Results, title: str, rows: Iterable[tuple[str, str]]) -> str:
    """A markdown table, a row a stage and variant; a stage other than cached is named."""
    columns = ("MAE", *(f"{low}-{high}" for low, high in YAW_RANGES), "geodesic", "geodesic beyond 60")
    heads = [f"by \\|yaw\\| {column}" if column[0].isdigit() else column for column in columns]
    lines = [f"| {title} | parameters | {' | '.join(heads)} |", "|---|" + "---:|" * (len(columns) + 1)]
    for stage, name in rows:
        label = name if stage == "cached" else f"{stage}: {name}"
        values = " | ".join(cell(results, stage, name, column) for column in columns)
        lines.append(f"| {label} | {VARIANTS[name].parameters(ORIGINAL.tap_channels):,} | {values} |")
    return "\n".join(lines) + "\n"


def cell(results: Results, stage: str, name: str, column: str) -> str:
    """Mean and, where there are several, standard deviation over the seeds."""
    runs = [results[key][column] for seed in SEEDS if (key := f"{stage}/{name}/{seed}") in results]
    if not runs:
        return "not run"
    return f"{np.mean(runs):.2f}" + (f" ± {np.std(runs, ddof=1):.2f}" if len(runs) > 1 else "")


@click.command()
@click.option("--data", "folder", help="Folder of the pools (default: BLAZEPOSER_DATA).")
@click.option("--output", type=click.Path(path_type=Path), default=Path("docs/ablations.md"), show_default=True,
              help="The page; results are kept beside it, as JSON.")  # fmt: skip
@click.option("--finetune", is_flag=True, help="Go on with the best variants on fresh pictures, backbone released too.")
def command(folder: str | None, output: Path, finetune: bool) -> None:
    """Compare losses and heads of the pose."""
    torch.set_flush_denormal(True)
    kept = output.with_suffix(".json")
    settings = {"recipe": asdict(RECIPE), "pools": list(data.TRAINING_POOLS)}
    results = read_results(kept, settings)
    runs = [("cached", name, seed) for seed in SEEDS for name in VARIANTS]
    if finetune:
        runs += [(stage, name, seed) for seed in SEEDS for stage, name in FINETUNED]
    runs = [run for run in runs if "/".join(map(str, run)) not in results]
    with join() as processes:
        workers = 0 if processes.device.type == "cuda" else 1
        share_cores(workers)
        try:
            bench = Bench(data.data_folder(folder), RECIPE, processes.device, workers) if runs else None
            for stage, name, seed in progress(iter(runs), len(runs), "training variants"):
                assert bench
                scores = bench.run(stage, name, seed)
                console.print(f"{stage}, {name}, seed {seed}: val {scores.line()}")
                results[f"{stage}/{name}/{seed}"] = figures(scores)
                write_results(kept, settings, results)
        except KeyboardInterrupt as error:
            raise BlazePoserError(f"stopped: the same command goes on from {kept}") from error
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page(results))
    console.print(f"wrote {output}")
