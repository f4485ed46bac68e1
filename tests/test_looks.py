"""Two looks: a face in the mirror, the mean of two, and the detector that looks carefully."""

import json
from pathlib import Path

import numpy as np
import pytest

from blazeposer.core.contract import KEYPOINTS
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import angles_from_rotation, geodesic_degrees, rotation_from_angles
from blazeposer.faces.detector import Detector
from blazeposer.faces.looks import look, mean_face, mean_faces, mirrored
from conftest import CommandLine
from official import write_image


def face(
    x: float = 0.2, angles: tuple[float, float, float] = (20, 10, 5), score: float = 0.9, error: float = 4.0
) -> Face:
    points = np.column_stack([np.linspace(x, x + 0.2, 6), np.linspace(0.3, 0.5, 6)])
    return Face.of((x, 0.3, 0.2, 0.25), score, points, rotation_from_angles(angles), error)


def test_a_mirrored_face_looks_to_the_other_side_with_its_left_eye_on_the_left() -> None:
    there = mirrored(face(), 1.0)
    assert there.box == pytest.approx((0.6, 0.3, 0.2, 0.25))
    assert there.angles == pytest.approx((-20, 10, -5))
    for name, other in (("right_eye", "left_eye"), ("nose", "nose"), ("left_ear", "right_ear")):
        x, y = face().points[KEYPOINTS.index(other)]
        assert there.points[KEYPOINTS.index(name)] == pytest.approx((1 - x, y))
    back = mirrored(there, 1.0)
    assert back.box == pytest.approx(face().box)
    np.testing.assert_allclose(back.points, face().points)
    np.testing.assert_allclose(back.rotation, face().rotation)


def test_the_mean_of_two_faces() -> None:
    both = mean_face(face(0.2, (20, 0, 0), 0.9, 4.0), face(0.22, (30, 0, 0), 0.7, 9.0))
    assert both.box == pytest.approx((0.21, 0.3, 0.2, 0.25))
    assert both.score == pytest.approx(0.8)
    assert both.angles == pytest.approx((25, 0, 0))
    assert both.err == pytest.approx(6)


def test_the_mean_rotation_is_as_far_from_one_as_from_the_other() -> None:
    rng = np.random.default_rng(0)
    for first, second in rng.uniform(-80, 80, (20, 2, 3)):
        a, b = rotation_from_angles(first), rotation_from_angles(second)
        middle = mean_face(face(angles=tuple(first)), face(angles=tuple(second))).rotation
        np.testing.assert_allclose(middle @ middle.T, np.eye(3), atol=1e-12)
        assert geodesic_degrees(middle, a) == pytest.approx(float(geodesic_degrees(a, b)) / 2)
        assert geodesic_degrees(middle, b) == pytest.approx(float(geodesic_degrees(a, b)) / 2)
    assert angles_from_rotation(mean_face(face(), face()).rotation) == pytest.approx((20, 10, 5))


def test_a_face_that_one_look_alone_sees_counts_half() -> None:
    faces = mean_faces([face(0.2), face(0.7, score=0.95)], [face(0.21, score=0.5)])
    assert [round(one.score, 3) for one in faces] == [0.7, 0.475]
    assert mean_faces([], []) == []
    assert [one.score for one in mean_faces([], [face()])] == [0.45]
    crowd = [face(0.1), face(0.4), face(0.7)]
    np.testing.assert_allclose(
        sorted(one.box[0] for one in mean_faces(crowd, crowd[::-1])), [0.1, 0.4, 0.7], atol=1e-12
    )


def test_two_looks_at_a_picture_and_at_its_mirror_image_are_the_same(portrait: Image) -> None:
    detector = Detector(runtime="xnnpack", careful=True, fast=True)
    (there,), (mirror,) = detector(portrait), detector(np.ascontiguousarray(portrait[:, ::-1]))
    back = mirrored(mirror, portrait.shape[1])
    assert back.box == pytest.approx(there.box, abs=1e-6)
    assert geodesic_degrees(back.rotation, there.rotation) == pytest.approx(0, abs=1e-4)
    assert back.err == pytest.approx(there.err)
    (once,) = Detector(runtime="xnnpack", fast=True)(portrait)
    assert geodesic_degrees(once.rotation, there.rotation) < 10
    assert not np.allclose(once.rotation, there.rotation)


def test_the_threshold_is_that_of_the_mean_score(portrait: Image) -> None:
    network = Detector(runtime="xnnpack").network
    tensor = np.ascontiguousarray(portrait[::4, ::4])
    (there,) = look(network, tensor, 0.5, twice=True)
    assert look(network, tensor, min(0.999, there.score + 1e-3), twice=True) == []
    assert len(look(network, tensor, there.score - 1e-3, twice=True)) == 1


def test_detect_looks_twice_if_asked(tmp_path: Path, portrait: Image, blazeposer_command: CommandLine) -> None:
    write_image(tmp_path / "portrait.png", portrait)
    found = []
    for more in ((), ("--careful",)):
        run = blazeposer_command("detect", "--json", "--runtime", "xnnpack", *more, tmp_path / "portrait.png")
        assert run.status == 0, run.err
        found.append(json.loads(run.out)["faces"])
    assert len(found[0]) == len(found[1]) == 1
    assert found[0] != found[1]
