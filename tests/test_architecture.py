"""The architecture: what it takes over from the original, and how its changed parts learn what theirs computed."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
import torch

from blazeposer_training.learning import distil
from blazeposer_training.network.architecture import ARCHITECTURE, ORIGINAL, Architecture, stages
from blazeposer_training.network.graph import operations
from blazeposer_training.network.model import BlazePoser
from blazeposer_training.network.weights import kept_channels, load_blazeface

NARROW = Architecture(
    stem=16, blocks=stages((16, 16), (32, 36, 42), (48, 56, 64, 72, 80, 88), (88,) * 5), taps=(10, 15)
)


@pytest.fixture(scope="module")
def original() -> BlazePoser:
    return load_blazeface(BlazePoser(ORIGINAL)).eval()


@pytest.fixture
def image() -> torch.Tensor:
    return torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_original_keeps_all_its_channels_in_order() -> None:
    widths = (ORIGINAL.stem, *(block.channels for block in ORIGINAL.blocks))
    for channels, width in zip(kept_channels(ORIGINAL), widths, strict=True):
        assert channels.tolist() == list(range(width))


def test_a_narrow_network_keeps_channels_that_its_shortcuts_can_add() -> None:
    kept = kept_channels(NARROW)
    assert [len(channels) for channels in kept] == [16, *(block.channels for block in NARROW.blocks)]
    for before, after in pairwise(kept):
        assert after[: len(before)].tolist() == before.tolist()
        assert len(set(after.tolist())) == len(after)


def test_its_weights_are_those_of_the_kept_channels(original: BlazePoser) -> None:
    narrow, kept = load_blazeface(BlazePoser(NARROW)), kept_channels(NARROW)
    ours, theirs = narrow.state_dict(), original.state_dict()
    pointwise, stem, scores = "backbone.blocks.7.pointwise.weight", "backbone.stem.weight", "scores.1.weight"
    torch.testing.assert_close(ours[pointwise], theirs[pointwise][kept[8]][:, kept[7]])
    torch.testing.assert_close(ours[stem], theirs[stem][kept[0]])
    torch.testing.assert_close(ours[scores], theirs[scores][:, kept[16]])


@pytest.mark.parametrize(("rank", "worst"), [(96, 1e-5), (24, 0.25)])
def test_a_head_in_two_factors_starts_as_the_nearest_of_its_rank(original: BlazePoser, rank: int, worst: float) -> None:
    """The six anchors of a cell see one face: a quarter of the rank leaves out less than a quarter of the power."""
    factored = load_blazeface(BlazePoser(replace(ORIGINAL, regressor_ranks=(0, rank))))
    weights = factored.state_dict()
    first, second = (weights[f"regressors.1.{index}.weight"][:, :, 0, 0] for index in (0, 1))
    product, full = second @ first, original.state_dict()["regressors.1.weight"][:, :, 0, 0]
    assert (product - full).square().sum() / full.square().sum() <= worst
    assert np.linalg.matrix_rank(product.detach().numpy(), tol=1e-4) == rank


def test_parts_train_the_whole_backbone_once() -> None:
    network = BlazePoser(NARROW)
    trained = [id(p) for part in distil.parts(NARROW) for p in distil.parameters(part, network)]
    assert sorted(trained) == sorted(id(parameter) for parameter in network.backbone.parameters())


def test_maps_of_the_original_are_no_distance_from_themselves(original: BlazePoser, image: torch.Tensor) -> None:
    whole = distil.Part(range(5), ((4, 4, torch.arange(42)),))
    assert distil.distance(whole, original, tuple(original.backbone.maps(image, [4])), image) == 0
    half = distil.Part(range(5), ((4, 4, torch.arange(42).flip(0)),))
    assert distil.distance(half, original, tuple(original.backbone.maps(image, [4])), image) > 0.5


def test_a_part_learns_the_originals_maps(original: BlazePoser, image: torch.Tensor) -> None:
    network = load_blazeface(BlazePoser(NARROW))
    part = distil.parts(NARROW)[0]
    optimizer = torch.optim.Adam(distil.parameters(part, network), 3e-3)
    distances = []
    with torch.no_grad():
        wanted = tuple(original.backbone.maps(image, [theirs for _, theirs, _ in part.maps]))
    for _ in range(25):
        distance = distil.distance(part, network, wanted, image)
        optimizer.zero_grad()
        distance.backward()
        optimizer.step()
        distances.append(distance.item())
    assert distances[-1] < 0.5 * distances[0]


def test_the_one_that_ships_meets_its_budget() -> None:
    assert sum(parameter.numel() for parameter in BlazePoser(ARCHITECTURE).parameters()) <= 104_100
    assert sum(operation.macs for operation in operations(ARCHITECTURE)) <= 31_000_000
