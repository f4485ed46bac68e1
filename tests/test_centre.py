"""The zero of poses, and the one head that opentrack and avatars get."""

import struct
from pathlib import Path

import numpy as np
import pytest

from blazeposer.core.rotation import Floats, angles_from_rotation, geodesic_degrees, rotation_from_angles
from blazeposer.live.centre import BACK, DRIFT, HOLD, Centre
from blazeposer.live.links import Arrival
from blazeposer.live.recording import Recording, read
from blazeposer.live.session import Follower, Moment, run
from blazeposer.live.to.opentrack import packet
from blazeposer.stream.record import Counts
from live import FOV, Keeper, ListLink, record, seen_face

Angles = tuple[float, float, float]


class Clock:
    """Shows the seconds that a test gives it."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Session:
    """Moments at times of one's choice."""

    def __init__(self, deadzone: float = 0.0) -> None:
        self.clock = Clock()
        self.centre = Centre(deadzone, self.clock)
        self._follow = Follower(smooth=False, fov=FOV)
        self._seq = 0

    def see(self, *angles: Angles, place: tuple[float, float, float] = (0.0, 0.0, 60.0), after: float = 0.04) -> Moment:
        """Let somebody be seen; nobody without angles."""
        self.clock.now += after
        self._seq += 1
        faces = [seen_face(each, place) for each in angles]
        return self.centre(self._follow(Moment("", "", Counts()), Arrival(record(self._seq, *faces), self.clock.now)))

    def wait(self, seconds: float) -> Moment:
        """Let nothing come."""
        self.clock.now += seconds
        return self.centre(Moment("", "", Counts()))


def turn_of(moment: Moment) -> Floats:
    assert moment.head
    return np.array(angles_from_rotation(moment.head.rotation))


def test_without_a_zero_poses_are_those_to_the_camera() -> None:
    moment = Session().see((20, -10, 5), place=(10, 5, 50))
    assert moment.shown == moment.faces
    assert moment.head
    (face,) = moment.faces
    np.testing.assert_allclose(moment.head.rotation, face.rotation)
    np.testing.assert_allclose(moment.head.to_axis, moment.to_axis(face).rotation)
    assert moment.head.position.tolist() == pytest.approx(face.position)


def test_the_present_pose_becomes_the_zero() -> None:
    """A camera stands at the side; after recentring, a nod turns about the person's own ears."""
    session = Session()
    side = rotation_from_angles((30, 0, 0))
    session.see((30, 0, 0), place=(5, 0, 60))
    session.centre.recentre()
    here = session.see((30, 0, 0), place=(5, 0, 60))
    assert here.recentred
    assert here.shown[0].angles == pytest.approx((0, 0, 0), abs=1e-6)
    assert here.faces[0].yaw == pytest.approx(30, abs=0.1)
    assert here.head
    assert struct.unpack("<6d", packet(here.head.position, here.head.to_axis)) == pytest.approx([0.0] * 6, abs=1e-9)
    nod = angles_from_rotation(side @ rotation_from_angles((0, 15, 0)))
    nodding = session.see((nod[0], nod[1], nod[2]), place=(5, 0, 60))
    assert not nodding.recentred
    assert turn_of(nodding) == pytest.approx((0, 15, 0), abs=0.1)
    assert nodding.shown[0].angles == pytest.approx((0, 15, 0), abs=0.1)


def test_a_zero_waits_for_a_face() -> None:
    session = Session()
    session.centre.recentre()
    assert not session.see().recentred
    assert session.see((10, 0, 0)).recentred


def test_a_lost_head_drifts_to_rest_and_comes_back() -> None:
    session = Session()
    session.see((30, 0, 0))
    assert turn_of(session.wait(HOLD / 2))[0] == pytest.approx(30, abs=0.1)
    turns = []
    for _ in range(30):
        moment = session.wait(0.1)
        turns.append(turn_of(moment)[0] if moment.head else 0.0)
    assert max(np.diff(turns)) <= 0
    assert min(np.diff(turns)) > -0.2 * 30 / DRIFT  # slowly
    assert turns[-1] < 0.15 * 30
    for _ in range(100):
        moment = session.wait(0.1)
    assert moment.head is None  # at rest: nothing more to say
    back = [turn_of(session.see((30, 0, 0)))[0] for _ in range(40)]
    assert back[0] < 10
    assert back[-1] == pytest.approx(30, abs=0.5)
    assert 5 * BACK < 40 * 0.04


def test_a_dead_zone_takes_small_turns_away() -> None:
    session = Session(deadzone=4)
    assert turn_of(session.see((3, 1, 0))) == pytest.approx((0, 0, 0), abs=1e-6)
    moment = session.see((20, 0, 0))
    assert turn_of(moment) == pytest.approx((16, 0, 0), abs=0.1)
    assert moment.shown[0].yaw == pytest.approx(20, abs=0.1)  # what is shown is exact


def test_recordings_know_no_zero(tmp_path: Path) -> None:
    recording, keeper, centre = Recording(), Keeper(), Centre()
    recording.start(tmp_path / "a.jsonl")
    centre.recentre()
    run(ListLink([record(0, seen_face((25, 0, 0)))]), [recording, keeper], centre=centre, fov=FOV)
    recording.stop()
    assert keeper.moments[0].shown[0].yaw == pytest.approx(0, abs=1e-6)
    assert next(read(tmp_path / "a.jsonl")).faces[0].yaw == pytest.approx(25, abs=0.1)


def test_the_head_is_the_first_persons() -> None:
    session = Session()
    first = session.see((10, 0, 0))
    both = session.see((10, 0, 0), (-40, 0, 0))
    assert geodesic_degrees(turn_matrix(first), turn_matrix(both)).max() < 1


def turn_matrix(moment: Moment) -> Floats:
    assert moment.head
    return moment.head.rotation[None]
