"""Test the difference of two stages, and its tolerance."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from blazeposer.core.face import Face
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.evaluate.validate.compare import Limits, Seen, compare, layers_apart, same_faces
from blazeposer.evaluate.validate.layers import Layers
from blazeposer.evaluate.validate.stages import PAIRS

FACE = Face.of((0.25, 0.25, 0.5, 0.5), 0.9, np.full((6, 2), 0.5), rotation_from_angles([10, 5, -5]), 3.0)


def moved(pixels: float = 0.0, keypoint: float = 0.0, degrees: float = 0.0) -> Face:
    x, y, w, h = FACE.box
    points = FACE.points.copy()
    points[3, 1] += keypoint / 128
    turned = rotation_from_angles([0, 0, degrees]) @ FACE.rotation
    return Face.of((x + pixels / 128, y, w, h), FACE.score, points, turned, FACE.err)


def test_differences_are_measured_in_pixels_and_degrees() -> None:
    difference = compare(Seen([], [[FACE], [FACE]]), Seen([], [[FACE], [moved(2, 3, 4)]]))
    assert difference.box == pytest.approx([0, 2])
    assert difference.keypoints == pytest.approx([0, 3])
    assert difference.degrees == pytest.approx([0, 4], abs=1e-4)
    assert list(difference.order) == [1, 0]
    assert difference.shows(1)
    assert not difference.shows(5)


def test_each_limit_is_judged() -> None:
    pictures = 40
    there = [[FACE] for _ in range(pictures - 1)] + [[moved(2, 0, 9)]]  # one of forty: neither median nor 95 %
    difference = compare(Seen([], [[FACE]] * pictures), Seen([], there))
    assert difference.breaches(Limits("", pixels=(1, 1, np.inf), degrees=(1, 1, np.inf))) == []
    assert difference.breaches(Limits("", pixels=(1, 1, 1))) == ["boxes differ by 2 px (worst)"]
    assert difference.breaches(Limits("", degrees=(1, 1, 8))) == ["angles differ by 9 ° (worst)"]
    all_off = compare(Seen([], [[FACE]]), Seen([], [[moved(keypoint=3)]]))
    assert [text[:20] for text in all_off.breaches(Limits("", pixels=(2, 4, 4)))] == ["keypoints differ by "]
    lost = FACE.turned(np.full((3, 3), np.nan))
    assert compare(Seen([], [[FACE]]), Seen([], [[lost]])).breaches(Limits("", degrees=(1, 1, 1)))


def test_raw_outputs_are_counted_by_levels() -> None:
    first = [np.array([[0, 5, -128, 127]], np.int8)]
    second = [np.array([[0, 6, 127, 120]], np.int8)]
    difference = compare(Seen([first], [[]]), Seen([second], [[]]))
    assert (difference.values, difference.equal, difference.largest) == (4, 1, 255)
    assert "3 of 4 raw outputs differ" in difference.breaches(Limits("", equal=True))[0]
    assert difference.breaches(Limits("", largest=254))
    assert not difference.breaches(Limits("", largest=255))


def test_faces_of_one_stage_alone() -> None:
    elsewhere = replace(FACE, box=(0.8, 0.8, 0.1, 0.1))
    assert same_faces([FACE, elsewhere], [moved(1)])[1] == (1, 0)
    difference = compare(Seen([], [[FACE], []]), Seen([], [[FACE], [elsewhere]]))
    assert (difference.first_alone, difference.second_alone) == (0, 1)
    assert difference.breaches(Limits("")) == ["1 of 2 faces are found by only one stage"]
    assert difference.breaches(Limits("", alone=0.05)) == []  # one may always differ
    two = compare(Seen([], [[FACE], []]), Seen([], [[FACE], [elsewhere, FACE]]))
    assert two.breaches(Limits("", alone=0.05))


def test_every_pair_says_its_tolerance_and_why() -> None:
    for pair in PAIRS:
        assert len(pair.limits.reason) > 20, pair
        assert "faces" in str(pair.limits)
        assert "inf" not in str(pair.limits)


def test_the_first_layer_that_differs(model_path: Path) -> None:
    layers = Layers(model_path)
    names = list(layers.operations)
    ours = {name: np.ones(8, np.float32) for name in names}
    theirs = dict(ours)
    late = names.index("backbone.blocks.9.pointwise")
    for name in names[late:]:
        theirs[name] = ours[name] + layers.steps[name]
    apart = layers_apart(ours, theirs, layers, int8=(True, True))
    assert next(iter(apart)) == "backbone.blocks.9.pointwise"
    assert list(apart.values()) == pytest.approx([1] * len(apart), rel=1e-4)
    mixed = layers_apart(ours, theirs, layers, int8=(False, True))
    assert not [name for name in mixed if name.endswith("depthwise")]
    assert next(iter(mixed)) == "backbone.blocks.9.pointwise"
