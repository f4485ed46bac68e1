"""Ablations: heads on patches are heads on maps, losses are least at the truth, a stopped comparison goes on."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from blazeposer.core.prepare import Image
from blazeposer.core.rotation import mirror_rotation, rotation_from_angles
from blazeposer.evaluate.datasets import pool as data
from blazeposer.evaluate.metrics import Scores
from blazeposer_training.images.batches import Batch
from blazeposer_training.network.architecture import ORIGINAL
from blazeposer_training.network.model import cell_rows
from blazeposer_training.studies import ablate, variants
from blazeposer_training.studies.variants import CELLS, VARIANTS, Cells, Heads, Lesson, Variant
from conftest import CommandLine
from pools import write_backgrounds, write_pool

CHANNELS = ORIGINAL.tap_channels
ANGLES = np.array([[20.0, -10, 5], [-60, 20, 0], [0, 0, 0]])


def taps(count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(count, c, side, side, generator=generator) for c, side in zip(CHANNELS, (16, 8), strict=True)]


@pytest.fixture
def batch() -> Batch:
    """Two faces and an empty picture."""
    return Batch(
        pictures=torch.zeros(3, 128, 128, 3, dtype=torch.uint8),
        rotations=torch.from_numpy(rotation_from_angles(ANGLES)).float(),
        boxes=torch.tensor([[0.3, 0.3, 0.7, 0.7], [0.1, 0.1, 0.9, 0.9], [0, 0, 0, 0]]),
        weights=torch.tensor([1.0, 0.5, 0.0]),
        spread=torch.tensor([2.0, 4.0, 0.0]),
        landmarks=torch.rand(3, 68, 2),
    )


@pytest.fixture
def lesson(batch: Batch) -> Lesson:
    logits = torch.full((3, 896), -6.0)  # the original fires on the first face and misses the second
    logits[0, 2 * (8 * 16 + 8)] = 4.0
    return Lesson.of(taps(3), logits, batch)


def test_a_head_on_patches_is_a_head_on_maps() -> None:
    """Zero-padded depthwise 3x3, 1x1, ReLU, 1x1 of whole maps, at every cell of both."""
    heads, maps = Heads(VARIANTS["depthwise, 1x1 to 24, 1x1"], CHANNELS), taps(2)
    rows = []
    for head, tap in zip(heads.maps, maps, strict=True):
        assert isinstance(head, variants.Head)
        x = F.conv2d(tap, head.depthwise.view(-1, 1, 3, 3), padding=1, groups=tap.shape[1])
        x = F.relu(F.conv2d(x, head.hidden.weight[..., None, None], head.hidden.bias))
        rows.append(cell_rows(F.conv2d(x, head.rotation.weight[..., None, None], head.rotation.bias), 6))
    cells = Cells.gather(maps, torch.ones(2, CELLS))
    expected = torch.cat(rows, dim=1)[cells.image, cells.cell]
    torch.testing.assert_close(heads(cells)[0], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_are_those_that_a_network_would_carry(name: str) -> None:
    variant = VARIANTS[name]
    heads = Heads(variant, CHANNELS)
    left_out = ("landmarks", "rotation" if variant.expectation else "bins")
    carried = sum(p.numel() for key, p in heads.named_parameters() if key.split(".")[2] not in left_out)
    assert variant.parameters(CHANNELS) == carried


def test_lesson_weighs_faces_and_not_the_empty_picture(lesson: Lesson) -> None:
    assert lesson.weight.sum() == pytest.approx(1)
    assert set(lesson.cells.image.tolist()) == {0, 1}
    for face in (0, 1):
        assert lesson.share[lesson.cells.image == face].sum() == pytest.approx(1)
    assert lesson.share[lesson.cells.image == 0].max() == 1  # only the anchor that fires is blended
    assert lesson.found.tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    np.testing.assert_allclose(lesson.angles[:2], ANGLES[:2], atol=1e-3)


def test_expected_angles_become_their_rotation() -> None:
    for count in (33, 66):
        centres = variants.bin_centres(count, torch.device("cpu"))
        chosen = torch.tensor([count // 2 + 5, count // 2 - 3, count // 3])
        logits = torch.full((1, 3, count), -50.0)
        logits[0, torch.arange(3), chosen] = 50
        expected = rotation_from_angles(centres[chosen].numpy())[:2].flatten()
        np.testing.assert_allclose(variants.six_from_bins(logits)[0], expected, atol=1e-5)


class Perfect(Heads):
    """Heads that know the labels but for a turn by some degrees of yaw."""

    def __init__(self, variant: Variant, lesson: Lesson, turn: float) -> None:
        super().__init__(variant, CHANNELS)
        self.lesson, self.turn = lesson, turn

    def forward(self, cells: Cells) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        lesson, image = self.lesson, cells.image
        angles = lesson.angles[image] + torch.tensor([self.turn, 0.0, 0.0])
        rotations = torch.from_numpy(rotation_from_angles(angles.numpy())).float()
        away = angles[..., None] - variants.bin_centres(self.variant.bin_count, angles.device)
        size = (lesson.boxes[:, 2:] - lesson.boxes[:, :2]).amax(1)[image, None, None]
        points = (lesson.landmarks[image] - variants.cell_centres(angles.device)[cells.cell, None]) / size
        bins = -0.5 * (away / self.variant.bin_width).square()
        return rotations[:, :2].flatten(1), bins, points + self.turn / 100


def test_landmarks_of_mirrored_pictures_get_their_order_back() -> None:
    """A made-up head of 68 points, right and left alike, seen from several sides, and in mirrored pictures."""
    assert [variants.MIRRORED[index] for index in variants.MIRRORED] == list(range(68))
    mirrored_from = list(variants.MIRRORED)
    head = np.random.default_rng(1).uniform([-1, -1, -0.2], [-0.2, 1, 0.2], (68, 3))  # x to the picture's right
    left = [*range(9, 17), *range(22, 27), *range(42, 48)]
    head[left] = head[mirrored_from][left] * (-1, 1, 1)
    for angles in ([0, 0, 0], [50, 10, 30], [-70, -20, -40]):
        rotation = rotation_from_angles(angles)
        seen = torch.from_numpy((head @ rotation.T)[None, :, :2] * [1, -1])
        mirrored = torch.from_numpy(mirror_rotation(rotation)[None])
        ordered = variants.in_order(seen, torch.from_numpy(rotation[None]))
        assert torch.equal(ordered, seen)
        flipped = seen * torch.tensor([-1, 1])
        assert torch.equal(variants.in_order(flipped, mirrored), flipped[:, variants.MIRRORED])


@pytest.mark.parametrize("name", VARIANTS)
def test_losses_are_least_at_the_truth(name: str, lesson: Lesson) -> None:
    losses = [float(variants.pose_loss(Perfect(VARIANTS[name], lesson, turn), lesson)) for turn in (0, 5, 20)]
    assert losses[0] < losses[1] < losses[2]


def test_terms_are_worth_their_weights(lesson: Lesson) -> None:
    def extra(variant: Variant) -> float:
        right, wrong = (variants.pose_loss(Perfect(variant, lesson, turn), lesson) for turn in (0.0, 10.0))
        return float(wrong - right)

    angle = np.radians(10)
    nothing = Variant(rotation=0, angles=0)
    assert extra(nothing) == pytest.approx(0, abs=1e-6)
    assert extra(replace(nothing, rotation=1)) == pytest.approx(2 * 2 * np.sin(angle / 2), abs=0.01)
    assert extra(replace(nothing, rotation=1, geodesic=True)) == pytest.approx(2 * angle, abs=0.01)
    assert extra(replace(nothing, angles=3)) == pytest.approx(3 * 2 * angle / 3, abs=0.01)
    assert extra(replace(nothing, angles=3, clip=0.1)) == pytest.approx(3 * 2 * 0.1 / 3, abs=0.01)
    assert extra(replace(nothing, landmarks=2)) == pytest.approx(2 * 0.1, abs=1e-4)


def test_training_lowers_the_loss_of_every_head(lesson: Lesson) -> None:
    recipe = replace(ablate.RECIPE, cached_epochs=20, cached_rate=2e-2)
    for name in ("1x1", "depthwise from identity, 1x1 to 16, 1x1", "expectation of 66 bins, entropy 1", "landmarks 3"):
        torch.manual_seed(0)
        heads = Heads(VARIANTS[name], CHANNELS)
        before = variants.pose_loss(heads, lesson).item()
        ablate.fit(heads, [lesson], recipe)
        assert variants.pose_loss(heads, lesson).item() < 0.8 * before


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portrait: Image) -> Path:
    """Pools of a few faces, the portrait's, and a comparison of few variants and steps."""
    rows = [{"file": f"{i}.png", "geodesic_spread": 2, "yaw": 5 * i, "pitch": -5, "roll": 3} for i in range(8)]
    labelled = [row | {"split": "train" if i else "val"} for i, row in enumerate(rows)]
    face = np.asarray(cv2.resize(portrait[14:220, 119:325], (96, 96), interpolation=cv2.INTER_AREA), np.uint8)
    write_pool(tmp_path, "aflw", labelled, face)
    write_backgrounds(tmp_path)
    monkeypatch.setattr(data, "TRAINING_POOLS", ("aflw",))
    monkeypatch.setattr(ablate, "SEEDS", (0, 1))
    few = {name: VARIANTS[name] for name in ("1x1", "expectation of 33 bins, entropy 1")}
    monkeypatch.setattr(ablate, "VARIANTS", few)
    monkeypatch.setattr(ablate, "GROUPS", {"Some": few})
    monkeypatch.setattr(ablate, "FINETUNED", (("released", "1x1"), ("frozen", "1x1")))
    monkeypatch.setattr(ablate, "DECISION", "The best has {cached/1x1} degrees.\n")
    recipe = replace(ablate.RECIPE, steps=4, batch=4, cached_batches=2, cached_epochs=2, warmup=2)
    monkeypatch.setattr(ablate, "RECIPE", recipe)
    return tmp_path


def test_a_stopped_comparison_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, blazeposer_command: CommandLine
) -> None:
    page, kept = folder / "page.md", folder / "page.json"
    run_one, asked = ablate.Bench.run, list[tuple[str, str, int]]()

    def run(bench: ablate.Bench, stage: str, name: str, seed: int) -> Scores:
        if len(asked) == 1:
            raise KeyboardInterrupt
        asked.append((stage, name, seed))
        return run_one(bench, stage, name, seed)

    monkeypatch.setattr(ablate.Bench, "run", run)
    stopped = blazeposer_command("ablate", "--data", folder, "--output", page)
    assert stopped.status == 1
    assert stopped.err.splitlines()[-1].endswith(f"the same command goes on from {kept}")
    assert list(json.loads(kept.read_text())["results"]) == ["cached/1x1/0"]

    monkeypatch.setattr(ablate.Bench, "run", run_one)
    done = blazeposer_command("ablate", "--data", folder, "--output", page, "--finetune")
    assert done.status == 0, done.err
    results = json.loads(kept.read_text())["results"]
    stages = [
        ("cached", "1x1"),
        ("cached", "expectation of 33 bins, entropy 1"),
        ("released", "1x1"),
        ("frozen", "1x1"),
    ]
    assert set(results) == {f"{stage}/{name}/{seed}" for stage, name in stages for seed in (0, 1)}
    errors = [results[f"cached/1x1/{seed}"]["MAE"] for seed in (0, 1)]
    mean = f"{np.mean(errors):.2f} ± {np.std(errors, ddof=1):.2f}"
    text = page.read_text()
    assert f"The best has {mean} degrees." in text
    assert f"| 1x1 | 1,116 | {mean} |" in text
    assert "| frozen: 1x1 | 1,116 |" in text

    def never(*_: object) -> None:
        raise AssertionError("nothing is left to train")

    monkeypatch.setattr(ablate, "Bench", never)
    assert blazeposer_command("ablate", "--data", folder, "--output", page, "--finetune").status == 0
    assert page.read_text() == text


def test_results_of_other_settings_are_not_mixed(folder: Path, blazeposer_command: CommandLine) -> None:
    kept = folder / "page.json"
    for content, words in (('{"settings": {}, "results": {}}', "other settings"), ("[]", "no results of ablations")):
        kept.write_text(content)
        run = blazeposer_command("ablate", "--data", folder, "--output", folder / "page.md")
        assert run.status == 1
        assert len(run.err.splitlines()) == 1
        assert words in run.err


def test_releasing_the_backbone_changes_it_and_freezing_does_not(folder: Path) -> None:
    bench = ablate.Bench(folder, ablate.RECIPE, torch.device("cpu"), 0)
    before = bench.learner.original.state_dict()
    for released in (True, False):
        network = copy.deepcopy(bench.learner.original).requires_grad_(released)
        heads = Heads(VARIANTS["1x1"], CHANNELS)
        start = copy.deepcopy(heads.state_dict())
        ablate.finetune(heads, network, bench.learner, bench.batches(range(4)), ablate.RECIPE)
        changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
        assert ("backbone.stem.weight" in changed) is released
        assert ("regressors.0.weight" in changed) is released
        assert bool(changed) is released
        assert not torch.equal(heads.state_dict()["maps.0.rotation.weight"], start["maps.0.rotation.weight"])
    assert ablate.judge(heads, bench.detected).recall == 1


def test_the_decision_names_runs_that_there_are() -> None:
    known = {f"cached/{name}" for name in VARIANTS} | {f"{stage}/{name}" for stage, name in ablate.FINETUNED}
    named = set(re.findall(r"\{(.+?)\}", ablate.DECISION))
    assert named
    assert named <= known
