"""Evaluation: which detection answers which label, errors without a detour over 180 or 360 degrees, what the predicted
error is worth, and average precision."""

import json

import numpy as np
import pytest

from blazeposer.core.face import Face
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.evaluate.metrics import ImageResult, Scores, average_precision, count_labels, match, nearest, score

Box = tuple[float, float, float, float]


def face(box: Box, angles: tuple[float, float, float] = (0, 0, 0), error: float = 5.0, score: float = 0.9) -> Face:
    return Face.of(box, score, np.zeros((6, 2)), rotation_from_angles(angles), error)


LABEL = np.array([0.4, 0.4, 0.6, 0.6])


def test_the_detection_with_the_highest_overlap_is_the_match() -> None:
    far, near = face((0.35, 0.4, 0.2, 0.2)), face((0.41, 0.4, 0.2, 0.2))
    assert match([far, near], LABEL) is near
    assert match([], LABEL) is None


@pytest.mark.parametrize(("shift", "found"), [(0.085, True), (0.087, False)])
def test_an_overlap_of_four_tenths_is_needed(shift: float, found: bool) -> None:
    # two equal squares shifted by s of their side overlap by (1 - s) / (1 + s): 0.4 at s = 3/7, here 0.0857
    assert (match([face((0.4 + shift, 0.4, 0.2, 0.2))], LABEL) is not None) == found


def test_without_true_boxes_the_detection_nearest_to_the_label_s_middle_answers() -> None:
    small, far = face((0.52, 0.48, 0.04, 0.04)), face((0.3, 0.4, 0.3, 0.2))  # middles 0.04 and 0.05 from the label's
    assert nearest([far, small], LABEL) is small
    assert nearest([], LABEL) is None
    for distance, found in ((0.099, True), (0.101, False)):  # the box's half width is 0.1
        assert (nearest([face((0.4 + distance, 0.4, 0.2, 0.2))], LABEL) is not None) == found


def test_errors_are_plain_differences_on_found_faces_only() -> None:
    labels = np.array([[10.0, 0, 0], [40, 10, 0], [-80, 0, 0], [0, 0, -85]])
    predicted = [face((0, 0, 1, 1), (13, 0, 0)), None, face((0, 0, 1, 1), (-80, 6, 0)), face((0, 0, 1, 1), (0, 0, 89))]
    scores = score(predicted, rotation_from_angles(labels), labels)
    assert scores.recall == 0.75
    np.testing.assert_allclose(scores.errors, [[3, 0, 0], [0, 6, 0], [0, 0, 174]], atol=1e-9)
    np.testing.assert_allclose(scores.expected, [5, np.nan, 5, 5])
    assert scores.within(60, 99).mean == pytest.approx(2)
    assert scores.within(30, 60).recall == 0
    figures = scores.as_dict()
    assert figures["faces"] == 4
    assert figures["found"] == 3
    assert figures["mae"] == {"yaw": 1.0, "pitch": 2.0, "roll": 58.0, "mean": 20.33}
    assert figures["mae_by_yaw"] == {"0-30": 29.5, "30-60": None, "60-99": 2.0}


def test_bias_offset_and_slope() -> None:
    """A network that reads pitch 0.8 times as large and 3 degrees low, and yaw 2 degrees to one side."""
    pitch = np.array([-20.0, -10, 0, 10, 20, 30])
    labels = np.column_stack([np.zeros(6), pitch, np.zeros(6)])
    labels[5, 0] = 70
    predicted = [face((0, 0, 1, 1), (yaw + 2, 0.8 * p - 3, 0)) for yaw, p, _ in labels.tolist()]
    scores = score(predicted, rotation_from_angles(labels), labels)
    np.testing.assert_allclose(scores.bias, [2, -4, 0], atol=1e-9)
    assert scores.pitch_slope == pytest.approx(0.8)
    # pitch is off by 1, -1, -3, -5, -7, -9: the median is -4
    assert scores.mean_after_offset == pytest.approx((5 + 3 + 1 + 1 + 3 + 5) / 6 / 3)
    assert scores.of(labels[:, 0] < 60).pitch_slope == pytest.approx(0.8)
    predicted[5] = face((0, 0, 1, 1), (70, -90, 0))  # beyond 60 degrees of yaw: no part of the slope
    assert score(predicted, rotation_from_angles(labels), labels).pitch_slope == pytest.approx(0.8)
    figures = scores.as_dict()
    assert figures["bias"] == {"yaw": 2.0, "pitch": -4.0, "roll": 0.0}
    assert (figures["mae_after_offset"], figures["pitch_slope"]) == (1.0, 0.8)
    nothing = score([None], rotation_from_angles(labels[:1]), labels[:1]).as_dict()
    assert nothing["bias"] == {"yaw": None, "pitch": None, "roll": None}
    assert (nothing["mae_after_offset"], nothing["pitch_slope"], nothing["expected"]) == (None, None, None)


def test_a_signed_error_is_prediction_minus_label() -> None:
    labels = np.array([[10.0, 5, 0], [0, 0, 0]])
    scores = score([face((0, 0, 1, 1), (7, 9, 1)), None], rotation_from_angles(labels), labels)
    np.testing.assert_allclose(scores.signed, [[-3, 4, 1]], atol=1e-9)


def test_figures_of_nothing_found_are_valid_json() -> None:
    labels = np.zeros((2, 3))
    figures = score([None, None], rotation_from_angles(labels), labels).as_dict()
    assert json.loads(json.dumps(figures, allow_nan=False))["mae"]["mean"] is None


def test_the_interval_is_the_bootstrap_of_the_mean() -> None:
    errors = np.random.default_rng(0).exponential(5, (400, 1)) * np.ones(3)
    scores = Scores(np.zeros((400, 3)), errors, np.ones(400), np.ones(400))
    low, high = scores.interval()
    spread = 1.96 * errors[:, 0].std() / 20
    assert low == pytest.approx(scores.mean - spread, abs=0.1)
    assert high == pytest.approx(scores.mean + spread, abs=0.1)


def predicting(expected: list[float], actual: list[float]) -> Scores:
    """Faces with these predicted and actual errors; NaN: not found."""
    errors = np.array(actual)
    return Scores(np.zeros((len(errors), 3)), errors[:, None] * np.ones(3), errors, np.array(expected))


def test_the_surest_half_is_that_with_the_smallest_predicted_errors() -> None:
    nan = float("nan")
    scores = predicting([9, nan, 1, 3, 7], [10, nan, 2, 4, 8])
    np.testing.assert_allclose(scores.surest().geodesic, [2, 4])
    assert scores.ranking == pytest.approx(3 / 6)
    assert scores.as_dict()["surest_half"] == {"mae": 3.0, "geodesic": 3.0, "ranking": 0.5}


def test_a_prediction_that_is_always_the_same_ranks_nothing() -> None:
    assert predicting([1, 1, 1, 1], [2, 4, 8, 10]).ranking == 1


def test_reliability_compares_predicted_and_actual_errors_in_bins_of_equal_count() -> None:
    nan = float("nan")
    bins = predicting([4, 1, nan, 3, 2], [9, 1, nan, 5, 3]).reliability(bins=2)
    assert bins == [(1.5, 2.0, 2), (3.5, 7.0, 2)]


def picture(faces: list[Face], labels: list[list[float]], ignored: list[bool] | None = None) -> ImageResult:
    boxes = np.array(labels, np.float64).reshape(-1, 4)
    return ImageResult(faces, boxes) if ignored is None else ImageResult(faces, boxes, np.array(ignored))


A, B = [0.0, 0.0, 0.25, 0.25], [0.5, 0.5, 0.75, 0.75]
ON_A, ON_B, ELSEWHERE = (0.0, 0.0, 0.25, 0.25), (0.5, 0.5, 0.25, 0.25), (0.75, 0.0, 0.1, 0.1)


def test_average_precision_by_hand() -> None:
    # Four labels. By score: right, wrong, right, right: recall 1/4, 1/4, 2/4, 3/4 at precision 1, 1/2, 2/3, 3/4.
    # The best precision at that recall or a higher one: 1, 3/4, 3/4. Area: (1 + 3/4 + 3/4) / 4.
    first = picture([face(ON_A, score=0.9), face(ELSEWHERE, score=0.8), face(ON_B, score=0.7)], [A, B])
    second = picture([face(ON_B, score=0.6)], [A, B])
    assert average_precision([first, second]) == pytest.approx((1 + 3 / 4 + 3 / 4) / 4)
    assert count_labels([first, second]) == 4


def test_of_two_detections_on_one_label_the_surer_is_right() -> None:
    twice = picture([face(ON_A, score=0.9), face(ON_A, score=0.6)], [A])
    assert twice.judged(0) == ([(0.9, True), (0.6, False)], 1)


def test_half_an_overlap_is_needed() -> None:
    # shifted by s of its side, a square overlaps by (1 - s) / (1 + s): one half at s = 1/3, here 0.0833
    for shift, right in ((0.083, True), (0.084, False)):
        judged, _ = picture([face((shift, 0.0, 0.25, 0.25))], [A]).judged(0)
        assert judged == [(0.9, right)]


def test_ignored_and_small_labels_neither_help_nor_harm() -> None:
    faces = [face(ON_A, score=0.9), face(ON_B, score=0.8)]
    assert picture(faces, [A, B], [True, False]).judged(0) == ([(0.8, True)], 1)
    wide = [0.0, 0.0, 0.5, 0.125]  # the area of A: 32 pixels of 128 a side
    for least, count in ((32, 1), (32.1, 0)):
        assert count_labels([picture([], [wide])], least) == count
    assert picture(faces, [A, [0.5, 0.5, 0.9, 0.9]]).judged(40)[1] == 1


def test_average_precision_without_labels_or_detections() -> None:
    assert np.isnan(average_precision([picture([face(ON_A)], [])]))
    assert average_precision([picture([], [A])]) == 0
