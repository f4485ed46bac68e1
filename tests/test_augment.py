"""Training images: image and label stay together, and every batch is what seed and step say."""

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
import torch

from banks import small_bank
from blazeposer.core import prepare
from blazeposer.core.contract import INPUT_SIZE
from blazeposer.core.rotation import mirror_rotation, rotation_from_angles, turn_rotation
from blazeposer.evaluate.datasets.pool import Pool
from blazeposer_training.images import relight
from blazeposer_training.images.augment import (
    BLACK,
    PHOTO,
    REFLECTED,
    REPLICATED,
    Placements,
    Views,
    moved_points,
    moved_rotations,
    random_placements,
    render,
    transforms,
)
from blazeposer_training.images.bank import COLLAGES, SIDE, Bank, collages, cut, make_bank, read_bank
from blazeposer_training.images.batches import (
    TrainingBatches,
    balance,
    make_batch,
    training_batches,
    validation_batches,
)
from blazeposer_training.images.relight import Light
from blazeposer_training.learning.recipe import read_recipe
from pools import write_backgrounds, write_pool

SETTINGS = read_recipe("quick").images


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return small_bank(tmp_path)


def placements(count: int, **values: object) -> Placements:
    usual = {"size": 0.4, "x": 0.5, "y": 0.5, "clockwise": 0.0, "mirrored": False, "bulge": 0.0} | values
    return Placements(**{name: np.full(count, value) for name, value in usual.items()})


def views(count: int, rim: int = BLACK, unlabelled: bool = False) -> Views:
    none, whole = np.zeros(count, np.int64), np.tile([0.0, 0, 1], (count, 1))
    no = np.zeros(count, bool)
    return Views(np.full(count, rim), no, none, whole, no, np.full(count, unlabelled))


def photo_bank(photo: prepare.Image, box: tuple[float, ...], points: np.ndarray) -> Bank:
    """One photo with one face, over a white background."""
    landmarks = np.resize(points, (1, 68, 2)).astype(np.float64)
    pool = Pool([photo], ["x"], np.array([0]), np.array([box]), np.zeros((1, 3)), np.zeros(1), landmarks)
    return make_bank(pool, [np.full((64, 80, 3), 255, np.uint8)], [])


def brightest(picture: torch.Tensor) -> np.ndarray:
    """Centre (x, y) of mass of an image (3, 128, 128)."""
    mass = picture.sum(0).double()
    at = torch.arange(INPUT_SIZE, dtype=torch.float64)
    return np.array([(mass.sum(0) * at).sum() / mass.sum(), (mass.sum(1) * at).sum() / mass.sum()])


@pytest.mark.parametrize("photo_size", [(120, 150), (400, 448)])
@pytest.mark.parametrize(("clockwise", "mirrored"), [(0.0, False), (0.0, True), (30.0, False), (-40.0, True)])
def test_a_dot_lands_where_the_label_says(photo_size: tuple[int, int], clockwise: float, mirrored: bool) -> None:
    height, width = photo_size
    photo = np.zeros((height, width, 3), np.uint8)
    dot = np.array([0.6 * width, 0.45 * height]).round()
    cv2.circle(photo, dot.astype(int).tolist(), 4, (255, 255, 255), -1)
    box = (0.4 * width, 0.3 * height, 0.7 * width, 0.7 * height)
    bank = photo_bank(photo, box, dot)
    placed = placements(1, size=0.45, x=0.55, clockwise=clockwise, mirrored=mirrored)
    batch = make_batch(bank, np.array([0]), placed, views(1), None)
    seen = brightest(batch.pictures[0].permute(2, 0, 1))
    np.testing.assert_allclose(batch.landmarks[0, 0] * INPUT_SIZE, seen, atol=0.35)
    side = seen[0] - 0.55 * INPUT_SIZE  # the dot lies right of the box's middle, until it is mirrored
    assert (side < 0) == mirrored


def test_a_large_photo_is_cut_about_its_face() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (400, 448, 3)).astype(np.uint8)
    small, scale, corner = cut(photo, np.array([300.0, 100, 330, 140]))
    assert small.shape == (SIDE, SIDE, 3)
    np.testing.assert_array_equal(scale, 1)
    np.testing.assert_array_equal(small, photo[24:216, 219:411])
    assert corner.tolist() == [219, 24]
    large, scale, corner = cut(photo, np.array([100.0, 100, 250, 300]))
    assert max(large.shape) == SIDE
    assert corner.tolist() == [0, 0]
    np.testing.assert_allclose(scale, (192 / 448, 171 / 400))


def test_picture_and_label_turn_together() -> None:
    """A head of 3D points, seen and then placed, is the head with the moved rotation, seen at its new place."""
    rng = np.random.default_rng(5)
    heads, count = rng.normal(size=(60, 3)), 20
    rotations = rotation_from_angles(rng.uniform([-80, -50, -40], [80, 50, 40], (count, 3)))
    placed = random_placements(rng, count, SETTINGS)
    seen = (heads @ rotations.swapaxes(1, 2))[..., :2] * (30, -30) + (70, 80)  # x right, y up becomes y down
    boxes = np.concatenate([seen.min(axis=1), seen.max(axis=1)], axis=1)
    moved = moved_points(seen, transforms(boxes, placed))
    flips = np.where(placed.mirrored[:, None, None], (-1, 1, 1), 1)  # the head's own left becomes its right
    turned = moved_rotations(rotations, placed)
    expected = ((heads * flips) @ turned.swapaxes(1, 2))[..., :2] * (1, -1)
    scale = placed.size * INPUT_SIZE / (boxes[:, 2:] - boxes[:, :2]).max(axis=1) * 30
    centred = expected - expected.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(moved - moved.mean(axis=1, keepdims=True), centred * scale[:, None, None], atol=1e-6)
    middles = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
    centres = moved_points(middles, transforms(boxes, placed))[:, 0] / INPUT_SIZE
    np.testing.assert_allclose(centres, np.stack([placed.x, placed.y], 1), atol=1e-9)
    for i in range(count):
        mirrored = mirror_rotation(rotations[i]) if placed.mirrored[i] else rotations[i]
        np.testing.assert_allclose(turned[i], turn_rotation(mirrored, placed.clockwise[i]), atol=1e-12)


def test_placements_stay_within_what_training_asks_for() -> None:
    placed = random_placements(np.random.default_rng(1), 20000, SETTINGS)
    assert 20 / INPUT_SIZE <= placed.size.min() < 0.17
    assert 0.7 < placed.size.max() <= 0.75
    assert np.abs(placed.clockwise).max() == 45
    assert 13 < placed.clockwise.std() < 15
    assert np.mean((placed.size >= 0.25) & (placed.size <= 0.55)) > 0.75
    assert np.all(np.abs(placed.x - 0.5) + placed.size / 2 <= 0.5 + 0.125)


def test_rims() -> None:
    photo = np.full((100, 100, 3), 50, np.uint8)
    photo[:, :10] = 200
    bank = photo_bank(photo, (30, 30, 70, 70), np.array([50.0, 50]))
    matrices = np.tile(np.array([[0.5, 0, 39], [0, 0.5, 39]]), (4, 1, 1))  # the photo from 39 to 89
    rims = np.array([BLACK, REPLICATED, REFLECTED, PHOTO])
    pictures = render(bank, np.zeros(4, np.int64), matrices, Views(**{**vars(views(4)), "rim": rims}), np.zeros(4))
    left = pictures[:, 0, 64, 10]  # 58 pixels of the photo left of its edge: beyond the mirror image of its stripe
    assert left.tolist() == [0, 200, 50, 255]
    assert torch.all(pictures[:, :, 45:80, 50:80] == 50)
    assert pictures[2, 0, 64, 36] == 200


def test_an_unlabelled_picture_shows_the_background_and_counts_for_nothing(bank: Bank) -> None:
    batch = make_batch(bank, np.arange(4), placements(4), views(4, REPLICATED, unlabelled=True), None)
    background = torch.nn.functional.interpolate(bank.backgrounds[:1].float(), INPUT_SIZE, mode="bilinear")
    torch.testing.assert_close(batch.pictures[0].permute(2, 0, 1).float(), background[0], atol=1.0, rtol=0)
    for label in (batch.weights, batch.trust, batch.boxes, batch.landmarks, batch.spread):
        assert not label.any()
    drawn = TrainingBatches(bank, 200, range(1), 0, SETTINGS)[0]
    unlabelled = drawn.weights == 0
    assert 30 <= unlabelled.sum() <= 70
    assert not drawn.boxes[unlabelled].any()
    assert drawn.boxes[~unlabelled].any(1).all()


def test_a_collage_is_rows_of_whole_photos() -> None:
    """A collage has as many photos in a row as there are rows: two to four."""
    shades = [np.full((60, 90, 3), 40 * number, np.uint8) for number in range(1, 7)]
    for picture in collages(shades, 20):
        assert picture.shape == (SIDE, SIDE, 3)
        rows = [
            row
            for row in (2, 3, 4)
            if np.array_equal(picture, tiles(picture, row).repeat(SIDE // row, 0).repeat(SIDE // row, 1))
        ]
        assert rows
        assert {int(shade) for shade in np.unique(picture)} <= {40 * number for number in range(1, 7)}


def tiles(picture: prepare.Image, row: int) -> prepare.Image:
    """One pixel of each photo of a collage."""
    return picture[:: SIDE // row, :: SIDE // row]


def test_collages_are_for_training_alone(tmp_path: Path) -> None:
    sides = {}
    for split in ("train", "val"):
        write_pool(tmp_path, "aflw", [{"file": "000000.png", "yaw": 0, "pitch": 0, "roll": 0, "split": split}])
        write_backgrounds(tmp_path)
        sides[split] = len(read_bank(tmp_path, ("aflw",), split).backgrounds)
    assert sides["train"] == sides["val"] + COLLAGES


def test_batches_are_the_same_whenever_asked_for(bank: Bank) -> None:
    whole = TrainingBatches(bank, 8, range(6), 1, SETTINGS)[5]
    late = TrainingBatches(bank, 8, range(3, 6), 1, SETTINGS)[2]
    for name, value in vars(whole).items():
        if not isinstance(value, torch.Tensor):
            continue
        assert torch.equal(getattr(late, name), value)
    other = TrainingBatches(bank, 8, range(6), 2, SETTINGS)[5]
    assert not torch.equal(other.pictures, whole.pictures)
    assert not torch.equal(other.rotations, whole.rotations)
    worker = list(training_batches(bank, 8, range(4, 6), 1, SETTINGS, workers=1))[1]
    assert torch.equal(worker.pictures, whole.pictures)


def test_validation_shows_every_face_once_upright(bank: Bank) -> None:
    first, second = ([*validation_batches(bank, size)] for size in (8, 5))
    assert [len(batch.pictures) for batch in first] == [8, 4]
    assert torch.equal(torch.cat([b.pictures for b in first]), torch.cat([b.pictures for b in second]))
    rotations = torch.cat([batch.rotations for batch in first])
    torch.testing.assert_close(rotations, torch.from_numpy(bank.rotations).float())
    sizes = torch.cat([(batch.boxes[:, 2:] - batch.boxes[:, :2]).amax(1) for batch in first])
    assert ((sizes > 0.26) & (sizes < 0.50)).all()


def test_rare_poses_are_drawn_more_often() -> None:
    angles = np.zeros((1000, 3))
    angles[:40, 0] = 70
    chances = balance(angles, 0.5)
    assert chances[0] == pytest.approx(chances[-1] * np.sqrt(960 / 40))
    chances = balance(angles, 1.0)
    assert chances[:40].sum() == pytest.approx(chances[40:].sum())
    assert np.ptp(balance(angles, 0.0)) == 0


def test_rgb565_is_the_reference_to_the_bit() -> None:
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)
    ours = relight.rgb565(torch.from_numpy(every.transpose(2, 0, 1).copy())[None])
    np.testing.assert_array_equal(ours[0].permute(1, 2, 0), prepare.rgb565(every))


def light(**values: object) -> Light:
    """One image's; nothing happens to it but what is named."""
    none = {name: np.zeros(1) for name in ("brightness", "blur", "noise")}
    one = {name: np.ones(1) for name in ("contrast", "gamma")}
    no = {name: np.zeros(1, bool) for name in ("mask", "grey", "rgb565")}
    whole = {name: np.zeros(1, np.int64) for name in ("noise_start", "quality")}
    rest = {"rectangle": np.zeros((1, 4), np.int64), "colour": np.full((1, 3), 90.0), "gains": np.ones((1, 3))}
    return Light(**{**none, **one, **no, **whole, **rest, **values})  # type: ignore[arg-type]


@pytest.fixture
def picture(portrait: prepare.Image) -> prepare.Image:
    return prepare.clean_input(portrait)


def relit(picture: prepare.Image, **values: object) -> np.ndarray:
    landmarks = np.zeros((1, 68, 2))
    pixels = torch.from_numpy(picture.transpose(2, 0, 1).copy()).float()[None]
    return relight.relight(pixels, light(**values), landmarks)[0].permute(1, 2, 0).numpy().astype(float)


def test_nothing_happens_without_being_asked_for(picture: prepare.Image) -> None:
    np.testing.assert_array_equal(relit(picture), picture)


def test_jpeg_is_about_the_real_one(picture: prepare.Image) -> None:
    for quality in (40, 80):
        packed = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        real = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB), float)
        ours = relit(picture, quality=np.array([quality]))
        assert np.abs(ours - real).mean() < 0.5 * np.abs(picture - real).mean()


def test_light_and_focus(picture: prepare.Image) -> None:
    brighter = relit(picture, contrast=np.array([0.8]), brightness=np.array([20.0]))
    np.testing.assert_allclose(brighter, (picture - 128.0) * 0.8 + 148, atol=0.51)
    bent = relit(picture, gamma=np.array([1.5]))
    np.testing.assert_allclose(bent, 255 * (picture / 255) ** 1.5, atol=0.51)
    grey = relit(picture, grey=np.array([True]))
    np.testing.assert_allclose(grey, cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, 2), atol=1)
    blurred = relit(picture, blur=np.array([2.0]))
    wanted = cv2.GaussianBlur(picture, (17, 17), 2.0, borderType=cv2.BORDER_REPLICATE)
    np.testing.assert_allclose(blurred, wanted, atol=1)
    noise = relit(np.full_like(picture, 128), noise=np.array([5.0]), noise_start=np.array([77])) - 128
    assert 4.8 < noise.std() < 5.2
    assert abs(noise.mean()) < 0.1


def test_a_mask_covers_mouth_and_chin_but_not_the_eyes() -> None:
    jaw = [(64 - 40 * np.cos(t), 60 + 50 * np.sin(t)) for t in np.linspace(0, np.pi, 17)]
    points = np.zeros((1, 68, 2))
    points[0, :17], points[0, 27:31] = jaw, [(64, y) for y in (50, 57, 64, 71)]
    plain = torch.full((1, 3, INPUT_SIZE, INPUT_SIZE), 10.0)
    covered = relight.relight(plain, light(mask=np.array([True])), points)[0, 0].numpy() == 90
    assert covered[90, 64]
    assert covered[105, 64]
    assert not covered[50, 44]
    assert not covered[115, 64]
    outline = np.array([*jaw[2:15], (64, 57)])
    expected = cv2.fillPoly(np.zeros((INPUT_SIZE, INPUT_SIZE), np.uint8), [outline.round().astype(np.int32)], 1)
    assert np.mean(covered == (expected > 0)) > 0.98
