"""Evaluation: which detection answers which label, and errors without a detour over 180 or 360 degrees."""

from __future__ import annotations

import numpy as np
import pytest

from blazeposer.decode import Face
from blazeposer.rotation import rotation_from_angles
from blazeposer_training.metrics import Scores, match, score


def face(box: tuple[float, float, float, float], angles: tuple[float, float, float] = (0, 0, 0)) -> Face:
    return Face(box, 0.9, np.zeros((6, 2)), rotation_from_angles(angles))


LABEL = np.array([0.4, 0.4, 0.6, 0.6])


def test_the_detection_with_the_highest_overlap_is_the_match() -> None:
    far, near = face((0.35, 0.4, 0.2, 0.2)), face((0.41, 0.4, 0.2, 0.2))
    assert match([far, near], LABEL) is near
    assert match([], LABEL) is None


@pytest.mark.parametrize(("shift", "found"), [(0.085, True), (0.087, False)])
def test_an_overlap_of_four_tenths_is_needed(shift: float, found: bool) -> None:
    # two equal squares shifted by s of their side overlap by (1 - s) / (1 + s): 0.4 at s = 3/7, here 0.0857
    assert (match([face((0.4 + shift, 0.4, 0.2, 0.2))], LABEL) is not None) == found


def test_errors_are_plain_differences_on_found_faces_only() -> None:
    labels = np.array([[10.0, 0, 0], [40, 10, 0], [-80, 0, 0], [0, 0, -85]])
    predicted = [face((0, 0, 1, 1), (13, 0, 0)), None, face((0, 0, 1, 1), (-80, 6, 0)), face((0, 0, 1, 1), (0, 0, 89))]
    scores = score(predicted, rotation_from_angles(labels), labels)
    assert scores.recall == 0.75
    np.testing.assert_allclose(scores.errors, [[3, 0, 0], [0, 6, 0], [0, 0, 174]], atol=1e-9)
    assert scores.within(60, 99).mean == pytest.approx(2)
    assert scores.within(30, 60).recall == 0
    figures = scores.as_dict()
    assert figures["faces"] == 4
    assert figures["found"] == 3
    assert figures["mae"] == {"yaw": 1.0, "pitch": 2.0, "roll": 58.0, "mean": 20.33}


def test_the_interval_is_the_bootstrap_of_the_mean() -> None:
    errors = np.random.default_rng(0).exponential(5, (400, 1)) * np.ones(3)
    scores = Scores(np.zeros((400, 3)), errors, np.ones(400))
    low, high = scores.interval()
    spread = 1.96 * errors[:, 0].std() / 20
    assert low == pytest.approx(scores.mean - spread, abs=0.1)
    assert high == pytest.approx(scores.mean + spread, abs=0.1)
