"""board/tracking.py and one_euro.py do the same in real MicroPython as in CPython, where a PC runs them."""

import json
from ast import literal_eval
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from blazeposer.camera import VirtualCamera, view
from blazeposer.core.prepare import Image
from blazeposer.core.resources import board_dir
from blazeposer.faces.detector import Detector
from blazeposer.faces.tracker import CloserLook, Tracker
from blazeposer.stream.record import MAX_LINE, parse_line
from outputs import assert_same
from reading import read_lines
from test_board import install, set_option
from waiting import until


def small_faces(portrait: Image) -> list[Image]:
    """The portrait, small, in a corner of images of which it moves on."""
    face = np.asarray(cv2.resize(portrait, (300, 300), interpolation=cv2.INTER_AREA), np.uint8)
    pictures = []
    for number in range(8):
        picture = np.full((480, 480, 3), 110, np.uint8)
        x, y = 30 + 9 * number, 60 + 4 * number
        picture[y : y + 300, x : x + 300] = face
        pictures.append(picture)
    return pictures


@pytest.mark.usefixtures("needs_virtual_camera")
@pytest.mark.parametrize("mirror", [False, True], ids=["plain", "mirror"])
def test_the_stream_is_the_host_that_looks_closer_and_steadies(portrait: Image, model_path: Path, mirror: bool) -> None:
    frames = small_faces(portrait)

    def shown(number: int) -> Image:
        """The first one as soon as the test reads: a camera keeps few of the lines that nobody reads."""
        if number == 0:
            until(lambda: camera._cable is not None and camera._cable.is_connected, "a reader")
        return frames[number % len(frames)]

    with VirtualCamera(shown) as camera:
        install(camera, model_path)
        set_option(camera, "SMOOTH", "True")
        set_option(camera, "MIRROR", str(mirror))
        camera.reset()
        lines = list(islice((line for line in read_lines(camera.port) if parse_line(line)), 14))
    look = CloserLook(Detector(model_path, "micro", "camera"), mirror)
    people, seen = Tracker(), 0
    for seq, line in enumerate(lines):
        record = parse_line(line)
        assert record
        assert record.seq == seq
        faces = look(view(frames[seq % len(frames)]))
        assert_same(record.faces, faces)
        followed = people.update(faces, record.t_ms / 1000)
        assert [face.id for face in record.faces] == [face.id for face in followed]
        steady = [SimpleNamespace(**face["steady"], score=face["score"], err=face["err"],
                                  angles=[face["steady"][name] for name in ("yaw", "pitch", "roll")])
                  for face in json.loads(line)["faces"]]  # fmt: skip
        assert_same(steady, followed)
        seen += len(followed)
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
