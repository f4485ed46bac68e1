"""Provide the networks and the optimizer that all stages of a training share."""

import copy
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from ..images.batches import Batch
from ..network import weights
from ..network.architecture import ORIGINAL, Architecture, architecture
from ..network.branches import unfold
from ..network.model import BlazePoser
from .device import CPU, has_bfloat16
from .losses import QUIET, AngleBins, Detections, Target, detections
from .recipe import Recipe

console = Console(stderr=True)
T = TypeVar("T")


class Learner:
    """The networks of a training. `model` is trained. `average` is a copy of `model` with the moving average of the
    weights. `bins` predicts the bins of the angles (see `losses.AngleBins`). `original` is BlazeFace, which is not
    trained. Its detections are targets of the losses. BlazeFace's boxes lie too high, so the regressors'
    weights are changed after BlazeFace's file is read, to move the boxes down."""

    def __init__(self, recipe: Recipe, start: Path | None = None, device: torch.device = CPU) -> None:
        torch.manual_seed(recipe.seed)
        planned = architecture(recipe.architecture)
        self.model = unfold(weights.load(start) if start else _original(planned)).train()
        self.bins = AngleBins(planned.pose_hidden)
        self.original = _original(ORIGINAL).eval().requires_grad_(False)
        for part in (self.model, self.bins, self.original):
            part.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model).requires_grad_(False)

    def target(self, batch: Batch) -> tuple[Tensor, Target]:
        """Return the network's input and the targets of the losses for a batch."""
        logits, regressors = batch.taught or self.teach_detection(batch.pictures)
        target = Target.of(batch, Detections(logits, regressors))
        target.detections.logits = torch.where(target.silent, logits.clamp(max=QUIET), logits)
        return to_input(batch.pictures), target

    @torch.no_grad()
    def teach_detection(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return BlazeFace's logits and regressors for images."""
        image = to_input(pictures)
        with autocast(image.device):
            found = detections(self.original, self.original.backbone(image))
        return found.logits, found.regressors

    def update_average(self, decay: float) -> None:
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)


def _original(architecture: Architecture) -> BlazePoser:
    return weights.lower_boxes(weights.load_blazeface(BlazePoser(architecture)))


def to_input(pictures: Tensor) -> Tensor:
    """Convert uint8 images (N, 128, 128, 3) to the network's input (N, 3, 128, 128), in torch's memory format
    `channels_last`."""
    return (pictures.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def autocast(device: torch.device) -> torch.autocast:
    """Return a context in which torch computes in bfloat16, if the device has instructions for bfloat16. On a CPU with
    these instructions, bfloat16 is three times as fast as float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_bfloat16(device))


class Fit:
    """An AdamW optimizer with clipped gradients. In each cycle, the learning rate rises and then falls along a cosine.
    `cycles` lists the lengths of the cycles in steps."""

    def __init__(
        self, parameters: list[nn.Parameter], rate: float, cycles: Sequence[int], warmup: int, decay: float
    ) -> None:
        self.parameters = parameters
        self.optimizer = torch.optim.AdamW(parameters, rate, weight_decay=decay)
        self.rate, self.warmup, self.ends, self.taken = rate, warmup, list(itertools.accumulate(cycles)), 0
        self.schedule = self._cycle()

    def _cycle(self) -> torch.optim.lr_scheduler.OneCycleLR:
        length = next(end for end in self.ends if end > self.taken) - self.taken
        share = min(max(self.warmup, 2) / length, 0.3)  # OneCycleLR divides by the warm-up steps minus one
        return torch.optim.lr_scheduler.OneCycleLR(self.optimizer, self.rate, length, pct_start=share, div_factor=20)

    def state_dict(self) -> dict[str, object]:
        return {
            "taken": self.taken,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.taken = state["taken"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])

    def step(self, loss: Tensor) -> None:
        if self.taken in self.ends:
            self.schedule = self._cycle()
        self.taken += 1
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 5.0)
        self.optimizer.step()
        if self.taken not in self.ends:
            self.schedule.step()


def progress(items: Iterator[T], total: int, what: str) -> Iterator[T]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=console) as progress:
        yield from progress.track(items, total=total, description=what)
