"""The search for small faces: tiles, a look of its own for each face, and no face twice."""

import cv2
import numpy as np
import pytest

from blazeposer.core.face import Face
from blazeposer.core.prepare import LARGEST_SQUARE, Image, square_at, square_pad
from blazeposer.faces.detector import Detector
from blazeposer.faces.search import OVERLAP, SEEN, Region, search, smallest_face, tiles

HEAD = slice(0, 300), slice(80, 380)  # of the portrait; its face is 90 pixels wide and high, and in the middle


def room(width: int, height: int) -> Image:
    """A wall without faces."""
    return np.full((height, width, 3), (180, 170, 160), np.uint8)


def seat(image: Image, portrait: Image, x: int, y: int, face: int) -> None:
    """Put a head into an image, its middle at x, y, whose face has `face` pixels."""
    side = round(300 * face / 90)
    left, top = x - side // 2, y - side // 2
    image[top : top + side, left : left + side] = cv2.resize(portrait[HEAD], (side, side), interpolation=cv2.INTER_AREA)


def places(faces: list[Face]) -> list[tuple[float, float]]:
    """Return the middles of the faces, from left to right."""
    return sorted((x + w / 2, y + h / 2) for x, y, w, h in (face.box for face in faces))


def test_five_people_in_a_row_are_five_faces(portrait: Image) -> None:
    image = room(1920, 1080)
    middles = [(200 + 380 * person, 500) for person in range(5)]
    for x, y in middles:
        seat(image, portrait, x, y, 90)
    assert Detector(fast=True)(image) == []
    np.testing.assert_allclose(places(Detector()(image)), middles, atol=40)


def test_a_face_of_a_quarter_of_the_height_of_a_phone_s_photo(portrait: Image) -> None:
    image = room(4000, 3000)
    seat(image, portrait, 2500, 1700, 750)
    best = Detector()(image)[0]
    assert places([best])[0] == pytest.approx((2500, 1700), abs=300)
    assert 600 < best.box[2] < 1000


def test_a_face_of_twenty_four_pixels_of_a_full_hd_image(portrait: Image) -> None:
    image = room(1920, 1080)
    seat(image, portrait, 1400, 700, 24)
    (face,) = Detector()(image)
    assert places([face])[0] == pytest.approx((1400, 700), abs=12)


def test_a_large_face_is_one_face(portrait: Image) -> None:
    assert len(Detector()(cv2.resize(portrait[HEAD], (900, 900)))) == 1


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (448, 300), (4000, 3000), (640, 480), (5000, 500)])
def test_every_face_is_whole_and_large_enough_in_a_look(size: tuple[int, int]) -> None:
    width, height = size
    longer = max(size)
    regions = [(-((longer - width) // 2), -((longer - height) // 2), longer), *tiles(*size)]
    rng = np.random.default_rng(0)
    for _ in range(300):
        face = float(np.exp(rng.uniform(np.log(smallest_face(*size)), np.log(min(size) / 2))))
        x, y = rng.uniform(0, width - face), rng.uniform(0, height - face)
        assert any(
            face >= 0.97 * SEEN * side and left <= x and top <= y and x + face <= left + side and y + face <= top + side
            for left, top, side in regions
        )


def test_small_and_narrow_images_have_no_tiles() -> None:
    assert list(tiles(30, 20)) == list(tiles(190, 190)) == list(tiles(200_000, 20)) == []
    assert 0 < OVERLAP < 1


def test_a_guess_that_its_own_look_is_not_sure_of_is_no_face() -> None:
    def looks(own: float) -> list[Face]:
        def look(region: Region | None, threshold: float) -> list[Face]:
            face = Face.of(
                (400, 300, 50, 50), own if region and region[2] == 125 else 0.45, np.zeros((6, 2)), np.eye(3), 5
            )
            return [face] if region and face.score >= threshold else []

        return search(look, 1920, 1080, 0.5)

    assert looks(0.65) == []
    assert [face.score for face in looks(0.75)] == [0.75]


def test_squares_are_black_outside_of_the_image() -> None:
    image = np.full((20, 30, 3), 200, np.uint8)
    inside = square_at(image, 5, 5, 10)
    assert np.shares_memory(inside, image)
    corner = square_at(image, -5, 15, 10)
    assert corner.shape == (10, 10, 3)
    assert (corner[:5, 5:] == 200).all()
    assert not corner[:, :5].any()
    assert not corner[5:].any()


@pytest.mark.parametrize("size", [(200_000, 20), (20, 65_000), (65_000, 400)])
def test_images_much_wider_than_high_take_little_memory(size: tuple[int, int]) -> None:
    width, height = size
    padded, (x, y, side) = square_pad(np.full((height, width, 3), 200, np.uint8))
    assert padded.shape == (LARGEST_SQUARE, LARGEST_SQUARE, 3)
    assert side == max(size)
    assert max(x, y) == 0
    assert padded.any(axis=(1, 2)).sum() == max(1, round(LARGEST_SQUARE * height / side))
    assert padded.any(axis=(0, 2)).sum() == max(1, round(LARGEST_SQUARE * width / side))
