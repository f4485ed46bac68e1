"""`blazeposer.faces`: who is who, steady numbers, where to look, where a head is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import Floats, angles_from_rotation, geodesic_degrees, rotation_from_angles
from blazeposer.faces.detector import Detector
from blazeposer.faces.looks import mirrored
from blazeposer.faces.position import HEAD, position, to_camera
from blazeposer.faces.search import Region
from blazeposer.faces.tracker import PATIENCE, CloserLook, Tracker, board_module

FRAME = 1 / 30
GUESS, EVERY = board_module("tracking").GUESS, board_module("tracking").EVERY


def face(
    x: float = 100, y: float = 100, side: float = 40, score: float = 0.9, angles: Sequence[float] = (0, 0, 0)
) -> Face:
    """A face whose middle is at x, y."""
    points = np.array([x, y]) + np.linspace(-side / 3, side / 3, 12).reshape(6, 2)
    box = (x - side / 2, y - side / 2, side, side)
    return Face.of(box, score, points, rotation_from_angles(angles), 4.0)


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


# The closer look.


class Recorder:
    """A detector that writes down where it looks."""

    threshold = 0.5
    order = "rgb"

    def __init__(self, faces: list[list[Face]]) -> None:
        self._faces = faces
        self.regions: list[Region | None] = []
        self.mirrors: list[bool] = []

    def look(self, image: Image, region: Region | None, threshold: float, *, mirror: bool) -> list[Face]:
        assert threshold == GUESS
        self.regions.append(region)
        self.mirrors.append(mirror)
        return self._faces[min(len(self.regions), len(self._faces)) - 1]


def looks(faces: list[list[Face]], count: int) -> tuple[list[Region | None], list[int]]:
    """Return the regions of a closer look and the numbers of reported faces, for detections one after the other."""
    detector = Recorder(faces)
    look = CloserLook(detector)  # type: ignore[arg-type]
    found = [len(look(np.zeros((240, 320, 3), np.uint8))) for _ in range(count)]
    return detector.regions, found


def test_a_known_face_is_looked_at_in_a_square_and_the_whole_again_every_few_pictures() -> None:
    regions, found = looks([[face()]], 2 * EVERY + 4)
    whole = [index for index, region in enumerate(regions) if region is None]
    assert whole == [0, EVERY + 1, 2 * EVERY + 2]
    assert regions[1] == (50, 50, 100)
    assert found == [1] * len(regions)


def test_every_second_look_at_a_known_face_is_at_the_mirror_image() -> None:
    detector = Recorder([[], [face()], [face()], [face()], [face()], [], [], [face()]])
    look = CloserLook(detector, mirror=True)  # type: ignore[arg-type]
    for _ in range(8):
        look(np.zeros((240, 320, 3), np.uint8))
    # known from the second look on, lost at the sixth: then the whole image, and the place where the face was
    assert detector.mirrors == [False, False, True, False, True, False, False, False]


def test_a_face_in_the_mirror_is_the_same_on_board_and_pc() -> None:
    there, board = mirrored(face(angles=(20, 10, -5)), 320), board_module("tracking")
    seen = board.mirrored(board_module("blazeposer").Face(*as_on_board(face(angles=(20, 10, -5)))), 320)
    assert seen.box == pytest.approx(there.box)
    assert np.array(seen.keypoints) == pytest.approx(there.points)
    assert seen.angles == pytest.approx(there.angles)
    assert board.mirrored_region((10, 20, 100, 90), 320) == (210, 20, 100, 90)


def test_a_look_at_the_mirror_image_answers_for_the_image(portrait: Image) -> None:
    detector = Detector(runtime="xnnpack")
    (plain,), (other,) = (detector.look(portrait, None, 0.5, mirror=mirror) for mirror in (False, True))
    assert other.box == pytest.approx(plain.box, abs=25)
    assert other.points == pytest.approx(plain.points, abs=15)
    assert other.angles == pytest.approx(plain.angles, abs=8)
    assert other.angles != plain.angles
    (flipped,) = detector.look(np.ascontiguousarray(portrait[:, ::-1]), None, 0.5)
    assert mirrored(flipped, portrait.shape[1]).angles == pytest.approx(other.angles, abs=1e-6)


def as_on_board(one: Face) -> tuple[object, ...]:
    """The values of the board's Face."""
    return one.box, one.score, list(one.keypoints), one.angles, one.err


def test_the_square_stays_in_the_picture_and_holds_all_faces() -> None:
    regions, _ = looks([[face(10, 8), face(70, 30)]], 2)
    assert regions[1] is not None
    x, y, side = regions[1]
    assert (x, y) == (0, 0)
    assert side >= 60 + 2 * 20
    regions, _ = looks([[face(310, 235)]], 2)
    assert regions[1] == (220, 140, 100)


def test_a_near_face_is_seen_in_the_whole_picture() -> None:
    assert looks([[face(side=100)]], 3)[0] == [None] * 3


@pytest.mark.parametrize("then", [[], [face(), face(130, side=30)]])
def test_a_face_that_is_lost_or_new_brings_the_whole_picture(then: list[Face]) -> None:
    regions, _ = looks([[face()], [face()], then, then], 4)
    assert [region is None for region in regions] == [True, False, False, True]


def test_what_the_whole_picture_misses_is_looked_for_once_more() -> None:
    one = [face()]
    regions, _ = looks([one] * (EVERY + 1) + [[], one, one], EVERY + 4)
    assert [region is None for region in regions[-4:]] == [False, True, False, False]
    regions, _ = looks([one] * (EVERY + 1) + [[]], EVERY + 5)
    assert [region is None for region in regions[-4:]] == [True, False, True, True]


def test_a_guess_is_looked_at_and_counts_only_if_it_is_a_face() -> None:
    guess = [face(score=0.2), face(200, score=0.15)]
    regions, found = looks([guess], 4)
    assert regions == [None, (50, 50, 100), None, (50, 50, 100)]
    assert found == [0] * 4
    regions, found = looks([guess, [face(score=0.8)]], 3)
    assert regions == [None, (50, 50, 100), (50, 50, 100)]
    assert found == [0, 1, 1]


def test_a_known_face_counts_at_a_lower_score_than_a_new_one() -> None:
    weak = face(score=0.4)
    assert looks([[face()], [weak, face(130, score=0.4)]], 4)[1] == [1] * 4
    assert looks([[weak]], 2)[1] == [0, 0]


def test_a_small_face_is_surer_when_it_is_looked_at_closely(portrait: Image, model_path: Path) -> None:
    picture = np.full((480, 480, 3), 120, np.uint8)
    picture[200:456, 20:276] = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
    detector = Detector(model_path, "xnnpack", "camera")
    (whole, *_) = detector.look(picture, None, GUESS)
    look = CloserLook(detector)
    look(picture)
    (close,) = look(picture)
    assert close.score > whole.score
    assert close.err < whole.err
    (large,) = detector(portrait)
    assert close.points == pytest.approx(large.points / 2 + (20, 200), abs=4)


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
    found = position(seen(at, angles, size, fov), size[0], fov, size[1])
    assert found == pytest.approx(at, rel=0.02, abs=0.5)


def test_a_wider_lens_brings_a_head_nearer() -> None:
    there = seen((0.0, 0.0, 80.0), (0, 0, 0), (240, 240), 55.0)
    assert position(there, 240, 70.0)[2] < position(there, 240)[2] < position(there, 240, 40.0)[2]


def test_a_face_beside_the_axis_that_looks_into_the_camera_is_turned_to_the_axis() -> None:
    """45 degrees to the right it faces the image's left: positive yaw. At the top it looks down: negative pitch."""
    at_right = face(480, 240, side=1)
    assert to_camera(at_right, 480, 90).angles == pytest.approx((45, 0, 0), abs=0.1)
    assert to_camera(face(240, 0, side=1), 480, 90).angles == pytest.approx((0, -45, 0), abs=0.1)
    assert to_camera(face(240, 240, side=1), 480, 90).angles == pytest.approx((0, 0, 0), abs=0.1)
    assert to_camera(at_right, 480, 90).keypoints is at_right.keypoints
