"""Test the drawing on images."""

import numpy as np
import pytest

from blazeposer.core.draw import AXES, AXIS_LENGTH, KEYPOINT, OUTLINE, draw
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import rotation_from_angles

NOSE = (200.0, 220.0)
WIDTH = 120.0
X, Y, Z = AXES


def face(yaw: float = 0, pitch: float = 0, roll: float = 0, at: tuple[float, float] = NOSE, err: float = 5) -> Face:
    offsets = np.array([[-25, -20], [25, -20], [0, 0], [0, 25], [-55, -10], [55, -10]], float)
    return Face.of(
        box=(at[0] - WIDTH / 2, at[1] - WIDTH / 2, WIDTH, WIDTH),
        score=0.9,
        points=offsets + at,
        rotation=rotation_from_angles([yaw, pitch, roll]),
        err=err,
    )


@pytest.fixture
def canvas() -> Image:
    return np.full((400, 400, 3), 128, np.uint8)


def tip(image: Image, color: tuple[int, int, int]) -> tuple[float, float]:
    """Return an axis's direction: the mean direction of its pixels from the nose, as fractions of the axis's length."""
    rows, columns = np.nonzero((image == color).all(-1))
    offsets = np.stack([columns - NOSE[0], rows - NOSE[1]], axis=1)
    far = offsets[np.argsort(np.linalg.norm(offsets, axis=1))[-5:]].mean(0) / (WIDTH * AXIS_LENGTH)
    return float(far[0]), float(far[1])


def test_the_axes_of_a_frontal_face(canvas: Image) -> None:
    drawn = draw(canvas, [face()])
    assert tip(drawn, X) == pytest.approx((1, 0), abs=0.1)
    assert tip(drawn, Y) == pytest.approx((0, -1), abs=0.1)


@pytest.mark.parametrize(
    ("angles", "direction"),
    [((60, 0, 0), (-1, 0)), ((-60, 0, 0), (1, 0)), ((0, 60, 0), (0, -1)), ((0, -60, 0), (0, 1))],
)
def test_blue_is_where_the_face_looks(
    canvas: Image, angles: tuple[float, float, float], direction: tuple[float, float]
) -> None:
    """Positive yaw: to the image's left. Positive pitch: up."""
    blue = tip(draw(canvas, [face(*angles)]), Z)
    assert blue == pytest.approx(np.array(direction) * np.sin(np.radians(60)), abs=0.1)


def test_roll_turns_clockwise(canvas: Image) -> None:
    drawn = draw(canvas, [face(roll=30)])
    assert tip(drawn, X) == pytest.approx((np.cos(np.radians(30)), np.sin(np.radians(30))), abs=0.1)
    assert tip(drawn, Y) == pytest.approx((np.sin(np.radians(30)), -np.cos(np.radians(30))), abs=0.1)


def test_the_given_picture_stays_as_it_is(canvas: Image) -> None:
    before = canvas.copy()
    assert (draw(canvas, [face()]) != before).any()
    assert np.array_equal(canvas, before)
    assert np.array_equal(draw(canvas, []), before)


@pytest.mark.parametrize("background", [0, 128, 255])
def test_text_stands_out_from_any_background(background: int) -> None:
    """White letters with a black rim: both are there above the box."""
    drawn = draw(np.full((400, 400, 3), background, np.uint8), [face(12, -3, 5)])
    above = drawn[int(NOSE[1] - WIDTH / 2) - 40 : int(NOSE[1] - WIDTH / 2) - 5]
    assert (above == KEYPOINT).all(-1).sum() > 40
    assert (above == OUTLINE).all(-1).sum() > 40


@pytest.mark.parametrize("at", [(0.0, 0.0), (400.0, 400.0), (-300.0, 200.0), (200.0, 30.0)])
def test_text_of_a_face_at_the_edge_is_inside_the_picture(canvas: Image, at: tuple[float, float]) -> None:
    drawn = draw(canvas, [face(12, -3, 5, at, err=4.2)])
    assert (drawn == KEYPOINT).all(-1).sum() > 40
    same, other = (draw(canvas, [face(12, -3, 5, at, error)]) for error in (4.21, 4.3))
    assert np.array_equal(same, drawn)
    assert (other != drawn).any()


def test_a_small_or_strided_picture_can_be_drawn_on(canvas: Image) -> None:
    small = face(at=(30, 30)).moved(0, 0, 0.3, 0.3)
    assert draw(canvas[:96, :64], [small]).shape == (96, 64, 3)
    assert draw(canvas[::2, ::-2], [small]).shape == (200, 200, 3)
