"""Disturbed images: boxes and rotations change with them, and what is read of them is measured."""

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from blazeposer.core.contract import INPUT_SIZE
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import geodesic_degrees, rotation_from_angles, turn_rotation
from blazeposer.scene.portrait import load_portrait
from blazeposer.scene.sequence import DemoFrame, Person
from pools import write_pool

pytest.importorskip("scipy", reason="the extra `train` is not installed")
pytest.importorskip("matplotlib", reason="the extra `train` is not installed")

from blazeposer.evaluate.datasets import Dataset, Sample, labelled
from blazeposer.evaluate.disturb import CONDITIONS, GAMMA, SIDE, Scene, scene_of
from blazeposer.evaluate.sheet import PLAIN, TRIALS, measure_sheet

MOVING = ("face size", "near", "turned image", "cut by the edge")
NAMED = {condition.name: condition for condition in CONDITIONS}
BOX = (90.0, 60.0, 150.0, 140.0)
MIDDLE = (120, 100)


def scene(picture: Image) -> Scene:
    return Scene(picture, np.array([BOX]), rotation_from_angles([[20.0, -10.0, 5.0]]))


def dotted() -> Scene:
    """White dots in the middle and at the upper left corner of a face's box."""
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    for place in (MIDDLE, (90, 60)):
        cv2.circle(picture, place, 2, (255, 255, 255), cv2.FILLED)
    return scene(picture)


def change(name: str, given: Scene, level: float, seed: int = 0) -> Scene:
    return NAMED[name].change(given, level, np.random.default_rng(seed))


def brightest(picture: Image, near: NDArray[np.float64]) -> NDArray[np.float64]:
    """Middle of what is bright within ten pixels of a place."""
    x, y = np.round(near).astype(int)
    part = picture[max(y - 10, 0) : y + 11, max(x - 10, 0) : x + 11, 0].astype(float)
    rows, columns = np.indices(part.shape)
    return np.array([(columns * part).sum(), (rows * part).sum()]) / part.sum() + [max(x - 10, 0), max(y - 10, 0)]


@pytest.mark.parametrize("pixels", [48, 32, 16])
def test_a_smaller_face_has_its_size_and_its_box(pixels: float) -> None:
    seen = change("face size", dotted(), pixels)
    (box,) = seen.boxes
    assert (box[3] - box[1]) * INPUT_SIZE / SIDE == pytest.approx(pixels)
    assert (box[:2] + box[2:]) / 2 == pytest.approx([SIDE / 2, SIDE / 2])
    for place in ((box[:2] + box[2:]) / 2, box[:2]):
        assert brightest(seen.picture, place) == pytest.approx(place, abs=1)
    assert seen.picture.shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize("share", [0.75, 0.9, 1.0])
def test_a_near_face_takes_its_share_of_the_picture(share: float) -> None:
    seen = change("near", dotted(), share)
    (box,) = seen.boxes
    assert (box[2:] - box[:2]).max() == pytest.approx(share * SIDE)
    assert brightest(seen.picture, (box[:2] + box[2:]) / 2) == pytest.approx([SIDE / 2, SIDE / 2], abs=1)


def test_a_cut_face_has_its_share_beyond_an_edge() -> None:
    edges = set()
    for seed in range(12):
        seen = change("cut by the edge", dotted(), 0.3, seed)
        (box,) = seen.boxes
        low, high = -box[:2] / [60, 80], (box[2:] - SIDE) / [60, 80]
        outside = [*low, *high]
        assert max(outside) == pytest.approx(0.3)
        assert sum(value > 0 for value in outside) == 1
        edges.add(int(np.argmax(outside)))
        assert brightest(seen.picture, (box[:2] + box[2:]) / 2) == pytest.approx((box[:2] + box[2:]) / 2, abs=1)
    assert edges == {0, 1, 2, 3}


@pytest.mark.parametrize("degrees", [30.0, 90.0, 180.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_turned_picture_turns_box_and_rotation(degrees: float, seed: int) -> None:
    seen = change("turned image", dotted(), degrees, seed)
    (box,) = seen.boxes
    middle = (box[:2] + box[2:]) / 2
    assert middle == pytest.approx([SIDE / 2, SIDE / 2])
    assert brightest(seen.picture, middle) == pytest.approx(middle, abs=1)
    (rotation,) = dotted().rotations
    clockwise = [
        t for t in (-degrees, degrees) if geodesic_degrees(turn_rotation(rotation, t), seen.rotations[0]) < 1e-3
    ]
    assert clockwise
    # The corner's dot says which way the image was turned.
    c, s = np.cos(np.radians(clockwise[0])), np.sin(np.radians(clockwise[0]))
    corner = middle + np.array([[c, -s], [s, c]]) @ (-30, -40)
    assert brightest(seen.picture, corner) == pytest.approx(corner, abs=1.5)
    if degrees == 180:
        assert box[2:] - box[:2] == pytest.approx([60, 80], abs=0.5)
    if degrees == 90:
        assert box[2:] - box[:2] == pytest.approx([80, 60], abs=0.5)


def test_the_largest_face_comes_to_the_middle_and_others_along() -> None:
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    boxes = np.array([[10.0, 10.0, 30.0, 30.0], [90.0, 60.0, 150.0, 140.0]])
    cv2.circle(picture, (20, 20), 2, (255, 255, 255), cv2.FILLED)
    seen = change("face size", Scene(picture, boxes, rotation_from_angles(np.zeros((2, 3)))), 32)
    middles = (seen.boxes[:, :2] + seen.boxes[:, 2:]) / 2
    assert middles[1] == pytest.approx([SIDE / 2, SIDE / 2])
    assert brightest(seen.picture, middles[0]) == pytest.approx(middles[0], abs=1)


def textured() -> Scene:
    return scene(np.random.default_rng(0).integers(60, 180, (SIDE, SIDE, 3)).astype(np.uint8))


def test_pixels_change_by_what_the_level_says() -> None:
    flat = scene(np.full((SIDE, SIDE, 3), 120, np.uint8))
    assert change("noise", flat, 10).picture.std() == pytest.approx(10, rel=0.02)
    assert change("darkness", flat, 2).picture.mean() == pytest.approx(120 * 0.25 ** (1 / GAMMA), abs=0.5)
    assert change("blur", flat, 3).picture.std() == 0
    given = textured()
    assert change("blur", given, 2).picture.std() < 0.3 * given.picture.std()
    assert change("contrast", given, 0.5).picture.std() == pytest.approx(0.5 * given.picture.std(), rel=0.05)
    assert change("contrast", given, 0.5).picture.mean() == pytest.approx(given.picture.mean(), abs=0.5)
    soft = change("blur", given, 2)
    off = [np.abs(change("JPEG", soft, quality).picture - soft.picture.astype(int)).mean() for quality in (95, 50, 5)]
    assert off == sorted(off)
    assert off[0] < 3
    assert off[2] > 2 * off[0]
    shades = change("grey sensor", given, 1).picture
    assert (shades == shades[..., :1]).all()
    expected = given.picture @ [0.299, 0.587, 0.114]  # ITU-R BT.601
    assert np.abs(shades[..., 0] - expected).max() < 1


@pytest.mark.parametrize("name", [c.name for c in CONDITIONS if c.name not in MOVING])
def test_what_changes_pixels_leaves_box_and_rotation(name: str) -> None:
    given = textured()
    before = given.picture.copy()
    for level in NAMED[name].levels:
        seen = change(name, given, level)
        assert np.array_equal(seen.boxes, given.boxes)
        assert np.array_equal(seen.rotations, given.rotations)
        assert seen.picture.dtype == np.uint8
        assert not np.array_equal(seen.picture, given.picture)
    assert np.array_equal(given.picture, before)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_a_patch_covers_its_share_of_the_box(share: float) -> None:
    given = textured()
    seen = change("covered", given, share)
    skin = np.round(np.median(given.picture[60:140, 90:150], axis=(0, 1)))
    covered = (seen.picture == skin).all(-1)
    assert covered.sum() / (60 * 80) == pytest.approx(share, rel=0.12)  # less or more a part of the rim
    rows, columns = np.nonzero(covered)
    assert columns.min() >= 89
    assert columns.max() <= 151
    assert rows.min() >= 59
    assert rows.max() <= 141
    other = change("covered", given, share, seed=1)
    assert not np.array_equal(other.picture, seen.picture)


@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.0), (30.0, 0.0, 0.0), (-30.0, 10.0, 0.0), (0.0, -15.0, 25.0)])
def test_a_mask_covers_mouth_and_nose_and_no_eye(angles: tuple[float, float, float]) -> None:
    """The mesh of the demo's head gives their places: 13 and 1 of MediaPipe's face mesh; 468 is beyond it, so the
    eyes are the corners 33, 133, 362 and 263."""
    person = Person(angles, (240.0, 240.0), 1.85)
    points = load_portrait().placed(angles, 1.85, (240.0, 240.0))[:, :2]
    landmarks = _landmark_box(points)
    picture = DemoFrame((person,)).picture
    given = scene_of(Sample("head", lambda: picture, landmarks[None], np.array([angles])))
    seen = change("mask", given, 1)
    covered = (np.abs(seen.picture.astype(int) - given.picture).max(-1) > 0) * 1
    x, y = np.round(points * SIDE / 480).astype(int).T
    assert covered[y[[13, 1]], x[[13, 1]]].all()
    assert not covered[y[[33, 133, 362, 263]], x[[33, 133, 362, 263]]].any()


def _landmark_box(points: NDArray[np.float64]) -> NDArray[np.float64]:
    from blazeposer.evaluate.peers.canonical import load_canonical

    seen = points[load_canonical().landmarks]
    return np.concatenate([seen.min(0), seen.max(0)])


def test_a_data_set_is_thinned_evenly_and_needs_angles(tmp_path: Path) -> None:
    rows = [
        {"file": f"{n}.png", "yaw": n, "pitch": 0, "roll": 0, "geodesic_spread": 1, "split": "val"} for n in range(9)
    ]
    write_pool(tmp_path, "known", rows)
    assert len(labelled("known", str(tmp_path))) == 9
    assert labelled("known", str(tmp_path), 3).angles[:, 0].tolist() == [0, 4, 8]
    assert len(labelled("known", str(tmp_path), 100)) == 9
    with pytest.raises(BlazePoserError, match="no data set unknown"):
        labelled("unknown", str(tmp_path))


@dataclass
class FindsWhite:
    """A peer that finds the white box in an image if it is bright enough, and always says that it looks straight."""

    name: str = "finds white"
    files: tuple[Path, ...] = ()
    seconds: float = 0.0
    seen: list[Image] = field(default_factory=list)

    def __call__(self, picture: Image) -> list[Face]:
        self.seen.append(picture)
        rows, columns = np.nonzero(picture.min(-1) > 150)
        if not len(rows):
            return []
        x, y = float(columns.min()), float(rows.min())
        box = x, y, columns.max() + 1 - x, rows.max() + 1 - y
        return [Face.of(box, 0.9, np.zeros((6, 2)), np.eye(3), 1.0)]


@pytest.fixture
def white() -> Dataset:
    """Two images with a white box that looks straight."""
    picture = np.zeros((2 * SIDE, 2 * SIDE, 3), np.uint8)
    picture[160:320, 200:340] = 255
    box = np.array([[200.0, 160.0, 340.0, 320.0]])
    return Dataset("white", [Sample(f"{n}", lambda: picture, box, np.zeros((1, 3))) for n in range(2)])


def test_recall_and_errors_are_those_of_the_level(white: Dataset) -> None:
    bins = {(one.condition, one.level): one.scores for one in measure_sheet(FindsWhite(), white)}
    assert len(bins) == len(TRIALS) == 55
    assert bins[PLAIN, ""].recall == 1
    assert bins[PLAIN, ""].mean_geodesic == pytest.approx(0, abs=1e-5)
    assert bins["darkness", "1"].recall == 1  # 255 * 0.73
    assert bins["darkness", "2"].recall == 0  # 255 * 0.53
    assert bins["face size", "12"].recall == 1
    for degrees in (15, 90, 180):
        turned = bins["turned image", str(degrees)]
        assert turned.recall == 1
        assert turned.geodesic == pytest.approx(degrees, abs=1e-3)


def test_what_is_drawn_by_lot_is_the_same_in_every_run(white: Dataset) -> None:
    first, second = FindsWhite(), FindsWhite()
    for system in (first, second):
        measure_sheet(system, white)
    assert len(first.seen) == 2 * len(TRIALS)
    assert all(np.array_equal(one, other) for one, other in zip(first.seen, second.seen, strict=True))
