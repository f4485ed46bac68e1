"""Training, on drawn faces: what the losses reward, that pictures and labels stay together, that a run resumes."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
import torch

from blazeposer.contract import INPUT_SIZE
from blazeposer.errors import BlazePoserError
from blazeposer.rotation import angles_from_rotation, rotation_from_angles, rotation_from_six
from blazeposer_training import data, losses, train, weights
from blazeposer_training.augment import Placement, moved_points, moved_rotation, random_placement, transform
from blazeposer_training.batches import Batch, TrainingBatches, balance, validation_batches
from blazeposer_training.losses import AngleBins, Prediction, Target
from blazeposer_training.model import BlazePoser
from conftest import CommandLine
from pools import write_pool


def face(number: int, **values: object) -> dict[str, object]:
    angles = {"yaw": 10 * (number % 5) - 20, "pitch": 5, "roll": 0}
    return {"file": f"{number:06d}.png", "geodesic_spread": 2, "split": "train"} | angles | values


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pool(tmp_path, "aflw", [face(i) for i in range(12)] + [face(i, split="val") for i in range(12, 16)])
    with zipfile.ZipFile(tmp_path / "faceless.zip", "w") as archive:
        for number in range(4):
            picture = np.full((140, 160, 3), 40 * number, np.uint8)
            archive.writestr(f"{number:06d}.png", cv2.imencode(".png", picture)[1].tobytes())
    return tmp_path


def test_pool_leaves_out_what_must_not_be_trained_on(tmp_path: Path) -> None:
    rows = [face(0), face(1), face(2, yaw=100), face(4, geodesic_spread=13), face(6, split="val")]
    write_pool(tmp_path, "maskon", rows)
    assert data.read_pool(tmp_path, "maskon", "train").files == ["000000.png"]
    assert data.read_pool(tmp_path, "maskon", "val").files == ["000006.png"]
    write_pool(tmp_path, "aflw", rows)
    assert data.read_pool(tmp_path, "aflw", "train").files == ["000000.png", "000001.png"]


def test_backgrounds_are_the_even_ones(folder: Path) -> None:
    values = [int(image[0, 0, 0]) for image in data.read_backgrounds(folder)]
    assert values == [0, 80]


def test_missing_data_end_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BLAZEPOSER_DATA", raising=False)
    with pytest.raises(BlazePoserError, match="--data or in BLAZEPOSER_DATA"):
        data.data_folder(None)
    with pytest.raises(BlazePoserError, match="no folder"):
        data.data_folder(str(tmp_path / "nowhere"))
    with pytest.raises(BlazePoserError, match="no pool aflw"):
        data.read_pool(tmp_path, "aflw")


def test_corrupt_pictures_are_named(folder: Path) -> None:
    with zipfile.ZipFile(folder / "faceless.zip", "a") as archive:
        archive.writestr("000008.png", b"no picture")
    with pytest.raises(BlazePoserError, match=r"1 images that cannot be decoded, first 000008\.png"):
        data.read_backgrounds(folder)


def test_picture_and_label_turn_together() -> None:
    """A head of 3D points, seen and then placed, is the head with the moved rotation, seen at its new place."""
    rng = np.random.default_rng(5)
    points = rng.normal(size=(60, 3))
    for _ in range(20):
        rotation = rotation_from_angles(rng.uniform([-80, -50, -40], [80, 50, 40]))
        placement = random_placement(rng)
        seen = (points @ rotation.T)[:, :2] * (30, -30) + (70, 80)  # x right, y up becomes y down
        box = np.concatenate([seen.min(axis=0), seen.max(axis=0)])
        moved = moved_points(seen, transform(box, placement))
        mirrored = points * (-1, 1, 1) if placement.mirrored else points  # the head's own left becomes its right
        expected = (mirrored @ moved_rotation(rotation, placement).T)[:, :2] * (1, -1)
        scale = placement.size * INPUT_SIZE / max(box[2:] - box[:2]) * 30
        np.testing.assert_allclose(moved - moved.mean(axis=0), (expected - expected.mean(axis=0)) * scale, atol=1e-6)
        middle = ((box[:2] + box[2:]) / 2)[None]
        centre = moved_points(middle, transform(box, placement))[0] / INPUT_SIZE
        np.testing.assert_allclose(centre, (placement.x, placement.y), atol=1e-9)


def test_an_upright_placement_changes_no_rotation() -> None:
    rotation = rotation_from_angles([30, 10, -5])
    np.testing.assert_allclose(moved_rotation(rotation, Placement(0.4, 0.5, 0.5, 0, False)), rotation)


def test_rare_poses_are_drawn_more_often() -> None:
    angles = np.zeros((1000, 3))
    angles[:40, 0] = 70
    chances = balance(angles)
    assert chances[0] == pytest.approx(chances[-1] * np.sqrt(960 / 40))


def test_batches_are_the_same_whenever_asked_for(folder: Path) -> None:
    pool = data.read_pool(folder, "aflw", "train")
    backgrounds = data.read_backgrounds(folder)
    late = TrainingBatches(pool, backgrounds, 8, range(3, 6), seed=1)[2]
    whole = TrainingBatches(pool, backgrounds, 8, range(6), seed=1)[5]
    assert torch.equal(late.pictures, whole.pictures)
    assert torch.equal(late.rotations, whole.rotations)
    other = TrainingBatches(pool, backgrounds, 8, range(6), seed=2)[5]
    assert not torch.equal(other.pictures, whole.pictures)
    checks = [next(validation_batches(pool, backgrounds, 8)) for _ in range(2)]
    assert torch.equal(checks[0].pictures, checks[1].pictures)


def test_network_starts_as_the_original(portrait: np.ndarray) -> None:
    """Outputs 0 to 3 equal MediaPipe's tflite to 1e-3, through the folded biases and the contract's order."""
    from ai_edge_litert.interpreter import Interpreter

    picture = cv2.resize(portrait, (INPUT_SIZE, INPUT_SIZE), interpolation=cv2.INTER_AREA)
    original = Interpreter(str(weights.blazeface_path()))
    original.allocate_tensors()
    original.set_tensor(original.get_input_details()[0]["index"], (picture[None] / 127.5 - 1).astype(np.float32))
    original.invoke()
    tensors = [original.get_tensor(detail["index"]) for detail in original.get_output_details()]
    regressors, scores = sorted(tensors, key=lambda tensor: -tensor.shape[-1])
    with torch.no_grad():
        ours = weights.load_blazeface(BlazePoser())(train.to_input(torch.from_numpy(picture[None])))
    np.testing.assert_allclose(torch.cat([ours[0], ours[3]], 1), regressors, atol=1e-3)
    np.testing.assert_allclose(torch.cat([ours[1], ours[2]], 1), scores, atol=1e-3)
    assert scores.max() > 0  # it does find the portrait's face


def test_weights_come_back_from_their_file(tmp_path: Path) -> None:
    model = BlazePoser()
    weights.save(model, tmp_path / "weights.safetensors")
    loaded = weights.load(tmp_path / "weights.safetensors").state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in model.state_dict().items())
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    for name in ("broken", "absent"):
        with pytest.raises(BlazePoserError, match="blazeposer train"):
            weights.load(tmp_path / f"{name}.safetensors")


def test_torch_rotations_equal_the_reference() -> None:
    six = torch.randn(50, 6)
    rotations = losses.rotation_from_six(six)
    np.testing.assert_allclose(rotations, rotation_from_six(six.numpy()), atol=1e-5)
    labels = np.random.default_rng(4).uniform([-80, -40, -40], [80, 40, 40], (50, 3))
    angles = losses.angles_from_rotation(torch.from_numpy(rotation_from_angles(labels)))
    np.testing.assert_allclose(np.degrees(angles.numpy()), labels, atol=1e-6)


@pytest.fixture
def target() -> Target:
    """Two faces and an empty picture; the original fires on the first face and misses the second."""
    logits = torch.full((3, 896), -6.0)
    centre = 2 * (8 * 16 + 8)
    logits[0, centre] = 4.0
    labels = rotation_from_angles([[20, -10, 5], [-60, 20, 0], [0, 0, 0]])
    boxes = torch.tensor([[0.3, 0.3, 0.7, 0.7], [0.1, 0.1, 0.9, 0.9], [0, 0, 0, 0]])
    rotations = torch.from_numpy(labels).float()
    return Target(logits, torch.zeros(3, 896, 16), rotations, boxes, torch.tensor([1.0, 1.0, 0.0]))


def perfect(target: Target) -> Prediction:
    six = target.rotations[:, :2].flatten(1)[:, None].repeat(1, 320, 1)
    bins = losses.soft_bins(losses.angles_from_rotation(target.rotations)).log()[:, None].repeat(1, 320, 1, 1)
    return Prediction(target.logits.clone(), target.regressors.clone(), six, bins)


def test_losses_are_least_at_the_truth(target: Target) -> None:
    _, terms = losses.total_loss(perfect(target), target)
    assert terms["scores"] == pytest.approx(0, abs=1e-5)
    assert terms["regressors"] == 0
    for name in ("rotation", "blended", "unit"):
        assert terms[name] < 0.01
    turned = perfect(target)
    wrong = torch.from_numpy(rotation_from_angles([[30, -10, 5], [-50, 20, 0], [0, 0, 0]])).float()
    turned.rotation = wrong[:, :2].flatten(1)[:, None].repeat(1, 320, 1)
    _, worse = losses.total_loss(turned, target)
    assert worse["rotation"] == pytest.approx(np.sqrt(4 - 4 * np.cos(np.radians(10))) / np.sqrt(2), rel=0.02)
    assert worse["angles"] > terms["angles"] + 0.05
    assert worse["scores"] == terms["scores"]


def test_a_face_that_the_original_misses_is_no_negative(target: Target) -> None:
    eager = perfect(target)
    inside = losses.inside_boxes(target.boxes)[1].bool()
    eager.logits[1, inside] = 5.0
    assert losses.total_loss(eager, target)[1]["scores"] == pytest.approx(0, abs=1e-5)
    eager.logits[2, 0] = 5.0  # but a face in the empty picture is a false alarm
    assert losses.total_loss(eager, target)[1]["scores"] > 1


def test_classification_alone_changes_weights_that_ship(target: Target) -> None:
    model, bins = BlazePoser(), AngleBins()
    rotation, logits = losses.poses(model, bins, (torch.randn(3, 88, 16, 16), torch.randn(3, 96, 8, 8)))
    losses.pose_terms(rotation, logits, target, losses.inside_boxes(target.boxes))["bins"].backward()
    for head in model.pose_heads:
        for layer in (head.depthwise, head.hidden):
            assert layer.weight.grad is not None
            assert layer.weight.grad.abs().max() > 0


def run(folder: Path, where: Path, recipe: train.Recipe) -> dict[str, torch.Tensor]:
    train.train(folder, recipe, where, None, workers=0, every=2)
    return weights.load(where / "average.safetensors").state_dict()


def test_a_stopped_training_goes_on_as_if_it_had_not(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "TRAINING_POOLS", ("aflw",))
    recipe = train.Recipe(steps=4, batch=4, cached_batches=2, cached_epochs=1)
    straight = run(folder, tmp_path / "straight", recipe)

    class StoppedError(Exception):
        pass

    original = train.Trainer.train

    def stop_at_three(self: train.Trainer, batch: Batch) -> dict[str, float]:
        if self.step == 3:
            raise StoppedError
        return original(self, batch)

    monkeypatch.setattr(train.Trainer, "train", stop_at_three)
    with pytest.raises(StoppedError):
        run(folder, tmp_path / "resumed", recipe)
    monkeypatch.setattr(train.Trainer, "train", original)
    resumed = run(folder, tmp_path / "resumed", recipe)
    for name, value in straight.items():
        torch.testing.assert_close(resumed[name], value, atol=1e-5, rtol=1e-3)
    started = weights.load_blazeface(BlazePoser()).state_dict()
    assert not torch.equal(straight["backbone.stem.weight"], started["backbone.stem.weight"])
    with pytest.raises(BlazePoserError, match="other settings"):
        run(folder, tmp_path / "resumed", replace(recipe, seed=1))


def test_labels_beyond_the_singular_point_have_finite_gradients() -> None:
    six = torch.tensor([[0.0, 0.0, -1.0, 0.0, 1.0, 0.0]], requires_grad=True)
    label = torch.from_numpy(rotation_from_angles([[96.0, 3, 2]])).float()
    losses.angle_error(losses.rotation_from_six(six), label).sum().backward()
    assert six.grad is not None
    assert six.grad.isfinite().all()
    assert angles_from_rotation(label.numpy())[0, 0] == pytest.approx(96, abs=1e-3)


def test_train_command_leaves_weights_with_notes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blazeposer_command: CommandLine
) -> None:
    monkeypatch.setattr(data, "TRAINING_POOLS", ("aflw",))
    monkeypatch.setattr(train, "Recipe", partial(train.Recipe, batch=4, cached_batches=2, cached_epochs=1))
    output = tmp_path / "out.safetensors"
    options = ["--data", folder, "--run", tmp_path / "run", "--steps", 2, "--workers", 0, "--output", output]
    done = blazeposer_command("train", *options)
    assert done.status == 0, done.err
    assert weights.notes(output)["pools"] == ["aflw"]
    assert "val MAE" in done.err

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", interrupted)
    stopped = blazeposer_command("train", *options)
    assert stopped.status == 1
    assert "goes on from the last checkpoint" in stopped.err
