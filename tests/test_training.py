"""Training, on drawn faces: what the losses reward, that a run resumes."""

import json
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
import torch

from banks import hasty_bank
from blazeposer.core.contract import INPUT_SIZE
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.resources import models_dir
from blazeposer.core.rotation import angles_from_rotation, rotation_from_angles, rotation_from_six
from blazeposer.evaluate.datasets import pool as data
from blazeposer.evaluate.metrics import Scores
from blazeposer.evaluate.peers.mediapipe import blazeface_path
from blazeposer_training.images.batches import Batch, training_batches
from blazeposer_training.learning import losses, train
from blazeposer_training.learning.expected_error import calibrate_error
from blazeposer_training.learning.learner import Learner, to_input
from blazeposer_training.learning.losses import AngleBins, Detections, Pose, Target
from blazeposer_training.learning.recipe import Recipe, read_recipe
from blazeposer_training.network import weights
from blazeposer_training.network.architecture import ARCHITECTURE, ORIGINAL, Architecture
from blazeposer_training.network.model import BlazePoser
from conftest import CommandLine
from pools import drawn_face, write_backgrounds, write_pool


def face(number: int, **values: object) -> dict[str, object]:
    angles = {"yaw": 10 * (number % 5) - 20, "pitch": 5, "roll": 0}
    return {"file": f"{number:06d}.png", "geodesic_spread": 2, "split": "train"} | angles | values


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pool(tmp_path, "aflw", [face(i) for i in range(12)] + [face(i, split="val") for i in range(12, 16)])
    write_backgrounds(tmp_path)
    return tmp_path


def test_pool_leaves_out_what_must_not_be_trained_on(tmp_path: Path) -> None:
    rows = [face(0), face(1), face(2, yaw=100), face(4, geodesic_spread=13), face(6, split="val")]
    write_pool(tmp_path, "maskon", rows)
    assert data.read_pool(tmp_path, "maskon", "train").files == ["000000.png"]
    assert data.read_pool(tmp_path, "maskon", "val").files == ["000006.png"]
    write_pool(tmp_path, "aflw", rows)
    assert data.read_pool(tmp_path, "aflw", "train").files == ["000000.png", "000001.png"]


def test_scenes_are_the_photos_to_train_with_labelled_or_not(folder: Path) -> None:
    """Scenes include images without a label, but no test image and none of `val`."""
    write_pool(folder, "maskon", [face(0), face(1), face(2, split="val"), face(4)])
    lines = (folder / "maskon.csv").read_text().splitlines()
    (folder / "maskon.csv").write_text("\n".join(lines[:-1]))  # the last is in the archive alone
    scenes = data.read_scenes(folder, ("aflw", "maskon"))
    assert [image.tolist() for image in scenes] == [drawn_face(0).tolist(), drawn_face(3).tolist()]
    assert data.read_scenes(folder, ("aflw",)) == []


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
    with pytest.raises(BlazePoserError, match=r"1 .*000008\.png"):
        data.read_backgrounds(folder)


def test_network_starts_as_the_original(portrait: np.ndarray) -> None:
    """Outputs 0 to 3 equal MediaPipe's tflite to 1e-3, through the folded biases and the contract's order."""
    from ai_edge_litert.interpreter import Interpreter

    picture = cv2.resize(portrait, (INPUT_SIZE, INPUT_SIZE), interpolation=cv2.INTER_AREA)
    original = Interpreter(str(blazeface_path()))
    original.allocate_tensors()
    original.set_tensor(original.get_input_details()[0]["index"], (picture[None] / 127.5 - 1).astype(np.float32))
    original.invoke()
    tensors = [original.get_tensor(detail["index"]) for detail in original.get_output_details()]
    regressors, scores = sorted(tensors, key=lambda tensor: -tensor.shape[-1])
    with torch.no_grad():
        ours = weights.load_blazeface(BlazePoser(ORIGINAL))(to_input(torch.from_numpy(picture[None])))
    np.testing.assert_allclose(torch.cat([ours[0], ours[3]], 1), regressors, atol=1e-3)
    np.testing.assert_allclose(torch.cat([ours[1], ours[2]], 1), scores, atol=1e-3)
    assert scores.max() > 0  # it does find the portrait's face


@pytest.mark.parametrize("architecture", [ORIGINAL, ARCHITECTURE])
def test_boxes_are_lowered_by_their_height_and_nothing_else_moves(architecture: Architecture) -> None:
    image = to_input(torch.randint(0, 256, (1, INPUT_SIZE, INPUT_SIZE, 3), dtype=torch.uint8))
    model = weights.load_blazeface(BlazePoser(architecture))
    with torch.no_grad():
        before = [output.clone() for output in model(image)]
        after = weights.lower_boxes(model)(image)
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        wanted = old
        if index in (0, 3):  # regressors
            wanted[..., 1] += 0.04 * old[..., 3]
        np.testing.assert_allclose(new, wanted, atol=1e-3)


def test_weights_come_back_from_their_file(tmp_path: Path) -> None:
    model = BlazePoser()
    weights.save(model, tmp_path / "weights.safetensors", {"architecture": "plain-65"})
    loaded = weights.load(tmp_path / "weights.safetensors").state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in model.state_dict().items())
    weights.save(model, tmp_path / "other.safetensors", {"architecture": "other"})
    weights.save(model, tmp_path / "nameless.safetensors", {})
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    for name in ("other", "nameless", "broken", "absent"):
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
    """Two faces and an empty image; the original fires on the first face and misses the second."""
    logits = torch.full((3, 896), -6.0)
    centre = 2 * (8 * 16 + 8)
    logits[0, centre] = 4.0
    labels = rotation_from_angles([[20, -10, 5], [-60, 20, 0], [0, 0, 0]])
    boxes = torch.tensor([[0.3, 0.3, 0.7, 0.7], [0.1, 0.1, 0.9, 0.9], [0, 0, 0, 0]])
    rotations = torch.from_numpy(labels).float()
    detections = Detections(logits, torch.zeros(3, 896, 16))
    silent, labelled = torch.zeros(3, 896, dtype=torch.bool), torch.tensor([1.0, 1.0, 0.0])
    return Target(detections, rotations, boxes, silent, labelled, labelled, 6 * labelled)


def perfect(target: Target) -> tuple[Detections, Pose]:
    six = target.rotations[:, :2].flatten(1)[:, None].repeat(1, 320, 1)
    bins = losses.soft_bins(losses.angles_from_rotation(target.rotations)).log()[:, None].repeat(1, 320, 1, 1)
    found = Detections(target.detections.logits.clone(), target.detections.regressors.clone())
    return found, Pose(six, torch.zeros(3, 320), bins)


def test_losses_are_least_at_the_truth(target: Target) -> None:
    found, pose = perfect(target)
    _, terms = losses.total_loss(found, pose, target, TINY.weights)
    assert terms["scores"] == pytest.approx(0, abs=1e-5)
    assert terms["regressors"] == 0
    for name in ("rotation", "blended", "unit"):
        assert terms[name] < 0.01
    wrong = torch.from_numpy(rotation_from_angles([[30, -10, 5], [-50, 20, 0], [0, 0, 0]])).float()
    pose.rotation = wrong[:, :2].flatten(1)[:, None].repeat(1, 320, 1)
    _, worse = losses.total_loss(found, pose, target, TINY.weights)
    assert worse["rotation"] == pytest.approx(np.sqrt(4 - 4 * np.cos(np.radians(10))) / np.sqrt(2), rel=0.02)
    assert worse["angles"] > terms["angles"] + 0.05
    assert worse["scores"] == terms["scores"]


def test_a_face_that_the_original_misses_is_no_negative(target: Target) -> None:
    eager, pose = perfect(target)
    inside = losses.inside_boxes(target.boxes)[1].bool()
    eager.logits[1, inside] = 5.0
    assert losses.total_loss(eager, pose, target, TINY.weights)[1]["scores"] == pytest.approx(0, abs=1e-5)
    eager.logits[2, 0] = 5.0  # but a face in the empty image is a false positive
    assert losses.total_loss(eager, pose, target, TINY.weights)[1]["scores"] > 1


def test_classification_alone_changes_weights_that_ship(target: Target) -> None:
    model = BlazePoser()
    pose = losses.poses(model, AngleBins(ARCHITECTURE.pose_hidden), random_taps())
    losses.pose_terms(pose, target, losses.inside_boxes(target.boxes))["bins"].backward()
    for head in model.pose_heads:
        assert head.hidden.weight.grad is not None
        assert head.hidden.weight.grad.abs().max() > 0


def random_taps() -> tuple[torch.Tensor, torch.Tensor]:
    first, second = ARCHITECTURE.tap_channels
    return torch.randn(3, first, 16, 16), torch.randn(3, second, 8, 8)


def test_the_expected_error_costs_the_angles_nothing(target: Target) -> None:
    model = BlazePoser()
    pose = losses.poses(model, AngleBins(ARCHITECTURE.pose_hidden), random_taps())
    losses.pose_terms(pose, target, losses.inside_boxes(target.boxes))["error"].backward()
    for head in model.pose_heads:
        assert head.error.bias is not None
        assert head.error.bias.grad is not None
        assert head.error.bias.grad.abs() > 0
        assert head.hidden.weight.grad is None
        assert head.rotation.weight.grad is None


def test_the_expected_error_is_least_at_the_angle_and_the_labels_own() -> None:
    """10 degrees of residual and a spread of 4: the label's own error is 4 / sqrt 2, the expected one 10.4 in all."""
    predicted, label = (torch.from_numpy(rotation_from_angles([[yaw, 0, 0]])).float() for yaw in (10, 0))
    log_error = torch.tensor([0.0], requires_grad=True)
    optimizer = torch.optim.Adam([log_error], 0.1)
    for _ in range(300):
        optimizer.zero_grad()
        losses.error_likelihood(log_error, predicted, label, torch.tensor([4.0])).sum().backward()
        optimizer.step()
    assert log_error.exp().item() == pytest.approx(np.sqrt(100 + 8), rel=0.01)


def test_calibrated_errors_are_true_on_average() -> None:
    rng = np.random.default_rng(0)
    true_mean = np.exp(rng.uniform(0.5, 3, 4000))
    actual, labels = rng.exponential(true_mean), np.zeros((4000, 3))
    found = np.where(rng.random(4000) < 0.01, np.nan, 1.0)
    scores = Scores(labels, labels, actual * found, np.exp((np.log(true_mean) - 1) / 2) * found)
    model = BlazePoser()
    torch.nn.init.normal_(model.pose_heads[0].error.weight)
    taps = random_taps()
    before = model.pose(taps)[2]
    slope, offset = calibrate_error(model, scores, np.zeros(4000))
    assert slope == pytest.approx(2, abs=0.1)
    assert offset == pytest.approx(1, abs=0.1)
    torch.testing.assert_close(model.pose(taps)[2], slope * before + offset)


TINY = replace(
    read_recipe("quick"),
    pools=("aflw",),
    phases=(replace(read_recipe("quick").phases[0], steps=4),),
    batch=4,
    warmup=1,
    distil_steps=4,
    distil_rate=1e-4,
    cached_batches=2,
    cached_epochs=1,
)


START = models_dir() / "blazeposer.safetensors"


def run(folder: Path, where: Path, recipe: Recipe, **options: object) -> dict[str, torch.Tensor]:
    train.train(folder, recipe, where, every=2, **options)  # type: ignore[arg-type]
    return weights.load(where / "average.safetensors").state_dict()


@pytest.mark.slow
def test_a_stopped_training_goes_on_as_if_it_had_not(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = run(folder, tmp_path / "straight", TINY)

    class StoppedError(Exception):
        pass

    original = train.Trainer.train

    def stop_at_three(self: train.Trainer, batch: Batch) -> dict[str, torch.Tensor]:
        if self.step == 3:
            raise StoppedError
        return original(self, batch)

    monkeypatch.setattr(train.Trainer, "train", stop_at_three)
    with pytest.raises(StoppedError):
        run(folder, tmp_path / "resumed", TINY)
    monkeypatch.setattr(train.Trainer, "train", original)
    resumed = run(folder, tmp_path / "resumed", TINY)
    for name, value in straight.items():
        torch.testing.assert_close(resumed[name], value, atol=1e-5, rtol=1e-3)
    started = weights.load_blazeface(BlazePoser()).state_dict()
    assert not torch.equal(straight["backbone.stem.weight"], started["backbone.stem.weight"])
    with pytest.raises(BlazePoserError, match="other settings"):
        run(folder, tmp_path / "resumed", replace(TINY, seed=1))
    with pytest.raises(BlazePoserError, match="other settings"):
        run(folder, tmp_path / "resumed", TINY, start=START)


def test_heads_take_as_many_batches_as_the_recipe_says(folder: Path) -> None:
    batches = training_batches(hasty_bank(folder), 4, range(5), 0, TINY.images)
    train.train_heads(Learner(TINY, START), batches, TINY)
    assert len(list(batches)) == 5 - TINY.cached_batches


@pytest.mark.slow
def test_the_log_says_how_and_how_far(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(folder, tmp_path / "run", TINY)
    head, *lines, last = map(json.loads, (tmp_path / "run" / "log.jsonl").read_text().splitlines())
    assert head["recipe"] == json.loads(json.dumps(asdict(TINY)))
    assert (head["threads"], head["torch"]) == (torch.get_num_threads(), torch.__version__)
    assert [line["step"] for line in lines] == [0, 2, 4]
    assert lines[1]["seconds"] <= lines[2]["seconds"]
    assert set(lines[2]["train"]) >= {"rotation", "scores"}
    assert lines[2]["val"]["faces"] == 4
    assert set(last) == {"expected_error", "disturbed"}


def test_labels_beyond_the_singular_point_have_finite_gradients() -> None:
    six = torch.tensor([[0.0, 0.0, -1.0, 0.0, 1.0, 0.0]], requires_grad=True)
    label = torch.from_numpy(rotation_from_angles([[96.0, 3, 2]])).float()
    losses.angle_error(losses.rotation_from_six(six), label).sum().backward()
    assert six.grad is not None
    assert six.grad.isfinite().all()
    assert angles_from_rotation(label.numpy())[0, 0] == pytest.approx(96, abs=1e-3)


def as_toml(recipe: Recipe) -> str:
    """The text of a recipe's file: tables last."""
    values = asdict(recipe)
    phases, tables = values.pop("phases"), {name: values.pop(name) for name in ("weights", "images")}
    text = _lines(values) + "".join(f"[{name}]\n{_lines(table)}" for name, table in tables.items())
    for phase in phases:
        images = phase.pop("images")
        text += f"[[phases]]\n{_lines(phase)}[phases.images]\n{_lines(images)}"
    return text


def _lines(table: dict[str, object]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in table.items())


@pytest.mark.slow
def test_train_command_leaves_weights_with_notes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blazeposer_command: CommandLine
) -> None:
    output, recipe = tmp_path / "out.safetensors", tmp_path / "tiny.toml"
    recipe.write_text(as_toml(TINY))
    options = ["--recipe", recipe, "--seed", 3, "--data", folder, "--run", tmp_path / "run", "--output", output]
    done = blazeposer_command("train", *options)
    assert done.status == 0, done.err
    notes = weights.notes(output)
    assert notes["recipe"] == json.loads(json.dumps(asdict(replace(TINY, seed=3))))
    assert "val MAE" in done.err
    again = train.notes(TINY, output, Scores(*np.ones((2, 3, 3)), *np.ones((2, 3))))
    assert again["start"] == notes

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", interrupted)
    stopped = blazeposer_command("train", *options)
    assert stopped.status == 1
    assert "continue from the last checkpoint" in stopped.err
