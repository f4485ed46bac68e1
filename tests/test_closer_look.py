"""`CloserLook`: where it looks in each frame, and the faces that it reports."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.faces.detector import Detector
from blazeposer.faces.looks import mirrored
from blazeposer.faces.search import Region
from blazeposer.faces.tracker import CloserLook, board_module
from made_faces import face

GUESS, EVERY = board_module("tracking").GUESS, board_module("tracking").EVERY


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
