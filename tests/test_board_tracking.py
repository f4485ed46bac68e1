"""board/tracking.py and one_euro.py are as `blazeposer.faces`, in CPython and in real MicroPython."""

from __future__ import annotations

import importlib.util
import json
import sys
from ast import literal_eval
from itertools import islice
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from blazeposer.camera import VirtualCamera, view
from blazeposer.core.decode import Face
from blazeposer.core.prepare import Image
from blazeposer.core.resources import board_dir
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.faces import Tracker, closer, one_euro, tracker
from blazeposer.faces.closer import CloserLook, Gaze
from blazeposer.faces.detector import Detector
from blazeposer.stream.record import MAX_LINE, parse_line, read_lines
from outputs import assert_same
from test_board import install, set_option


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    """board/tracking.py and board/blazeposer.py; board/one_euro.py can be imported."""
    monkeypatch.setitem(sys.modules, "micropython", SimpleNamespace(const=lambda value: value))
    modules = []
    for name in ("blazeposer", "one_euro", "tracking"):
        spec = importlib.util.spec_from_file_location(f"board_{name}", board_dir() / f"{name}.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setitem(sys.modules, name, module)
        modules.append(module)
    return modules[2], modules[0]


def crowd(seed: int) -> list[list[Face]]:
    """Up to four faces in 60 pictures that move, turn, come, go and meet."""
    rng = np.random.default_rng(seed)
    pictures = []
    for n in range(60):
        faces = []
        for person in range(4):
            if rng.random() < 0.1 + 0.6 * (n // 12 % 2 and person > 1):
                continue
            side = 24 + 6 * person + 4 * np.sin(n / 9)
            middle = np.array([120 + 70 * np.sin(n / 15 + 2 * person), 110 + 50 * np.sin(n / 11 + person)])
            middle += rng.normal(0, 0.7, 2)
            angles = np.array([50, 30, 40]) * np.sin(n / np.array([6, 8, 11]) + person) + rng.normal(0, 1.5, 3)
            box = (middle[0] - side / 2, middle[1] - side / 2, side, side)
            points = middle + rng.normal(0, side / 4, (6, 2))
            faces.append(Face(box, float(rng.uniform(0.1, 1)), points, rotation_from_angles(angles), 4.0))
        pictures.append(sorted(faces, key=lambda face: -face.score))
    return pictures


def as_board(face: Face, module: ModuleType) -> Any:
    return module.Face(face.box, face.score, [tuple(point) for point in face.keypoints], face.angles, face.err)


def test_constants_are_those_of_the_host(board: tuple[ModuleType, ModuleType]) -> None:
    module = board[0]
    for name in ("GUESS", "KEPT", "EVERY", "MARGIN", "LARGEST"):
        assert getattr(module, name) == getattr(closer, name)
    assert module.LEAST_OVERLAP == tracker.LEAST_OVERLAP
    assert module.PATIENCE_MS == 1000 * tracker.PATIENCE
    assert module.MOST_LOST == tracker.MOST_LOST
    filters = sys.modules["one_euro"]
    for mine, settings in ((filters.ROTATION, one_euro.ROTATION), (filters.POSITION, one_euro.POINTS)):
        assert mine == (settings.cutoff, settings.slope, settings.speed_cutoff)


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_cpython_tracks_as_the_host(board: tuple[ModuleType, ModuleType], seed: int, smooth: bool) -> None:
    module, types = board
    here, there = module.Tracker(smooth), Tracker(smooth)
    t_ms = 0
    for faces in crowd(seed):
        t_ms += (33, 100, 34, 0, 400, 33)[len(faces)]
        found = here.update([as_board(face, types) for face in faces], t_ms)
        expected = [track for track in there.update(faces, t_ms / 1000) if not track.lost]
        assert [number for number, _, _ in found] == [track.id for track in expected]
        assert_same([raw for _, raw, _ in found], [track.raw for track in expected], 1e-9, 1e-6)
        assert_same([steady for _, _, steady in found], [track.face for track in expected], 2e-3, 1e-2)


def test_of_many_lost_faces_the_latest_are_remembered(board: tuple[ModuleType, ModuleType]) -> None:
    """Faces that flicker everywhere would fill a camera's heap."""
    module, types = board
    here, there = module.Tracker(), Tracker()
    faces = [Face((30.0 * n, 0, 20, 20), 0.9, np.full((6, 2), 30.0 * n), np.eye(3), 4.0) for n in range(12)]
    ids = []
    for t_ms, face in enumerate([*faces, faces[-3], faces[2]]):
        (found,) = here.update([as_board(face, types)], t_ms)
        tracks = there.update([face], t_ms / 1000)
        assert len(here._tracks) == len(tracks) <= 1 + tracker.MOST_LOST
        assert found[0] == tracks[0].id
        ids.append(found[0])
    assert ids == [*range(1, 13), 10, 13]


@pytest.mark.parametrize("seed", range(4))
def test_cpython_looks_where_the_host_does(board: tuple[ModuleType, ModuleType], seed: int) -> None:
    module, types = board
    here, there = module.Gaze(0.5), Gaze(0.5)
    close = 0
    for number, faces in enumerate(crowd(seed)):
        faces = faces[: 1 + number // 20]
        region = there.region(240, 200)
        close += region is not None
        x, y, side = region or (0, 0, 0)
        assert here.region(240, 200) == ((x, y, side, side) if region else (0, 0, 240, 200))
        found = here.saw([as_board(face, types) for face in faces])
        assert [face.score for face in found] == [face.score for face in there.saw(faces)]
    assert close > 10


def test_a_face_at_rest_and_a_half_turn_are_steadied(board: tuple[ModuleType, ModuleType]) -> None:
    module, types = board
    here = module.Tracker()
    for number, roll in enumerate([179.0, 179.0, -179.0, -179.0, -179.0]):
        angles = rotation_from_angles([0, 0, roll])
        face = Face((10, 10, 20, 20), 0.9, np.full((6, 2), 20.0), angles, 4.0)
        ((_, _, steady),) = here.update([as_board(face, types)], 33 * number)
        turn = abs(np.degrees(np.arctan2(*np.array(rotation_from_angles(steady.angles))[0, 1::-1])))
        assert turn > 178


def small_faces(portrait: Image) -> list[Image]:
    """The portrait, small, in a corner of pictures of which it moves on."""
    face = np.asarray(cv2.resize(portrait, (300, 300), interpolation=cv2.INTER_AREA), np.uint8)
    pictures = []
    for number in range(8):
        picture = np.full((480, 480, 3), 110, np.uint8)
        x, y = 30 + 9 * number, 60 + 4 * number
        picture[y : y + 300, x : x + 300] = face
        pictures.append(picture)
    return pictures


@pytest.mark.usefixtures("needs_virtual_camera")
def test_the_stream_is_the_host_that_looks_closer_and_steadies(portrait: Image, model_path: Path) -> None:
    frames = small_faces(portrait)
    with VirtualCamera(frames) as camera:
        install(camera, model_path)
        set_option(camera, "SMOOTH", "True")
        camera.reset()
        lines = list(islice((line for line in read_lines(camera.port) if parse_line(line)), 14))
    look = CloserLook(Detector(model_path, "micro", "camera"))
    people, seen = Tracker(), 0
    for seq, line in enumerate(lines):
        record = parse_line(line)
        assert record
        assert record.seq == seq
        faces = look(view(frames[seq % len(frames)]))
        assert_same(record.faces, faces)
        tracks = [track for track in people.update(faces, record.t_ms / 1000) if not track.lost]
        assert [face.id for face in record.faces] == [track.id for track in tracks]
        steady = [SimpleNamespace(**face["steady"], score=face["score"], err=face["err"],
                                  angles=[face["steady"][name] for name in ("yaw", "pitch", "roll")])
                  for face in json.loads(line)["faces"]]  # fmt: skip
        assert_same(steady, [track.face for track in tracks])
        seen += len(tracks)
    assert seen >= 10


def test_the_longest_line_fits() -> None:
    source = (board_dir() / "main.py").read_text()
    formats = dict(
        line.split(" = ", 1) for line in source.splitlines() if line.startswith(("FACE =", "BOX =", "ANGLES ="))
    )
    face, box, angles = (literal_eval(formats[name]) for name in ("FACE", "BOX", "ANGLES"))
    pose = box % ((-999.9,) * 4) + ",".join(["-999.9,-999.9"] * 6) + angles % ((-179.9,) * 3)
    face = face % (9999999, 0.99, 180.0) + pose + ',"steady":{' + pose + "}},"
    head = (
        '{"v":1,"seq":9999999999,"t_ms":9999999999,"fps":999.9,"ms":[9999.9,9999.9,9999.9],"size":[999,999],"faces":[]}'
    )
    assert len(head) + 4 * len(face) <= MAX_LINE
