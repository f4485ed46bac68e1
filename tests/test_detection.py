"""`blazeposer compare-detection`: BlazeFace, the float and the INT8 network on the same made-up images."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
from blazeposer.core.contract import INPUT_SIZE, SCORE_THRESHOLD
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.face import Face, keypoints_of
from blazeposer.core.prepare import Image
from blazeposer.core.resources import models_dir
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.evaluate.datasets.pool import TEST_POOL, read_backgrounds
from blazeposer.evaluate.datasets.pools import read_maskon_boxes
from blazeposer.evaluate.detection import LANDMARKS, agreement, count, keypoint_distances, share
from blazeposer.tflite.manifest import read_manifest
from conftest import CommandLine
from official import write_wider
from pools import write_backgrounds, write_pool

PORTRAIT: dict[str, object] = {
    "yaw": 0,
    "pitch": -5,
    "roll": 3,
    "width": 512,
    "height": 512,
    "x0": 172,
    "y0": 70,
    "x1": 272,
    "y1": 190,
}
BOXES = "file,x0,y0,x1,y1,class\n000000.png,0,0,9,9,a\n000001.png,170,70,275,190,a\n000003.png,300,300,400,400,b\n"


@pytest.fixture
def folder(tmp_path: Path, portrait: Image) -> Path:
    """One labelled face where the portrait's is and one where none is, the same as boxes, and plain images."""
    rows: list[dict[str, object]] = [{"file": f"image{i:05d}.png", **PORTRAIT} for i in range(2)]
    rows[1] |= {"x0": 400, "x1": 500, "yaw": 70}
    write_pool(tmp_path, TEST_POOL, rows, portrait)
    write_pool(tmp_path, "maskon", [{"file": f"{i:06d}.png", "split": "train", **PORTRAIT} for i in range(4)], portrait)
    (tmp_path / "maskon_boxes.csv").write_text(BOXES)
    for name in ("faceless", "hands"):
        write_backgrounds(tmp_path, name)
    return tmp_path


def face(x: float = 0.3, yaw: float = 0.0) -> Face:
    points = np.full((6, 2), 0.5)
    return Face.of((x, 0.3, 0.4, 0.4), 0.9, points, rotation_from_angles([yaw, 0.0, 0.0]), 5.0)


def test_boxed_scenes_are_the_odd_pictures(folder: Path) -> None:
    (_, first), (_, second) = read_maskon_boxes(folder)
    assert (first.tolist(), second.tolist()) == ([[170, 70, 275, 190]], [[300, 300, 400, 400]])
    (folder / "maskon_boxes.csv").unlink()
    with pytest.raises(BlazePoserError, match=r"maskon_boxes\.csv"):
        read_maskon_boxes(folder)


@pytest.mark.parametrize("name", ["faceless", "hands"])
def test_pictures_for_false_positives_are_the_odd_ones(folder: Path, name: str) -> None:
    assert [int(image[0, 0, 0]) for image in read_backgrounds(folder, test=True, name=name)] == [40, 120]
    (folder / f"{name}.zip").unlink()
    with pytest.raises(BlazePoserError, match=rf"{name}\.zip.*--data"):
        read_backgrounds(folder, test=True, name=name)


def test_a_picture_with_two_false_faces_is_one_picture() -> None:
    scores = [np.array([0.9, 0.6, 0.4]), np.array([0.49]), np.array([])]
    assert count(scores, 0.5) == 2
    assert count(scores, 0.3) == 4
    assert share(scores) == pytest.approx(1 / 3)


def test_prints_and_records_a_row_a_network(folder: Path, tmp_path: Path, blazeposer_command: CommandLine) -> None:
    for name in ("blazeposer.tflite", "blazeposer.json", "blazeposer_float.tflite"):
        shutil.copy(models_dir() / name, tmp_path)
    run = blazeposer_command("compare-detection", "--data", folder, "--models", tmp_path, "--record")
    assert run.status == 0, run.err
    assert "On the 1 labelled faces that INT8 and float both found" in " ".join(run.out.split())
    figures = read_manifest(tmp_path / "blazeposer.tflite").figures["detection"]
    for name in ("BlazeFace", "float", "INT8"):
        assert name in run.out
        row = figures[name]
        assert row["recall"] == 0.5  # of two labels one is where the face is
        assert row["turned"] == 0
        assert row["precision"] == [0.5, 0.5, None]  # one label found before anything wrong, one not at all
        assert row["alarms"] == row["alarms_there"] == row["on_places"] == row["on_hands"] == 0
        assert SCORE_THRESHOLD < row["threshold"] < 1  # the one face is found well above the usual threshold
    assert figures["INT8_and_float"]["overlap"] > 0.8
    assert figures["boxed_faces"] == {"16": 2, "24": 2, "32": 0}
    assert figures["hands"] == 2


def test_wider_face_gets_average_precision_by_size_without_a_pool(
    tmp_path: Path, portrait: Image, blazeposer_command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BLAZEPOSER_DATA", raising=False)
    for name in ("blazeposer.tflite", "blazeposer.json", "blazeposer_float.tflite"):
        shutil.copy(models_dir() / name, tmp_path)
    x0, y0, x1, y1 = 170, 70, 275, 190  # 28 of the input's 128 pixels
    flags = "0 0 0 0 0 0"
    # The third image's face is a face, but its box is invalid: to find it is not wrong.
    text = (
        f"0--A/1.png\n1\n{x0} {y0} {x1 - x0} {y1 - y0} {flags}\n0--A/2.png\n1\n300 300 140 140 {flags}\n"
        f"0--A/3.png\n1\n{x0} {y0} {x1 - x0} {y1 - y0} 0 0 0 1 0 0\n"
    )
    plain = np.zeros_like(portrait)
    write_wider(tmp_path, text, {"0--A/1.png": portrait, "0--A/2.png": plain, "0--A/3.png": portrait})
    run = blazeposer_command("compare-detection", "--wider", tmp_path, "--models", tmp_path, "--record")
    assert run.status == 0, run.err
    assert "all (2 faces)" in run.out
    assert "32 px and more (1 faces)" in run.out
    figures = read_manifest(tmp_path / "blazeposer.tflite").figures["wider"]
    assert figures["images"] == 3
    assert figures["faces"] == {"0": 2, "16": 2, "24": 2, "32": 1}
    for name in ("BlazeFace", "float", "INT8"):
        assert name in run.out
        assert figures["average_precision"][name] == {"0": 0.5, "16": 0.5, "24": 0.5, "32": 0}
    (tmp_path / "WIDER_val" / "images" / "0--A" / "2.png").unlink()
    run = blazeposer_command("compare-detection", "--wider", tmp_path, "--models", tmp_path)
    assert run.status == 1
    assert "2.png is missing" in run.err


def test_wider_face_and_pools_are_not_measured_at_once(tmp_path: Path, blazeposer_command: CommandLine) -> None:
    run = blazeposer_command("compare-detection", "--wider", tmp_path, "--data", tmp_path)
    assert run.status == 2
    assert "--data and --wider cannot be used together" in run.err


def test_keypoints_are_held_against_the_means_of_their_landmarks() -> None:
    landmarks = np.full((1, 68, 2), 0.5)
    landmarks[0, 36:42, 0] = [0.4, 0.6, 0.4, 0.6, 0.4, 0.6]  # their mean is where the keypoint is
    landmarks[0, 48:68, 1] += 3 / INPUT_SIZE
    assert list(LANDMARKS) == ["right eye", "left eye", "nose", "mouth"]
    assert keypoint_distances([face()], landmarks) == pytest.approx([0, 0, 0, 3])


def test_agreement_is_of_faces_that_both_found() -> None:
    truth = np.stack([rotation_from_angles([yaw, 0.0, 0.0]) for yaw in (0.0, 10.0, 20.0)])
    first = [face(), face(yaw=10), None]
    same = agreement(first, first, truth)
    assert (same.faces, same.keypoints, same.angles) == (2, 0, 0)
    assert same.overlap == pytest.approx(1)
    moved = [replace(face(x=0.5, yaw=3), keypoints=keypoints_of(np.full((6, 2), 0.6))), None, face()]
    near = agreement(moved, first, truth)
    assert near.faces == 1
    assert near.overlap == pytest.approx(1 / 3)
    assert near.keypoints == pytest.approx(0.1 * 2**0.5)
    assert near.angles == pytest.approx(1)  # 3 degrees of yaw wrong, over three angles
