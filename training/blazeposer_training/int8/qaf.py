"""Tune the quantized network part by part, as in Abbaszadeh's thesis (Politecnico di Milano, 2025).

The targets of each part are its outputs in the float network (soft labels): feature maps, detections or poses. The soft
labels are computed once, and stay in memory. While a part is tuned, the earlier parts do not change, so their outputs
are also computed once, and stay in memory as INT8 values.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from blazeposer.core.contract import GRIDS

from ..images.bank import Bank
from ..images.batches import Batch, training_batches
from ..learning.learner import Fit, progress, to_input
from ..learning.losses import (
    AngleBins,
    Detections,
    Pose,
    Target,
    angle_error,
    angles_from_rotation,
    chordal,
    detection_terms,
    detections,
    inside_boxes,
    pose_weights,
    rotation_from_six,
    soft_bins,
)
from ..learning.recipe import Recipe
from ..network.graph import INPUT, Operation, block_output
from ..network.model import BlazePoser
from .quantized import QuantizedBlazePoser

BATCH = 64
SEED = 20260102
"""Seed of the images, of their order, and of the initial weights of `Tuning.bins`."""

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Budget:
    """The settings of `fine_tune`."""

    batches: int = 64
    """Number of batches whose soft labels are kept. A batch takes 10 MB."""
    backbone_epochs: tuple[int, int] = (4, 10)
    """Numbers of passes over the kept batches, for the two parts of the backbone. The first part ends with the 16x16
    feature map, and the second part ends with the 8x8 feature map. A step of the second part takes a tenth of the time
    of a step of the first part."""
    head_epochs: int = 12
    rate: float = 3e-4
    """Peak of AdamW's learning rate in the tuning of each part."""
    warmup: int = 20
    """Number of steps until the learning rate reaches its peak."""


@dataclass
class Lesson:
    """A batch of images, with the float network's outputs."""

    inputs: Tensors
    """Inputs of the part that is being tuned, by the name of the tensor. They are INT8 levels in NCHW."""
    taps: tuple[Tensor, Tensor]
    rotation: Tensor
    """Rotations (N, 320, 6), with six values for each of the 320 cells of the feature maps."""
    log_error: Tensor
    """Logarithms (N, 320) of the expected errors, for the same cells."""
    target: Target


@dataclass(frozen=True)
class Part:
    """A part of the network whose operations are tuned together.

    - `epochs` is the number of passes over all batches.
    - `output` is the name of the tensor that later parts read. For the heads, the name is empty.
    """

    name: str
    operations: list[Operation]
    loss: Callable[[Tensors, Lesson], Tensor]
    epochs: int
    output: str = ""


class Tuning:
    """The tuning that makes a calibrated INT8 network (`student`) imitate a float network (`teacher`). The tuning
    changes the INT8 network in place."""

    def __init__(self, student: QuantizedBlazePoser, teacher: BlazePoser, budget: Budget) -> None:
        self.student, self.teacher, self.budget = student, teacher.eval().requires_grad_(False), budget
        self.taps = [block_output(teacher.architecture, index) for index in teacher.architecture.taps]
        self.bins = AngleBins(teacher.architecture.pose_hidden)
        """Layer that computes a logit for each angle bin (a small range of yaw, pitch or roll) from the INT8 network's
        hidden layers. Only tuning needs this layer."""

    def parts(self) -> list[Part]:
        """Return the parts in the order of the tuning."""
        first, second, detection, pose = (list[Operation]() for _ in range(4))
        for operation in self.student.operations:
            name = operation.output.split(".")
            if name[0] == "backbone":
                later = name[1] == "blocks" and int(name[2]) > self.teacher.architecture.taps[0]
                (second if later else first).append(operation)
            else:
                (detection if name[0].startswith(("regressors", "scores")) else pose).append(operation)
        (epochs_16, epochs_8), epochs = self.budget.backbone_epochs, self.budget.head_epochs
        return [
            Part("backbone to the 16x16 map", first, self._features(0), epochs_16, self.taps[0]),
            Part("backbone to the 8x8 map", second, self._features(1), epochs_8, self.taps[1]),
            Part("detection heads", detection, self._detection, epochs),
            Part("pose heads", pose, self._pose, epochs),
        ]

    @torch.no_grad()
    def lesson(self, batch: Batch) -> Lesson:
        """Return a batch with the float network's soft labels. Unlike `Learner.target`, this method does not limit the
        logits at the anchors in `Target.silent`. Therefore, if the float network finds an upside-down face, the INT8
        network also learns to find this face."""
        image = to_input(batch.pictures)
        taps = self.teacher.backbone(image)
        rotation_16, rotation_8, error_16, error_8 = self.teacher.pose(taps)
        return Lesson(
            {INPUT: pixels(batch.pictures).char()},
            (taps[0].bfloat16(), taps[1].bfloat16()),
            torch.cat([rotation_16, rotation_8], dim=1),
            torch.cat([error_16, error_8], dim=1)[..., 0],
            Target.of(batch, detections(self.teacher, taps)),
        )

    def values(self, lesson: Lesson) -> Tensors:
        """Return the dequantized inputs of the part that is being tuned."""
        return {name: self.student.quantizer(name).values(levels) for name, levels in lesson.inputs.items()}

    def tune(self, part: Part, lessons: list[Lesson]) -> None:
        """Tune one part of the network. If later parts read its output, the output is added to the inputs in
        `lessons`."""
        parameters = [p for operation in part.operations for p in self._parameters(operation)]
        total = part.epochs * len(lessons)
        fit = Fit([*parameters, *self.bins.parameters()], self.budget.rate, [total], self.budget.warmup, 0)
        order = torch.cat([torch.randperm(len(lessons)) for _ in range(part.epochs)]).tolist()
        for index in progress(iter(order), total, part.name):
            lesson = lessons[index]
            fit.step(part.loss(self.student.extend(self.values(lesson), part.operations), lesson))
        if not part.output:
            return
        for lesson in progress(iter(lessons), len(lessons), "its outputs"):
            with torch.no_grad():
                tensors = self.student.extend(self.values(lesson), part.operations)
                lesson.inputs.pop(INPUT, None)
                lesson.inputs[part.output] = self.student.quantizer(part.output).levels(tensors[part.output]).char()

    def _parameters(self, operation: Operation) -> Iterator[nn.Parameter]:
        """Yield the trainable parameters of an operation: weights, biases, and scale and zero point of the output."""
        if operation.has_weights:
            yield from self.student.layer(operation).parameters()
        if self.student.source[operation.output] == operation.output:
            quantizer = self.student.quantizer(operation.output)
            yield from (parameter for parameter in quantizer.parameters() if parameter.requires_grad)

    def _features(self, tap: int) -> Callable[[Tensors, Lesson], Tensor]:
        """Return a loss function for the feature map with the index `tap`. The loss is the mean squared difference
        between the INT8 network's and the float network's values, divided by the mean square of the float network's
        values."""

        def loss(tensors: Tensors, lesson: Lesson) -> Tensor:
            wanted = lesson.taps[tap].float()
            return (tensors[self.taps[tap]] - wanted).square().mean() / wanted.square().mean()

        return loss

    def _detection(self, tensors: Tensors, lesson: Lesson) -> Tensor:
        terms = detection_terms(found(tensors), lesson.target, inside_boxes(lesson.target.boxes))
        return terms["scores"] + terms["regressors"]

    def _pose(self, tensors: Tensors, lesson: Lesson) -> Tensor:
        """Return the loss of the pose heads, as a weighted average over the cells of the feature maps. For each cell,
        the loss compares the rotation, the angles, the angle bins and the expected error with the float network's
        values. Upside-down faces count only in the comparison of the expected error."""
        target, pose = lesson.target, self.pose(tensors)
        logits, inside = target.detections.logits, inside_boxes(target.boxes)
        cells, _, _ = pose_weights(logits, inside, target.boxes, target.weights)
        trusted, _, _ = pose_weights(logits, inside, target.boxes, target.trust)
        image, cell = torch.nonzero(cells, as_tuple=True)
        label, predicted = (rotation_from_six(six[image, cell]) for six in (lesson.rotation, pose.rotation))
        soft = soft_bins(angles_from_rotation(label))
        entropy = -(soft * pose.bins[image, cell].log_softmax(-1)).sum(-1).mean(-1)
        distance = chordal(predicted, label) + angle_error(predicted, label) + 0.1 * entropy
        error = (pose.log_error - lesson.log_error).abs()
        of_poses = (cells[image, cell] * distance).sum() / cells.sum().clamp(min=1e-6)
        return of_poses + 0.1 * (trusted * error).sum() / trusted.sum().clamp(min=1e-6)

    def pose(self, tensors: Tensors) -> Pose:
        rotation = torch.cat([tensors[f"rotation_{grid.side}"] for grid in GRIDS], dim=1)
        error = torch.cat([tensors[f"error_{grid.side}"] for grid in GRIDS], dim=1)
        return Pose(rotation, error[..., 0], self.bins([tensors[f"poses.{tap}.hidden"] for tap in range(len(GRIDS))]))


def fine_tune(
    student: QuantizedBlazePoser, teacher: BlazePoser, bank: Bank, recipe: Recipe, budget: Budget, workers: int = 0
) -> None:
    """Tune a calibrated INT8 network part by part. `recipe` is the recipe of the float network's training."""
    torch.manual_seed(SEED)
    tuning = Tuning(student, teacher, budget)
    kept = training_batches(bank, BATCH, range(budget.batches), SEED, recipe.last_images, workers=workers)
    lessons = [tuning.lesson(batch) for batch in progress(kept, budget.batches, "soft labels")]
    for part in tuning.parts():
        tuning.tune(part, lessons)


def found(tensors: Tensors) -> Detections:
    """Return the INT8 network's detections from the 16x16 and the 8x8 feature map."""
    logits, regressors = (
        torch.cat([tensors[f"{kind}_{grid.side}"] for grid in GRIDS], dim=1) for kind in ("scores", "regressors")
    )
    return Detections(logits[..., 0], regressors)


def pixels(pictures: Tensor) -> Tensor:
    """Convert uint8 images (N, 128, 128, 3) to the input's INT8 levels (N, 3, 128, 128), as floats."""
    return pictures.permute(0, 3, 1, 2).float() - 128
