"""The one angle convention: signs as they are seen, the formulas of 300W-LP, mirroring and turning of images."""

import numpy as np
import pytest

from blazeposer.core.rotation import (
    angles_from_rotation,
    geodesic_degrees,
    mirror_rotation,
    rotation_from_angles,
    rotation_from_six,
    turn_rotation,
)


def random_angles(count: int, yaw: float = 89) -> np.ndarray:
    return np.random.default_rng(1).uniform([-yaw, -80, -80], [yaw, 80, 80], (count, 3))


def test_formula_is_that_of_300w_lp() -> None:
    yaw, pitch, roll = np.radians([30.0, -20.0, 10.0])

    def turn(angle: float, axis: str) -> np.ndarray:
        c, s = np.cos(angle), np.sin(angle)
        matrix = {"x": [[1, 0, 0], [0, c, s], [0, -s, c]], "y": [[c, 0, -s], [0, 1, 0], [s, 0, c]]}
        return np.array(matrix.get(axis, [[c, s, 0], [-s, c, 0], [0, 0, 1]]))

    expected = turn(pitch, "x") @ turn(yaw, "y") @ turn(roll, "z")
    np.testing.assert_allclose(rotation_from_angles([30, -20, 10]), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("angles", "axis", "direction"),
    [
        ((40, 0, 0), 2, (-1, 0)),  # positive yaw: the nose points to the image's left
        ((0, 40, 0), 2, (0, 1)),  # positive pitch: the nose points up
        ((0, 0, 40), 1, (1, 0)),  # positive roll: the top of the head goes to the image's right, clockwise
    ],
)
def test_signs_as_seen(angles: tuple[float, ...], axis: int, direction: tuple[int, int]) -> None:
    shown = rotation_from_angles(angles)[:2, axis]
    assert np.dot(shown, direction) > 0.6


def test_angles_come_back_from_rotations() -> None:
    angles = random_angles(1000)
    np.testing.assert_allclose(angles_from_rotation(rotation_from_angles(angles)), angles, atol=1e-9)


def test_beyond_ninety_degrees_the_smaller_pitch_and_roll_win() -> None:
    beyond = np.array([[96.0, 5, -8], [-97, -12, 3]])
    np.testing.assert_allclose(angles_from_rotation(rotation_from_angles(beyond)), beyond, atol=1e-9)


def test_mirroring_negates_yaw_and_roll() -> None:
    angles = random_angles(100)
    mirrored = angles_from_rotation(mirror_rotation(rotation_from_angles(angles)))
    np.testing.assert_allclose(mirrored, angles * (-1, 1, -1), atol=1e-9)


def test_turning_the_picture_adds_to_the_roll_of_a_frontal_face() -> None:
    turned = angles_from_rotation(turn_rotation(rotation_from_angles([0, 0, 10]), 25))
    np.testing.assert_allclose(turned, [0, 0, 35], atol=1e-9)


def test_six_values_give_the_rotation_whatever_their_length() -> None:
    rotations = rotation_from_angles(random_angles(50))
    six = rotations[:, :2].reshape(-1, 6) * np.repeat([0.8, 1.3], 3)
    np.testing.assert_allclose(rotation_from_six(six), rotations, atol=1e-9)
    skewed = rotation_from_six(np.random.default_rng(2).normal(size=(50, 6)))
    np.testing.assert_allclose(skewed @ skewed.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (50, 3, 3)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(skewed), 1, atol=1e-9)


def test_geodesic_distance_is_the_angle_between() -> None:
    angles = random_angles(20)
    first = rotation_from_angles(angles)
    np.testing.assert_allclose(geodesic_degrees(first, turn_rotation(first, 33)), 33, atol=1e-6)
    np.testing.assert_allclose(geodesic_degrees(first, first), 0, atol=1e-5)
