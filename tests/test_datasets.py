"""Readers of official data sets, on tiny made-up copies: angles, signs, boxes, and one clear line where files lack."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from blazeposer.core.errors import BlazePoserError
from blazeposer.core.face import Face
from blazeposer.core.rotation import angles_from_rotation
from blazeposer.evaluate.datasets import READERS, Dataset, biwi, read_dataset
from blazeposer.evaluate.datasets.pool import TEST_POOL, TRAINING_POOLS
from blazeposer.evaluate.datasets.wider import read_wider
from blazeposer.evaluate.metrics import OVERLAP
from official import POSE, biwi_pose, write_300w, write_biwi, write_wider
from pools import drawn_face, write_pool

BOX = (20.0, 26.0, 74.0, 82.0)
Floats = NDArray[np.float64]


def angles_of(dataset: Dataset) -> list[list[float]]:
    return [[round(float(value), 3) for value in angles] for angles in dataset.angles]


@pytest.mark.parametrize("above", ["", "AFLW2000"])
def test_aflw2000(tmp_path: Path, above: str) -> None:
    poses = {2: (30.0, -10.0, 5.0), 4: (-80.0, 20.0, -15.0), 6: (10.0, 100.0, 3.0)}
    for number, angles in poses.items():
        write_300w(tmp_path / above / f"image{number:05d}.jpg", drawn_face(number), angles, BOX, "pt3d_68")
    dataset = read_dataset("aflw2000", tmp_path)
    assert angles_of(dataset) == [[30, -10, 5], [-80, 20, -15]]  # the third is beyond 99 degrees
    assert dataset.names == ["image00002.jpg", "image00004.jpg"]
    assert dataset.rule is OVERLAP
    sample = dataset.samples[0]
    np.testing.assert_allclose(sample.boxes, [BOX])
    assert sample.load().shape == (96, 96, 3)
    np.testing.assert_allclose(sample.load()[48, 48], drawn_face(2)[48, 48], atol=12)  # RGB, but for JPEG's loss


def test_yaw_beyond_90_degrees_is_kept_with_its_small_pitch_and_roll(tmp_path: Path) -> None:
    write_300w(tmp_path / "image00002.jpg", drawn_face(0), (95.0, 5.0, -3.0), BOX, "pt3d_68")
    dataset = read_dataset("aflw2000", tmp_path)
    assert angles_of(dataset) == [[95, 5, -3]]
    # the other solution, yaw 85 with pitch -175 and roll 177, is the same rotation
    np.testing.assert_allclose(angles_from_rotation(dataset.rotations), dataset.angles, atol=1e-4)


def test_300w_lp(tmp_path: Path) -> None:
    for part, yaw in (("HELEN", 40.0), ("AFW", 20.0), ("AFW_Flip", -20.0)):
        path = tmp_path / "300W_LP" / part / f"{part}_1_0.jpg"
        write_300w(path, drawn_face(1), (yaw, 1.0, 2.0), BOX, "pt2d")
    (tmp_path / "300W_LP" / "AFW" / "without_labels.jpg").write_bytes(b"")
    dataset = read_dataset("300w-lp", tmp_path)
    assert dataset.names == ["AFW/AFW_1_0.jpg", "AFW_Flip/AFW_Flip_1_0.jpg", "HELEN/HELEN_1_0.jpg"]
    assert angles_of(dataset) == [[20, 1, 2], [-20, 1, 2], [40, 1, 2]]
    np.testing.assert_allclose(dataset.samples[2].boxes, [BOX])


def test_a_damaged_label_is_one_clear_line(tmp_path: Path) -> None:
    write_300w(tmp_path / "image00002.jpg", drawn_face(0), (0, 0, 0), BOX, "pt2d")
    with pytest.raises(BlazePoserError, match=r"image00002\.mat.*Pose_Para.*unpack"):
        read_dataset("aflw2000", tmp_path)
    (tmp_path / "image00002.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(BlazePoserError, match=r"image00002\.mat"):
        read_dataset("aflw2000", tmp_path)


def fsa_net(rotation: Floats) -> list[float]:
    """Yaw, pitch, roll as FSA-Net's TYY_create_db_biwi.py takes them from a pose file's rotation."""
    r = rotation.T
    roll = -np.arctan2(r[1, 0], r[0, 0])
    yaw = -np.arctan2(-r[2, 0], np.hypot(r[2, 1], r[2, 2]))
    pitch = np.arctan2(r[2, 1], r[2, 2])
    return [float(np.degrees(angle)) for angle in (yaw, pitch, roll)]


def hopenet(rotation: Floats) -> list[float]:
    """The same as deep-head-pose's datasets.py takes them."""
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    yaw = np.arctan2(-rotation[2, 0], np.hypot(rotation[2, 1], rotation[2, 2]))
    pitch = -np.arctan2(rotation[2, 1], rotation[2, 2])
    return [float(np.degrees(angle)) for angle in (yaw, pitch, roll)]


def about(axis: int, degrees: float) -> Floats:
    """A right-handed turn about x, y or z."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    a, b = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[a, a], turn[a, b], turn[b, a], turn[b, b] = c, -s, s, c
    return turn


def read_biwi_pose(folder: Path, pose: str) -> list[float]:
    for sequence in biwi.SEQUENCES:
        write_biwi(folder / "hpdb", sequence, drawn_face(0), {"00003": pose} if sequence == "12" else {})
    return [float(value) for value in read_dataset("biwi", folder).angles[0]]


@pytest.mark.parametrize(("axis", "angle"), [(0, -20), (1, 40), (2, -30)])
def test_biwi_s_signs_are_those_of_the_usual_readers(tmp_path: Path, axis: int, angle: float) -> None:
    rotation = about(axis, angle)
    found = read_biwi_pose(tmp_path, biwi_pose(rotation))
    np.testing.assert_allclose(found, fsa_net(rotation), atol=1e-3)
    np.testing.assert_allclose(found, hopenet(rotation), atol=1e-3)
    # x right, y down, z away: about y by +40 the face, which looks to -z, turns to the image's left, and so on
    assert found[{0: 1, 1: 0, 2: 2}[axis]] == pytest.approx({0: 20, 1: 40, 2: -30}[axis], abs=1e-3)


def test_biwi_s_angles_are_fsa_net_s_where_all_three_are_large(tmp_path: Path) -> None:
    rotation = about(0, -35) @ about(1, 50) @ about(2, 25)
    found = read_biwi_pose(tmp_path, biwi_pose(rotation))
    np.testing.assert_allclose(found, fsa_net(rotation), atol=1e-3)
    assert np.abs(np.subtract(found, hopenet(rotation))).max() > 5


def test_biwi_takes_the_solution_with_the_smaller_pitch_and_roll(tmp_path: Path) -> None:
    np.testing.assert_allclose(read_biwi_pose(tmp_path, biwi_pose(about(1, 95))), [95, 0, 0], atol=1e-3)


def test_biwi_s_own_files(tmp_path: Path) -> None:
    np.testing.assert_allclose(read_biwi_pose(tmp_path, POSE), [9.33, -0.40, -6.39], atol=0.01)
    dataset = read_dataset("biwi", tmp_path)
    assert dataset.names == ["12/frame_00003"]
    assert dataset.samples[0].load().shape == (96, 96, 3)
    # by hand: K (R c + t), c the head's centre, is about (27.7, -11.4, 893) mm before the colour camera
    (x0, y0, x1, y1) = dataset.samples[0].boxes[0]
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((336, 234), abs=1)
    assert (x1 - x0, y1 - y0) == pytest.approx((139, 139), abs=1)  # 240 mm there


def test_a_damaged_pose_may_be_left_out(tmp_path: Path) -> None:
    poses = {"00003": POSE, "00004": POSE.replace("0.98", "nan"), "00005": ""}
    for sequence in biwi.SEQUENCES:
        write_biwi(tmp_path, sequence, drawn_face(0), poses if sequence == "12" else {})
    dataset = read_dataset("biwi", tmp_path, damaged=True)
    assert dataset.names == ["12/frame_00003"]
    assert [item.name for item in dataset.left_out] == ["12/frame_00004_pose.txt", "12/frame_00005_pose.txt"]


def test_biwi_protocol_2_is_eight_sequences_of_people_who_are_in_no_other(tmp_path: Path) -> None:
    for sequence in biwi.SEQUENCES:
        write_biwi(tmp_path, sequence, drawn_face(0), {"00003": POSE, "00004": POSE})
    names = [name.partition("/")[0] for name in read_dataset("biwi-2", tmp_path).names]
    assert names == sorted(2 * biwi.TEST_SEQUENCES)
    assert len(read_dataset("biwi", tmp_path)) == 48
    assert len(biwi.TEST_SEQUENCES) == 8
    for one, two in (("02", "21"), ("03", "15"), ("05", "18"), ("07", "22")):
        assert (one in biwi.TEST_SEQUENCES) == (two in biwi.TEST_SEQUENCES)


@pytest.mark.parametrize("text", ["", "1 0 0\n0 1 0\n0 0 1\n\n", "1 0 0\n0 1\n0 0 1\n\n0 0 900\n", "a b c\n"])
def test_a_damaged_pose_is_one_clear_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(BlazePoserError, match=r"frame_00003_pose\.txt.*unpack"):
        read_biwi_pose(tmp_path, text)


WIDER = """0--Parade/0_Parade_marchingband_1_465.jpg
3
20 26 54 56 0 0 0 0 0 0 
5 6 7 8 2 0 0 1 0 0 
10 11 0 4 2 0 0 0 2 0 
0--Parade/0_Parade_Parade_0_452.jpg
0
0 0 0 0 0 0 0 0 0 0 
1--Handshaking/1_Handshaking_Handshaking_1_1.jpg
1
1 2 30 40 0 0 1 0 0 0 
"""  # noqa: W291 - the blanks are the file's


def test_wider_face(tmp_path: Path) -> None:
    names = [line for line in WIDER.splitlines() if line.endswith(".jpg")]
    write_wider(tmp_path, WIDER, {name: drawn_face(0) for name in names})
    images = read_wider(tmp_path)
    assert [path for path, _, _ in images] == [tmp_path / "WIDER_val" / "images" / name for name in names]
    first, none, last = (boxes for _, boxes, _ in images)
    np.testing.assert_allclose(first, [[20, 26, 74, 82], [5, 6, 12, 14], [10, 11, 10, 15]])
    assert [ignored.tolist() for _, _, ignored in images] == [[False, True, True], [], [False]]  # invalid, no width
    assert none.shape == (0, 4)
    np.testing.assert_allclose(last, [[1, 2, 31, 42]])


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg\n",
        "a.jpg\nmany\n",
        "a.jpg\n-1\n",
        "a.jpg\n2\n1 2 3 4 0 0 0 0 0 0\n",
        "a.jpg\n1\n1 2 3\n",
        "../a.jpg\n1\n1 2 3 4 0 0 0 0 0 0\n",
    ],
)
def test_a_damaged_list_of_wider_face_is_one_clear_line(tmp_path: Path, text: str) -> None:
    write_wider(tmp_path, text, {"0--Parade/0.jpg": drawn_face(0)})
    with pytest.raises(BlazePoserError, match=r"wider_face_val_bbx_gt\.txt is damaged: unpack"):
        read_wider(tmp_path)


@pytest.mark.parametrize("text", ["", "0--Parade/0.jpg\n1\n1 2 3 4 0 0 0 1 0 0\n"])
def test_a_list_of_wider_face_without_faces_is_refused(tmp_path: Path, text: str) -> None:
    write_wider(tmp_path, text, {"0--Parade/0.jpg": drawn_face(0)})
    with pytest.raises(BlazePoserError, match="no face to measure on"):
        read_wider(tmp_path)


def test_a_missing_wider_face_is_one_line_that_says_which_files_belong_where(tmp_path: Path) -> None:
    with pytest.raises(BlazePoserError, match=r"wider_face_split/wider_face_val_bbx_gt\.txt and WIDER_val.*--wider"):
        read_wider(tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("aflw2000", "image00002.mat"),
        ("biwi", "01/frame_00003_pose.txt"),
        ("biwi-2", "03/frame_00003_pose.txt"),
        ("300w-lp", "AFW, AFW_Flip, HELEN"),
        ("no_pool", "no_pool.csv"),
    ],
)
def test_a_missing_layout_is_one_line_that_says_which_files_belong_where(
    tmp_path: Path, name: str, expected: str
) -> None:
    with pytest.raises(BlazePoserError) as caught:
        read_dataset(name, tmp_path)
    assert expected in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_official_reader_is_tested_here() -> None:
    assert set(READERS) == {"aflw2000", "biwi", "biwi-2", "biwi_dev", "300w-lp", "val"}


def test_a_missing_picture_is_found_when_it_is_needed(tmp_path: Path) -> None:
    write_300w(tmp_path / "image00002.jpg", drawn_face(0), (0, 0, 0), BOX, "pt3d_68")
    dataset = read_dataset("aflw2000", tmp_path)
    (tmp_path / "image00002.jpg").write_bytes(b"no picture")
    with pytest.raises(BlazePoserError, match=r"image00002\.jpg.*missing"):
        dataset.samples[0].load()


def test_of_a_pool_that_is_split_val_is_measured(tmp_path: Path) -> None:
    rows = [
        {"file": f"{i}.png", "yaw": i, "pitch": 0, "roll": 0, "split": "val" if i % 2 else "train"} for i in range(4)
    ]
    write_pool(tmp_path, "aflw", rows)
    assert angles_of(read_dataset("aflw", tmp_path)) == [[1, 0, 0], [3, 0, 0]]
    write_pool(tmp_path, TEST_POOL, [row | {"split": ""} for row in rows])
    assert len(read_dataset(TEST_POOL, tmp_path)) == 4


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_faces_of_one_picture_are_one_sample(tmp_path: Path) -> None:
    row = {"file": "1.png", "pitch": 0, "roll": 0, "split": "val"}
    write_pool(tmp_path, "wflw", [row | {"yaw": 7}, row | {"yaw": 8, "x0": 1}])
    dataset = read_dataset("wflw", tmp_path)
    assert len(dataset.samples) == 1
    assert angles_of(dataset) == [[7, 0, 0], [8, 0, 0]]
    np.testing.assert_allclose(dataset.samples[0].boxes[:, 0], [22, 1])
    np.testing.assert_array_equal(dataset.samples[0].load(), drawn_face(1))


def test_a_set_without_faces_is_refused(tmp_path: Path) -> None:
    write_300w(tmp_path / "image00002.jpg", drawn_face(0), (100, 0, 0), BOX, "pt3d_68")  # beyond 99 degrees
    (tmp_path / "image00003.jpg").write_bytes(b"without a label")
    with pytest.raises(BlazePoserError, match="no face to measure on"):
        read_dataset("aflw2000", tmp_path)


def test_the_crops_of_biwi_get_a_rim_and_the_best_detection_answers(tmp_path: Path) -> None:
    crop = np.zeros((80, 100, 3), np.uint8)
    crop[0], crop[-1] = (10, 20, 30), (40, 50, 60)
    with zipfile.ZipFile(tmp_path / "biwi_dev.zip", "w") as archive:
        for name in ("01_frame_00004.png", "02_frame_00006.png"):
            archive.writestr(name, cv2.imencode(".png", crop[..., ::-1])[1].tobytes())
    lines = ["file,width,height,yaw,pitch,roll,sequence", "02_frame_00006.png,100,80,1.5,-2,3,02"]
    (tmp_path / "biwi_dev.csv").write_text("\n".join([*lines, "01_frame_00004.png,100,80,-40,20,0,01"]))
    dataset = read_dataset("biwi_dev", tmp_path)
    assert dataset.names == ["02_frame_00006.png", "01_frame_00004.png"]
    assert dataset.angles.tolist() == [[1.5, -2, 3], [-40, 20, 0]]
    picture = dataset.samples[0].load()
    assert picture.shape == (130, 150, 3)  # a quarter of the longer side, 25 pixels, all round
    assert picture[0, 0].tolist() == [10, 20, 30]
    assert picture[-1, 75].tolist() == [40, 50, 60]
    assert dataset.samples[0].boxes.tolist() == [[25, 25, 125, 105]]
    best, other = (Face.of((x, 0.1, 0.1, 0.1), 0.9 - x, np.zeros((6, 2)), np.eye(3), 1.0) for x in (0.0, 0.4))
    assert dataset.rule.choose([best, other], dataset.samples[0].boxes[0]) is best
    assert dataset.rule.choose([], dataset.samples[0].boxes[0]) is None
    (tmp_path / "biwi_dev.csv").write_text("file,yaw\n")
    with pytest.raises(BlazePoserError, match=r"biwi_dev|no face"):
        read_dataset("biwi_dev", tmp_path)
    (tmp_path / "biwi_dev.csv").unlink()
    with pytest.raises(BlazePoserError, match=r"biwi_dev\.csv.*--data"):
        read_dataset("biwi_dev", tmp_path)


def test_validation_faces_stand_alone_in_the_middle(tmp_path: Path) -> None:
    for pool in TRAINING_POOLS:
        known = {"yaw": 10, "pitch": 0, "roll": 0, "geodesic_spread": 1}
        splits = {"000000.png": "train", "000002.png": "val"}
        write_pool(tmp_path, pool, [{"file": file, "split": split, **known} for file, split in splits.items()])
    dataset = read_dataset("val", tmp_path)
    assert len(dataset) == len(dataset.samples) == len(TRAINING_POOLS)
    sample = dataset.samples[0]
    (box,) = sample.boxes
    assert (box[:2] + box[2:]) / 2 == pytest.approx([120, 120])
    assert (box[2:] - box[:2]).max() == pytest.approx(0.38 * 240)
    picture = sample.load()
    assert picture.shape == (240, 240, 3)
    # the drawn face's eyes, at 38 and 58 of its 96 pixels, are dark
    scale = 0.38 * 240 / 56
    for x in (38, 58):
        at = np.round(120 + (np.array([x, 40]) - [48, 54]) * scale).astype(int)
        assert picture[at[1], at[0]].max() < 60
