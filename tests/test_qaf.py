"""Quantization-aware fine-tuning: the parts are the network, each learns from the float one, and only it changes."""

import copy
from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
import torch

from banks import hasty_bank
from blazeposer.core.resources import models_dir
from blazeposer_training.images.bank import Bank
from blazeposer_training.images.batches import training_batches
from blazeposer_training.int8.calibrate import quantize
from blazeposer_training.int8.qaf import Budget, Lesson, Tuning, fine_tune
from blazeposer_training.int8.quantized import QuantizedBlazePoser
from blazeposer_training.learning.recipe import read_recipe
from blazeposer_training.network.model import BlazePoser
from blazeposer_training.network.weights import load
from pools import write_backgrounds, write_pool

pytestmark = pytest.mark.slow

FULL = read_recipe("full")
SMALL = Budget(batches=1, backbone_epochs=(1, 1), head_epochs=1)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    folder = tmp_path_factory.mktemp("pools")
    faces = [{"file": f"{i:06d}.png", "geodesic_spread": 2, "split": "train", "yaw": 8 * i, "pitch": 5, "roll": 0}
             for i in range(6)]  # fmt: skip
    write_pool(folder, "aflw", faces)
    write_backgrounds(folder)
    return hasty_bank(folder)


@pytest.fixture(scope="module")
def teacher() -> BlazePoser:
    return load(models_dir() / "blazeposer.safetensors").eval()


@pytest.fixture(scope="module")
def calibrated(teacher: BlazePoser, bank: Bank) -> QuantizedBlazePoser:
    model = QuantizedBlazePoser(copy.deepcopy(teacher)).eval()
    quantize(model, next(training_batches(bank, 25, range(1), 0, FULL.images)).pictures.numpy())
    return model


@pytest.fixture
def tuning(calibrated: QuantizedBlazePoser, teacher: BlazePoser) -> Tuning:
    torch.manual_seed(0)
    return Tuning(copy.deepcopy(calibrated), teacher, SMALL)


@pytest.fixture
def lesson(tuning: Tuning, bank: Bank) -> Lesson:
    return tuning.lesson(next(training_batches(bank, 8, range(1), 1, FULL.images)))


def test_the_parts_are_the_network(tuning: Tuning) -> None:
    parts = tuning.parts()
    assert [part.name for part in parts] == [
        "backbone to the 16x16 map", "backbone to the 8x8 map", "detection heads", "pose heads",
    ]  # fmt: skip
    operations = [operation for part in parts for operation in part.operations]
    assert sorted(operation.output for operation in operations) == sorted(
        operation.output for operation in tuning.student.operations
    )
    assert parts[0].operations[-1].output == parts[0].output == "backbone.blocks.9.pointwise"


def test_each_part_learns_by_itself(tuning: Tuning, lesson: Lesson) -> None:
    """Its loss on a batch falls, and no weight of another part moves."""
    for part in tuning.parts():
        names = {operation.output for operation in part.operations}
        before = copy.deepcopy(tuning.student.network.state_dict())
        with torch.no_grad():
            first = part.loss(tuning.student.extend(tuning.values(lesson), part.operations), lesson)
        inputs = dict(lesson.inputs)
        tuning.tune(replace(part, epochs=30), [lesson])
        with torch.no_grad():
            tensors = {name: tuning.student.quantizer(name).values(levels) for name, levels in inputs.items()}
            assert part.loss(tuning.student.extend(tensors, part.operations), lesson) < first, part.name
        after = tuning.student.network.state_dict()
        moved = {name.rpartition(".")[0] for name in before if not torch.equal(before[name], after[name])}
        assert moved
        assert moved <= names


def test_upside_down_faces_tune_only_the_expected_error(tuning: Tuning, lesson: Lesson) -> None:
    part = tuning.parts()[-1]
    tensors = {name: value.detach() for name, value in tuning.student.trace(tuning.values(lesson)["image"]).items()}
    upside_down = replace(lesson, target=replace(lesson.target, weights=torch.zeros_like(lesson.target.weights)))
    heads = [tensors[name].requires_grad_() for name in ("rotation_16", "error_16")]
    rotation, error = torch.autograd.grad(part.loss(tensors, upside_down), heads)
    assert not rotation.any()
    assert error.any()


def test_what_lies_before_a_part_is_kept_as_its_int8_levels(tuning: Tuning, lesson: Lesson, bank: Bank) -> None:
    parts = tuning.parts()
    pictures = next(training_batches(bank, 8, range(1), 1, FULL.images)).pictures
    for part in parts[:2]:
        tuning.tune(part, [lesson])
    assert set(lesson.inputs) == {part.output for part in parts[:2]}
    with torch.no_grad():
        image = tuning.student.quantizer("image").values(pictures.permute(0, 3, 1, 2).float() - 128)
        tensors = tuning.student.trace(image)
    for name, levels in lesson.inputs.items():
        assert levels.dtype == torch.int8
        assert torch.equal(tuning.student.quantizer(name).values(levels), tensors[name])


def test_every_part_is_tuned(calibrated: QuantizedBlazePoser, teacher: BlazePoser, bank: Bank) -> None:
    student = copy.deepcopy(calibrated)
    fine_tune(student, teacher, bank, FULL, SMALL)
    for name, parameter in student.network.named_parameters():
        assert torch.isfinite(parameter).all(), name
    for part in Tuning(student, teacher, SMALL).parts():
        layers = [item for item in part.operations if item.has_weights]
        for ours, before in ((student.layer(item), calibrated.layer(item)) for item in layers):
            assert not torch.equal(ours.weight, before.weight), part.name
