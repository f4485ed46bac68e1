"""The demo's head really turns by the angles that the demo claims to know."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from blazeposer.core.rotation import angles_from_rotation
from blazeposer.scene.portrait import FACE_POINTS, Portrait, load_portrait, rasterize
from blazeposer.scene.sequence import PITCH, ROLL, SIDE, YAW, frames

NOSE, FOREHEAD, BROWS, BELOW_LIP, CHIN, RIGHT_EYE, LEFT_EYE = 1, 10, 9, 18, 152, 33, 263  # of MediaPipe's face mesh
TURNS = [(0.0, 0.0, 0.0), (YAW, 0.0, 0.0), (-YAW, 0.0, 0.0), (0.0, PITCH, 0.0), (0.0, 0.0, ROLL), (20.0, -15.0, -25.0)]


@pytest.fixture(scope="module")
def head() -> Portrait:
    return load_portrait()


def test_portrait_shows_itself_at_its_own_rotation(head: Portrait) -> None:
    placed = head.turned(angles_from_rotation(head.rotation))
    assert np.abs(placed[:FACE_POINTS, :2] - head.texture[:FACE_POINTS]).max() < 0.01


def offset(head: Portrait, angles: tuple[float, float, float]) -> NDArray[np.float64]:
    """Tip of the nose from the middle of the eyes: pixels to the right and down."""
    mesh = head.turned(angles)
    return np.asarray((mesh[NOSE] - (mesh[RIGHT_EYE] + mesh[LEFT_EYE]) / 2)[:2])


@pytest.mark.parametrize(("turn", "axis", "sign"), [((20, 0, 0), 0, -1), ((0, 20, 0), 1, -1)])
def test_nose_moves_left_with_yaw_and_up_with_pitch(
    head: Portrait, turn: tuple[float, float, float], axis: int, sign: int
) -> None:
    straight, turned = offset(head, (0, 0, 0)), offset(head, turn)
    back = offset(head, (-turn[0], -turn[1], 0))
    assert sign * (turned - straight)[axis] > 5
    assert sign * (back - straight)[axis] < -5


def test_roll_turns_clockwise_by_its_angle(head: Portrait) -> None:
    straight, turned = (head.turned((0, 0, roll)) for roll in (0, 25))
    directions = [mesh[FOREHEAD, :2] - mesh[CHIN, :2] for mesh in (straight, turned)]
    angles = [np.degrees(np.arctan2(x, -y)) for x, y in directions]  # clockwise from straight up
    assert angles[1] - angles[0] == pytest.approx(25, abs=0.01)


@pytest.mark.parametrize("angles", TURNS)
def test_drawn_pixels_are_where_the_mesh_is(head: Portrait, angles: tuple[float, float, float]) -> None:
    """Dots painted between the portrait's brows and below its lip are drawn where the turned mesh has them."""
    for point in (BROWS, BELOW_LIP):
        picture = np.zeros_like(head.picture)
        x, y = head.texture[point]
        cv2.circle(picture, (round(float(x)), round(float(y))), 2, (255, 0, 0), cv2.FILLED)
        scene = np.zeros((SIDE, SIDE, 3), np.uint8)
        dotted = replace(head, picture=picture, body=np.zeros_like(head.body))
        dotted.paste(scene, angles, 2.0, (240.0, 220.0))
        weights = scene[..., 0].astype(float)
        rows, columns = np.indices(weights.shape)
        drawn = [(columns * weights).sum() / weights.sum(), (rows * weights).sum() / weights.sum()]
        expected = head.placed(angles, 2.0, (240.0, 220.0))[point, :2]
        assert drawn == pytest.approx(expected.tolist(), abs=1.5)


def test_nearer_triangle_hides_the_farther_whatever_their_order() -> None:
    square = [[2.0, 2.0], [30.0, 2.0], [30.0, 30.0]]
    mesh = np.array([[*corner, z] for z in (5.0, 1.0) for corner in square])
    values = np.repeat(np.array([[7.0, 0.0], [9.0, 0.0]], np.float32), 3, axis=0)
    triangles = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    for order in (triangles, triangles[::-1].copy()):
        shown, seen = rasterize(mesh, values, order, (32, 32))
        assert seen[10, 20]
        assert not seen[20, 10]
        assert shown[10, 20, 0] == pytest.approx(7)


def test_triangle_that_looks_away_is_not_drawn() -> None:
    mesh = np.array([[2.0, 2.0, 0.0], [30.0, 2.0, 0.0], [30.0, 30.0, 0.0]])
    _, seen = rasterize(mesh, np.zeros((3, 2), np.float32), np.array([[0, 2, 1]], np.int32), (32, 32))
    assert not seen.any()


def test_mesh_is_closed_but_for_the_back(head: Portrait) -> None:
    """No pixel inside the head is a hole at any turn of the sequence."""
    for angles in TURNS:
        mesh = head.turned(angles)
        mesh[:, :2] -= mesh[:, :2].min(0)
        width, height = np.ceil(np.ptp(mesh[:, :2], axis=0)).astype(int) + 1
        _, seen = rasterize(mesh, head.texture, head.triangles, (int(width), int(height)))
        outlines, _ = cv2.findContours(seen.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        filled = cv2.drawContours(np.zeros(seen.shape, np.uint8), outlines, -1, 1, cv2.FILLED) > 0
        assert len(outlines) == 1
        assert (filled & ~seen).mean() < 0.001


def test_sequence_covers_the_angles_and_is_the_same_every_time() -> None:
    single = np.array([frame.people[0].angles for frame in frames() if len(frame.people) == 1])
    limits = np.array([YAW, PITCH, ROLL])
    assert np.abs(single.max(0) - limits).max() < 1
    assert np.abs(single.min(0) + limits).max() < 1
    assert np.abs(np.diff(single, axis=0)).max() < 20  # it is one smooth movement
    assert {len(frame.people) for frame in frames()} == {0, 1, 2, 3, 4}
    picture = frames()[-2].picture
    frames.cache_clear()
    assert np.array_equal(frames()[-2].picture, picture)
