"""`blazeposer.faces`: who is who, steady numbers, where a head is."""

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from blazeposer.core.face import Face
from blazeposer.core.rotation import Floats, angles_from_rotation, geodesic_degrees, rotation_from_angles
from blazeposer.faces.position import HEAD, position, to_camera
from blazeposer.faces.tracker import PATIENCE, Tracker, board_module
from made_faces import face

FRAME = 1 / 30


# The filter.


def steadied(angles: Sequence[Sequence[float]], seconds: float = FRAME) -> Floats:
    """Return the rotations (n, 3, 3) that a tracker makes of a face that turns so."""
    tracker = Tracker()
    faces = [tracker.update([face(angles=turn)], number * seconds)[0] for number, turn in enumerate(angles)]
    assert {found.id for found in faces} == {1}
    return np.array([found.rotation for found in faces])


def test_a_filter_at_rest_is_a_low_pass_of_its_cutoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a step of a value that stands still, 1 - exp(-2 pi cutoff t) of it is there (a low-pass of first order)."""
    filters = board_module("one_euro")
    monkeypatch.setattr(filters, "POSITION", (1.0, 0.0, 1.0))
    steady_face = filters.SteadyFace(face(100))
    for _ in range(1000):
        found = steady_face.update(face(101), 0.0002)
    assert found.box[0] - face(100).box[0] == pytest.approx(1 - math.exp(-2 * math.pi * 0.2), abs=1e-3)


def test_speed_raises_the_cutoff(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = [(2.0 * number, 0.0, 0.0) for number in range(30)]
    late = []
    for slope in (0, 0.1):
        monkeypatch.setattr(board_module("one_euro"), "ROTATION", (0.4, slope, 1.0))
        late.append(float(geodesic_degrees(steadied(turns)[-1], rotation_from_angles(turns[-1]))))
    assert late[1] < late[0] / 3


@pytest.mark.parametrize("angles", [(30, 20, 170), (-85, 40, -20), (0, 90, 0)])
def test_a_rotation_is_filtered_where_it_lives(angles: tuple[float, float, float]) -> None:
    """Seen by a camera that is turned, the filtered rotation is turned just so: filtered angles would not be."""
    rng = np.random.default_rng(0)
    turns = np.array([np.array([9, 2, 5]) * number + rng.normal(0, 3, 3) for number in range(20)])
    camera = rotation_from_angles(angles)
    plain = steadied(turns.tolist())
    turned = steadied(angles_from_rotation(camera @ rotation_from_angles(turns)).tolist())
    assert geodesic_degrees(plain[-1], rotation_from_angles(turns[-1])) > 5
    np.testing.assert_allclose(turned, camera @ plain, atol=1e-6)


def test_half_turns_do_not_jump() -> None:
    """Roll from 170 over 180 to -170 goes on, and never through 0."""
    rotations = steadied([(0, 0, (roll + 180) % 360 - 180) for roll in np.arange(170, 190, 0.5)])
    assert (geodesic_degrees(rotations, np.tile(rotation_from_angles([0, 0, 180]), (40, 1, 1))) < 11).all()


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_a_picture_of_the_same_or_an_earlier_time_changes_nothing(seconds: float) -> None:
    rotations = steadied([(0, 0, 0), (30, 0, 0)], seconds)
    np.testing.assert_allclose(rotations[1], np.eye(3), atol=1e-12)


def test_jitter_falls_threefold_at_a_lag_of_a_tenth_of_a_second() -> None:
    """A head at rest is read with errors of 1.5 degrees; then it nods by 15 degrees once a second."""
    noise = np.random.default_rng(4).normal(0, 1.5, (90, 3))
    at_rest = geodesic_degrees(np.array([steadied(noise.tolist())[15:], rotation_from_angles(noise)[15:]]), np.eye(3))
    assert np.square(at_rest[0]).mean() < np.square(at_rest[1]).mean() / 9
    time = np.arange(90) * FRAME
    nod = angles_from_rotation(steadied([(0, 15 * np.sin(2 * np.pi * t), 0) for t in time]))[:, 1]
    waves = np.column_stack([np.sin(2 * np.pi * time), -np.cos(2 * np.pi * time), np.ones(90)])
    a, b, _ = np.linalg.lstsq(waves[15:], nod[15:])[0]
    assert 0 < math.atan2(b, a) / (2 * math.pi) < 0.1
    assert math.hypot(a, b) > 0.85 * 15


# Tracks.


def test_ids_stay_with_their_faces_whatever_the_order() -> None:
    tracker = Tracker()
    for number in range(20):
        left, right = face(60 + 3 * number), face(260 - 3 * number, y=150)
        pair = [left, right] if number % 3 else [right, left]
        followed = tracker.update(pair, number * FRAME)
        assert [found.id for found in followed] == ([2, 1] if number % 3 else [1, 2])
        assert [found.box[0] < 160 for found in followed] == [seen.box[0] < 160 for seen in pair]


def test_a_lost_face_keeps_its_id_for_a_while() -> None:
    tracker = Tracker()
    tracker.update([face()], 0)
    assert tracker.update([], PATIENCE / 2) == []
    (back,) = tracker.update([face(104)], 0.9 * PATIENCE)
    assert back.id == 1
    assert tracker.update([], 1.95 * PATIENCE) == []
    assert tracker.update([face()], 2 * PATIENCE)[0].id == 2


def test_of_many_lost_faces_the_latest_are_remembered() -> None:
    """Faces that flicker everywhere would fill a camera's heap."""
    tracker = Tracker()
    faces = [face(30.0 * n, side=20) for n in range(12)]
    ids = [tracker.update([seen], t / 1000)[0].id for t, seen in enumerate([*faces, faces[-3], faces[2]])]
    assert ids == [*range(1, 13), 10, 13]


def test_a_camera_of_a_picture_a_second_keeps_ids() -> None:
    tracker = Tracker()
    assert [tracker.update([face(100 + 3 * n)], 1.2 * n)[0].id for n in range(4)] == [1] * 4


def test_a_gap_without_pictures_ends_a_track() -> None:
    tracker = Tracker()
    tracker.update([face()], 0)
    assert [found.id for found in tracker.update([face()], 10)] == [2]


def test_time_that_starts_over_is_followed() -> None:
    tracker = Tracker()
    tracker.update([face()], 1000)
    for number in range(60):
        (found,) = tracker.update([face(110)], number * FRAME)
    assert found.id == 1
    assert found.box[0] == pytest.approx(face(110).box[0], abs=1)


def test_a_newcomer_gets_a_new_id_and_no_one_elses_past() -> None:
    tracker = Tracker()
    tracker.update([face(angles=(40, 0, 0))], 0)
    first, second = tracker.update([face(), face(300, angles=(-20, 0, 0))], FRAME)
    assert (first.id, second.id) == (1, 2)
    assert second.angles == pytest.approx((-20, 0, 0))
    assert first.yaw > 10


def test_smoothing_is_off_by_one_option() -> None:
    for smooth in (True, False):
        tracker = Tracker(smooth)
        tracker.update([face()], 0)
        moved = face(104, score=0.7, angles=(8, 0, 0))
        (found,) = tracker.update([moved], FRAME)
        assert (found.score, found.err) == (0.7, moved.err)
        if smooth:
            assert 0 < found.yaw < 4
            assert 80 < found.box[0] < 82
            assert (found.points[:, 0] < moved.points[:, 0]).all()
        else:
            assert found == replace(moved, id=1)


# Position.


def seen(at: tuple[float, float, float], angles: tuple[float, float, float], size: tuple[int, int], fov: float) -> Face:
    """A head x to the right, y up, z away from a pinhole camera, centimetres, turned to the line of sight."""
    x, y, z = at
    back = np.array([-x, -y, z]) / np.linalg.norm(at)
    axis = np.cross([0, 0, 1], back)
    from_axis = cv2.Rodrigues(axis / max(float(np.linalg.norm(axis)), 1e-9) * math.acos(back[2]))[0]
    points = HEAD @ (from_axis @ rotation_from_angles(angles)).T + (x, y, -z)
    focal = size[0] / 2 / math.tan(math.radians(fov) / 2)
    pixels = focal * points[:, :2] / -points[:, 2:] * (1, -1) + np.array(size) / 2
    return Face.of((0, 0, 1, 1), 0.9, pixels, rotation_from_angles(angles), 4.0)


@pytest.mark.parametrize("at", [(0.0, 0.0, 60.0), (15.0, -10.0, 60.0), (-30.0, 25.0, 110.0)])
@pytest.mark.parametrize("angles", [(0, 0, 0), (30, -10, 5)])
@pytest.mark.parametrize(("size", "fov"), [((240, 240), 55.0), ((640, 480), 70.0)])
def test_position_of_a_pinhole_s_picture(
    at: tuple[float, float, float], angles: tuple[float, float, float], size: tuple[int, int], fov: float
) -> None:
    found = position(seen(at, angles, size, fov), size, fov)
    assert found == pytest.approx(at, rel=0.02, abs=0.5)


def test_a_wider_lens_brings_a_head_nearer() -> None:
    there = seen((0.0, 0.0, 80.0), (0, 0, 0), (240, 240), 55.0)
    near, middle, far = (position(there, (240, 240), fov)[2] for fov in (70.0, 55.0, 40.0))
    assert near < middle < far


def test_a_face_beside_the_axis_that_looks_into_the_camera_is_turned_to_the_axis() -> None:
    """45 degrees to the right it faces the image's left: positive yaw. At the top it looks down: negative pitch."""
    at_right = face(480, 240, side=1)
    assert to_camera(at_right, (480, 480), 90).angles == pytest.approx((45, 0, 0), abs=0.1)
    assert to_camera(face(240, 0, side=1), (480, 480), 90).angles == pytest.approx((0, -45, 0), abs=0.1)
    assert to_camera(face(240, 240, side=1), (480, 480), 90).angles == pytest.approx((0, 0, 0), abs=0.1)
    assert to_camera(at_right, (480, 480), 90).keypoints is at_right.keypoints
