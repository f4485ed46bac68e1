"""The reference decoder on outputs made by hand."""

import numpy as np
import pytest

from blazeposer.core.contract import GRIDS, OUTPUTS
from blazeposer.core.decode import decode, overlaps
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.rotation import Floats, geodesic_degrees, rotation_from_angles

NOTHING = -20.0  # logit of an empty anchor


class Outputs:
    """The eight outputs of a network that sees nothing, until anchors are set."""

    def __init__(self) -> None:
        self.tensors = [np.zeros(output.shape) for output in OUTPUTS]
        self.tensors[1][:] = NOTHING
        self.tensors[2][:] = NOTHING

    def anchor(
        self,
        index: int,
        logit: float,
        side: int = 16,
        box: tuple[float, float, float, float] = (0, 0, 32, 32),
        keypoints: float = 0.0,
        angles: tuple[float, float, float] | None = None,
        error: float = 1.0,
    ) -> None:
        """Set an anchor: box in pixels of the input, from the anchor; its cell's rotation and error in degrees."""
        regressors, scores, rotation, errors = (0, 1, 4, 6) if side == 16 else (3, 2, 5, 7)
        self.tensors[scores][0, index, 0] = logit
        self.tensors[regressors][0, index] = [*box, *[keypoints] * 12]
        cell = index // (2 if side == 16 else 6)
        self.tensors[errors][0, cell] = np.log(error)
        if angles:
            self.tensors[rotation][0, cell] = rotation_from_angles(angles)[:2].ravel()


@pytest.fixture
def outputs() -> Outputs:
    return Outputs()


def probability(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def test_nothing_is_found_in_nothing(outputs: Outputs) -> None:
    assert decode(outputs.tensors) == []


@pytest.mark.parametrize(
    ("side", "index", "centre"),
    [(16, 0, (0.5, 0.5)), (16, 3, (1.5, 0.5)), (16, 511, (15.5, 15.5)), (8, 5, (0.5, 0.5)), (8, 49, (0.5, 1.5))],
)
def test_an_anchor_lies_at_its_cell(outputs: Outputs, side: int, index: int, centre: tuple[float, float]) -> None:
    outputs.anchor(index, 3.0, side, box=(4, -4, 32, 16), keypoints=2.0, angles=(20, -10, 5), error=7.0)
    (face,) = decode(outputs.tensors)
    cx, cy = np.array(centre) / side + np.array([4, -4]) / 128
    assert face.box == pytest.approx((cx - 0.125, cy - 0.0625, 0.25, 0.125))
    assert face.score == pytest.approx(probability(3.0))
    assert face.points == pytest.approx(np.tile(np.array(centre) / side + 2 / 128, (6, 1)))
    assert face.angles == pytest.approx((20, -10, 5), abs=1e-4)
    assert face.err == pytest.approx(7.0)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_threshold_is_reached_not_passed(outputs: Outputs, threshold: float) -> None:
    outputs.anchor(100, np.log(threshold / (1 - threshold)))
    assert len(decode(outputs.tensors, threshold=threshold)) == 1
    outputs.anchor(100, np.log(threshold / (1 - threshold)) - 1e-6)
    assert decode(outputs.tensors, threshold=threshold) == []


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1.0, 2.0, float("nan")])
def test_threshold_must_be_a_probability(outputs: Outputs, threshold: float) -> None:
    with pytest.raises(BlazePoserError, match="above 0 and below 1"):
        decode(outputs.tensors, threshold=threshold)


def test_overlapping_anchors_of_both_maps_are_blended_by_score(outputs: Outputs) -> None:
    centre = 2 * (16 * 4 + 4)  # cell (4, 4) of 16, whose centre is 36 px; cell (2, 2) of 8 has it at 40 px
    outputs.anchor(centre, 2.0, 16, box=(0, 0, 40, 40), keypoints=1.0, angles=(30, 0, 0))
    outputs.anchor(6 * (8 * 2 + 2), 1.0, 8, box=(0, 0, 48, 48), keypoints=5.0, angles=(10, 0, 0))
    (face,) = decode(outputs.tensors)
    a, b = probability(2.0), probability(1.0)
    assert face.score == pytest.approx(a)  # the best one's, not the mean
    middle, width = (36 * a + 40 * b) / (a + b) / 128, (40 * a + 48 * b) / (a + b) / 128
    assert face.box == pytest.approx((middle - width / 2, middle - width / 2, width, width))
    assert face.points == pytest.approx(np.full((6, 2), (37 * a + 45 * b) / (a + b) / 128))
    six = (a * rotation_from_angles([30, 0, 0])[:2] + b * rotation_from_angles([10, 0, 0])[:2]) / (a + b)
    first = six[0] / np.linalg.norm(six[0])
    assert face.rotation[0] == pytest.approx(first)
    assert face.rotation @ face.rotation.T == pytest.approx(np.eye(3))
    assert np.linalg.det(face.rotation) == pytest.approx(1)


@pytest.mark.parametrize(("best", "other"), [(4.0, 9.0), (9.0, 4.0), (4.0, 25.0)])
def test_errors_are_blended_as_logarithms(outputs: Outputs, best: float, other: float) -> None:
    """The geometric mean, weighted by score; anchors that do not survive or belong to another face have no say."""
    outputs.anchor(2 * (16 * 4 + 4), 2.0, 16, error=best)
    outputs.anchor(6 * (8 * 2 + 2), 1.0, 8, error=other)
    outputs.anchor(2 * (16 * 4 + 5), -1.0, 16, error=60.0)
    outputs.anchor(2 * (16 * 12 + 12), 1.5, 16, error=30.0)
    face, far = decode(outputs.tensors)
    a, b = probability(2.0), probability(1.0)
    assert face.err == pytest.approx(best ** (a / (a + b)) * other ** (b / (a + b)))
    assert far.err == pytest.approx(30.0)


def test_group_overlaps_the_best_anchor_not_one_another(outputs: Outputs) -> None:
    """A chain: the second overlaps the best, the third only the second."""
    for step, logit in enumerate((3.0, 2.0, 1.0)):
        outputs.anchor(2 * (16 * 8 + 4 + 2 * step), logit, box=(0, 0, 36, 36))
    faces = decode(outputs.tensors)
    assert [face.score for face in faces] == pytest.approx([probability(3.0), probability(1.0)])


def test_equal_scores_go_by_anchor_order(outputs: Outputs) -> None:
    for side, index in ((8, 0), (16, 200), (16, 60)):
        outputs.anchor(index, 2.0, side, box=(0, 0, 4, 4))
    centres = [(face.box[0] + face.box[2] / 2) * 128 for face in decode(outputs.tensors)]
    assert centres == pytest.approx([(30 % 16 + 0.5) * 8, (100 % 16 + 0.5) * 8, 8])


def test_at_most_max_faces_best_first(outputs: Outputs) -> None:
    for index, logit in enumerate((1.0, 5.0, 3.0, 2.0, 4.0)):
        outputs.anchor(100 * index, logit, box=(0, 0, 8, 8))
    scores = [face.score for face in decode(outputs.tensors, max_faces=3)]
    assert scores == pytest.approx([probability(logit) for logit in (5.0, 4.0, 3.0)])
    assert len(decode(outputs.tensors)) == 4


def test_an_empty_box_is_its_own_group(outputs: Outputs) -> None:
    outputs.anchor(10, 2.0, box=(0, 0, 0, 0))
    outputs.anchor(200, 1.0, box=(0, 0, -5, 20))
    assert len(decode(outputs.tensors)) == 2


def test_overlap_is_intersection_over_union() -> None:
    box: Floats = np.array([0.5, 0.5, 0.2, 0.2])
    boxes = box + np.array([[0, 0, 0, 0], [0.1, 0, 0, 0], [0.2, 0, 0, 0], [0, 0, 0.2, 0]])
    assert overlaps(box, boxes) == pytest.approx([1, 1 / 3, 0, 1 / 2])


def test_a_face_moves_into_a_region(outputs: Outputs) -> None:
    outputs.anchor(2 * (16 * 8 + 8), 2.0, box=(0, 0, 32, 32), keypoints=4.0, angles=(10, 20, 30), error=6.0)
    (face,) = decode(outputs.tensors)
    moved = face.moved(100, 50, 640, 320)
    centre = 8.5 / 16
    assert moved.box == pytest.approx((100 + (centre - 0.125) * 640, 50 + (centre - 0.125) * 320, 160, 80))
    assert moved.keypoints.mouth == pytest.approx([100 + (centre + 4 / 128) * 640, 50 + (centre + 4 / 128) * 320])
    assert geodesic_degrees(moved.rotation, face.rotation) == pytest.approx(0)
    assert (moved.score, moved.err) == (face.score, face.err)


def test_empty_anchors_cover_both_maps(outputs: Outputs) -> None:
    """Every anchor can be found: none of 896 is out of reach."""
    found = 0
    for side, grid in zip((16, 8), GRIDS, strict=True):
        for index in range(0, grid.count, 37):
            alone = Outputs()
            alone.anchor(index, 1.0, side)
            found += len(decode(alone.tensors))
    assert found == len(range(0, 512, 37)) + len(range(0, 384, 37))
