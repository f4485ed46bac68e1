"""Disturbed and mirrored training images: labels stay true, what is not to be found is marked, mirror losses vanish
where both sides are alike."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
import torch

from banks import hasty_bank, small_bank
from blazeposer.core.contract import GRIDS, INPUT_SIZE
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.rotation import mirror_rotation, rotation_from_angles
from blazeposer.evaluate.datasets.pool import read_backgrounds
from blazeposer_training.images.augment import (
    MOST_CUT,
    NEAR_SIZES,
    Placements,
    bulged_points,
    disturbed,
    random_placements,
)
from blazeposer_training.images.bank import Bank
from blazeposer_training.images.batches import TrainingBatches, cover_faces, disturbed_batches, make_batch
from blazeposer_training.images.relight import Light
from blazeposer_training.learning import losses
from blazeposer_training.learning.learner import Fit, Learner
from blazeposer_training.learning.losses import Detections, Pose, Target
from blazeposer_training.learning.recipe import read_recipe
from pools import write_backgrounds, write_pool
from test_augment import brightest, photo_bank, placements, views

QUICK = read_recipe("quick")
SETTINGS = QUICK.images


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return small_bank(tmp_path)


def drawn(count: int, **shares: Any) -> tuple[Placements, Placements]:
    """Placements before and after, with nothing but these shares."""
    rng = np.random.default_rng(0)
    before = random_placements(rng, count, SETTINGS)
    return before, disturbed(before, rng, replace(SETTINGS, **shares))


def test_nothing_is_disturbed_without_being_asked_for() -> None:
    before, after = drawn(500)
    for name, values in vars(before).items():
        np.testing.assert_array_equal(vars(after)[name], values)


def test_turned_and_upside_down_faces_are_as_many_as_asked_for() -> None:
    _, after = drawn(20000, turned=0.2, turned_most=75.0, upside_down=0.1)
    turn = np.abs((after.clockwise + 180) % 360 - 180)
    assert np.mean(turn >= 110) == pytest.approx(0.1, abs=0.01)
    assert np.mean((turn > 45) & (turn <= 75)) == pytest.approx(0.2 * 30 / 75, abs=0.01)
    assert not np.any((turn > 75) & (turn < 110))


def test_near_faces_fill_the_image_or_are_cut_by_its_edge() -> None:
    _, after = drawn(20000, near=1.0)
    assert NEAR_SIZES[0] <= after.size.min() < 1.1 * NEAR_SIZES[0]
    assert 1.1 < after.size.max() <= NEAR_SIZES[1]
    beyond = np.abs(after.x - 0.5) + after.size / 2 - 0.5
    assert beyond[after.size <= 1].max() == pytest.approx(MOST_CUT, abs=0.01)


@pytest.mark.parametrize("bulge", [0.1, 0.3])
def test_a_dot_on_a_bulging_face_lands_where_the_label_says(bulge: float) -> None:
    photo = np.zeros((150, 150, 3), np.uint8)
    dot, box = np.array([90.0, 66.0]), (45.0, 45, 105, 105)
    cv2.circle(photo, dot.astype(int).tolist(), 2, (255, 255, 255), -1)
    bank = photo_bank(photo, box, dot)
    plain, bulged = (
        make_batch(bank, np.array([0]), placements(1, size=0.5, bulge=value), views(1), None) for value in (0.0, bulge)
    )
    seen = brightest(bulged.pictures[0].permute(2, 0, 1))
    np.testing.assert_allclose(bulged.landmarks[0, 0] * INPUT_SIZE, seen, atol=0.35)
    away = [np.linalg.norm(batch.landmarks[0, 0].numpy() - 0.5) for batch in (plain, bulged)]
    assert away[1] > away[0] * (1 + bulge / 3)
    rim = bulged_points(np.array([[[75.0 + 36, 75]]]), np.array([box]), np.array([bulge]))
    np.testing.assert_allclose(rim, [[[111, 75]]], atol=1e-6)  # what is 0.6 boxes away stays


def test_an_upside_down_face_has_no_weight_and_is_to_be_silent(bank: Bank) -> None:
    turns = np.array([0.0, 90, 105, 130, 180])
    placed = Placements(**{**vars(placements(5)), "clockwise": turns})
    batch = make_batch(bank, np.zeros(5, np.int64), placed, views(5), None)
    assert (batch.weights > 0).tolist() == [True, True, False, False, False]
    assert torch.all(batch.trust == batch.weights[0])
    silent = batch.silent[:, 2] > batch.silent[:, 0]
    assert silent.tolist() == [False, False, False, True, True]
    inside = (batch.silent[3, :2] < batch.boxes[3, :2]) & (batch.silent[3, 2:] > batch.boxes[3, 2:])
    assert inside.all()


def test_an_image_known_to_have_no_face_is_silent_all_over(bank: Bank) -> None:
    shown = views(2, unlabelled=True)
    shown.background[:] = (0, bank.faceless)  # a photo without a face, a collage
    batch = make_batch(bank, np.zeros(2, np.int64), placements(2), shown, None)
    assert batch.silent.tolist() == [[0, 0, 1, 1], [0, 0, 0, 0]]


def test_where_no_face_is_to_be_found_the_teacher_is_not_believed(bank: Bank) -> None:
    learner = Learner(QUICK)
    turned = Placements(**{**vars(placements(2)), "clockwise": np.array([0.0, 180])})
    batch = make_batch(bank, np.zeros(2, np.int64), turned, views(2), None)
    batch.taught = (torch.full((2, 896), 3.0), torch.zeros(2, 896, 16))
    logits = learner.target(batch)[1].detections.logits
    inside = losses.inside_boxes(batch.silent)[1] > 0
    assert inside.any()
    assert torch.all(logits[1][inside] == losses.QUIET)
    assert torch.all(logits[0] == 3)


def test_an_upside_down_face_counts_as_background(bank: Bank) -> None:
    target = upside_down_faces(bank)
    found = Detections(torch.full((4, 896), 3.0), target.detections.regressors)
    assert target.silent.any(dim=1).all()
    scores = losses.detection_terms(found, target, losses.inside_boxes(target.boxes))["scores"]
    each = 3.0 * (1 - torch.sigmoid(torch.tensor(losses.QUIET)))  # about 3 nats for each wrong anchor
    assert scores == pytest.approx(float(each * target.silent.sum() / 4), rel=0.1)


def test_an_upside_down_face_trains_the_expected_error_but_not_the_pose(bank: Bank) -> None:
    target = upside_down_faces(bank)
    pose = Pose(
        torch.randn(4, 320, 6, requires_grad=True),
        torch.zeros(4, 320, requires_grad=True),
        torch.randn(4, 320, 3, losses.BINS, requires_grad=True),
    )
    terms = losses.pose_terms(pose, target, losses.inside_boxes(target.boxes))
    torch.stack([*terms.values()]).sum().backward()
    assert pose.log_error.grad is not None
    assert (pose.log_error.grad.amin(dim=1) < 0).all()  # the errors are larger than exp(0), one degree
    assert pose.rotation.grad is None or not pose.rotation.grad.any()
    assert pose.bins.grad is None or not pose.bins.grad.any()


def test_pairs_of_upside_down_faces_train_nothing_but_scores_and_expected_error(bank: Bank) -> None:
    target = upside_down_faces(bank, mirrored=0.5)
    assert target.pairs == 2
    assert target.silent.any(dim=1).all()
    target.detections.logits = torch.where(target.silent, target.detections.logits, -20.0)
    found = Detections(torch.randn(4, 896), torch.randn(4, 896, 16))
    pose = Pose(torch.randn(4, 320, 6), torch.randn(4, 320), torch.randn(4, 320, 3, losses.BINS))
    _, terms = losses.total_loss(found, pose, target, QUICK.weights)
    assert terms.keys() == QUICK.weights.keys()
    assert {name for name, value in terms.items() if value} == {"scores", "error"}


def upside_down_faces(bank: Bank, mirrored: float = 0.0) -> Target:
    """Return the targets for four faces that are upside down. The detection teacher finds a face at every anchor."""
    settings = replace(SETTINGS, upside_down=1.0, turned=0.0, unlabelled=0.0, mirrored=mirrored)
    batch = TrainingBatches(bank, 4, range(1), 0, settings)[0]
    batch.taught = (torch.full((4, 896), 3.0), torch.zeros(4, 896, 16))
    return Learner(QUICK).target(batch)[1]


def test_other_zips_of_faceless_photos_join_their_odd_images_left_out(tmp_path: Path) -> None:
    write_pool(tmp_path, "aflw", [{"file": "000000.png", "yaw": 0, "pitch": 0, "roll": 0, "split": "train"}])
    write_backgrounds(tmp_path)
    (tmp_path / "hands.zip").write_bytes((tmp_path / "faceless.zip").read_bytes())
    assert [int(image[0, 0, 0]) for image in read_backgrounds(tmp_path, "hands")] == [0, 80]
    bank = hasty_bank(tmp_path, ("faceless", "hands"))
    assert bank.faceless == 4
    with pytest.raises(BlazePoserError, match=r"no feet\.zip"):
        read_backgrounds(tmp_path, "feet")


def test_mirrored_images_follow_their_originals_and_labels_fit(bank: Bank) -> None:
    settings = replace(SETTINGS, mirrored=0.25, unlabelled=0.3)
    batch = TrainingBatches(bank, 16, range(1), 0, settings)[0]
    assert batch.pairs == 4
    assert len(batch.pictures) == 16
    first, second = slice(0, 8, 2), slice(1, 8, 2)
    assert torch.equal(batch.pictures[first].flip(2), batch.pictures[second])
    labelled = batch.weights[first] > 0
    wanted = torch.from_numpy(mirror_rotation(batch.rotations[first].numpy())).float()
    torch.testing.assert_close(batch.rotations[second][labelled], wanted[labelled])
    x0, y0, x1, y1 = batch.boxes[first][labelled].unbind(1)
    last = 1 - 1 / INPUT_SIZE
    torch.testing.assert_close(batch.boxes[second][labelled], torch.stack([last - x1, y0, last - x0, y1], 1))
    assert not batch.boxes[second][~labelled].any()


def test_disturbed_validation_shows_every_face_once(bank: Bank) -> None:
    settings = replace(SETTINGS, turned=0.5, turned_most=75.0, upside_down=0.5)
    first, second = ([*disturbed_batches(bank, size, settings)] for size in (8, 5))
    assert [len(batch.pictures) for batch in first] == [8, 4]
    assert torch.equal(torch.cat([b.pictures for b in first]), torch.cat([b.pictures for b in second]))
    assert all(batch.weights.all() for batch in first)


def test_mirror_losses_vanish_where_both_sides_are_alike_and_only_there() -> None:
    rotations = torch.from_numpy(rotation_from_angles([[20, -10, 5], [-20, -10, -5]])).float()
    torch.testing.assert_close(rotations[1], torch.from_numpy(mirror_rotation(rotations[:1].numpy()))[0].float())
    generator = torch.Generator().manual_seed(0)
    logits, regressors, log_error = mirrored_noise(generator)
    six = rotations[:, :2].flatten(1)[:, None].repeat(1, 320, 1)
    boxes = torch.tensor([[0.3, 0.2, 0.6, 0.7], [0.4, 0.2, 0.7, 0.7]])
    found = Detections(logits, regressors)
    silent, ones = torch.zeros(2, 896, dtype=torch.bool), torch.ones(2)
    target = Target(found, rotations, boxes, silent, ones, ones, ones, pairs=1)
    pose = Pose(six, log_error, torch.zeros(2, 320, 3, losses.BINS))
    inside = losses.inside_boxes(boxes)
    for name, value in losses.mirror_terms(found, pose, target, inside).items():
        assert value < 0.01, name
    worse = losses.mirror_terms(
        Detections(logits + torch.tensor([[0.0], [0.5]]), regressors + torch.tensor([0.0, 2.0])[:, None, None]),
        Pose(six[[0, 0]], log_error + torch.tensor([[0.0], [0.3]]), pose.bins), target, inside,
    )  # fmt: skip
    assert worse["mirror_scores"] == pytest.approx(0.5, abs=1e-4)
    assert worse["mirror_error"] == pytest.approx(0.3, abs=1e-4)
    assert worse["mirror"] > 0.5
    assert worse["mirror_regressors"] == pytest.approx(2, abs=1e-3)


def mirrored_noise(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits (2, 896), regressors (2, 896, 16) and log errors (2, 320) of an image and its mirror image."""
    columns, cells = [], []
    for grid in GRIDS:
        noise = torch.randn(grid.side, grid.side, grid.anchors, 18, generator=generator)
        columns.append(torch.stack([noise, noise.flip(1)]).flatten(1, 3))
        error = torch.randn(grid.side, grid.side, generator=generator)
        cells.append(torch.stack([error, error.flip(1)]).flatten(1))
    values = torch.cat(columns, 1)
    regressors = values[..., 2:].clone()
    for index, other in enumerate((0, 1, 2, 3, 6, 7, 4, 5, 8, 9, 10, 11, 14, 15, 12, 13)):
        across = index == 0 or (index >= 4 and index % 2 == 0)
        regressors[1, :, index] = (-1 if across else 1) * values[1, :, 2 + other]
    return values[..., 0], regressors, torch.cat(cells, 1)


def test_the_rate_rises_and_falls_as_often_as_asked_for() -> None:
    weight = torch.nn.Parameter(torch.zeros(3))
    fit = Fit([weight], 1e-2, (20, 30), 4, 0)
    rates = []
    for step in range(50):
        if step == 25:  # a stopped one goes on
            state = fit.state_dict()
            fit = Fit([weight], 1e-2, (20, 30), 4, 0)
            fit.load_state_dict(state)
        rates.append(fit.optimizer.param_groups[0]["lr"])
        fit.step((weight - 1).square().sum())
    assert np.argmax(rates[:20]) <= 5
    assert rates[19] < 1e-3
    assert max(rates[21:30]) == pytest.approx(1e-2, rel=0.01)
    assert rates[39] > 1e-3
    assert rates[49] < 1e-3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('architecture = "plain-65"', 'architecture = "unknown"', "no architecture unknown: choose one of plain-65"),
        ("steps = 2000", "steps = -1", "steps = -1 must be an int, 0 or more"),
        ("turn = 14.0", 'turn = "far"', "turn = 'far' must be a float, 0 or more"),
        ("rotation = 1.0\n", "", "lacks rotation: compare it with"),
        ("[images]", "[images]\nbrightness = 3", "has unknown brightness"),
        ('pools = ["aflw", "mtfl", "human", "udacity", "glint", "utk", "wflw", "maskon"]', "pools = 3",
         "pools = 3 must be a list of strings"),
    ],
)  # fmt: skip
def test_a_recipe_that_is_none_says_so_in_a_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (Path(losses.__file__).parent / "recipes" / "quick.toml").read_text()
    assert old in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(BlazePoserError, match=message):
        read_recipe(str(path))


def test_rectangles_cover_the_wanted_part_of_the_face() -> None:
    rng = np.random.default_rng(3)
    placed = placements(2000, size=0.4, x=0.45, y=0.6)
    light = Light.random(rng, 2000, 0.0, 1.1)
    assert cover_faces(light, placed, rng, 0.0) is light
    boxes = cover_faces(light, placed, rng, 0.25).rectangle
    covered = boxes[boxes.any(axis=1)]
    assert len(covered) == pytest.approx(500, abs=60)
    sides = 128 * 0.4
    assert (np.abs(covered - 128 * np.array([0.45, 0.6, 0.45, 0.6])) <= sides / 2 + 1).all()
    parts = np.prod(covered[:, 2:] - covered[:, :2], axis=1) / sides**2
    assert (parts.min(), parts.max()) == pytest.approx((0.1, 0.5), abs=0.03)
