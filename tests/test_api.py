"""Test the public interface, `from blazeposer import ...`, on a PC with an image."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import blazeposer
from blazeposer import BlazePoserError, Detector, Face, InputError, Keypoints, draw, read_image
from blazeposer.core.contract import KEYPOINTS
from blazeposer.core.prepare import Image, as_rgb
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.media.output import VideoWriter

SCRIPTS = Path(__file__).parents[1] / "docs" / "scripts"
COLORED = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def run_script(name: str, folder: Path, *arguments: str) -> str:
    """Return what a script of the page prints that is run in a folder."""
    command = [sys.executable, str(SCRIPTS / name), *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_every_public_name_is_there() -> None:
    for name in blazeposer.__all__:
        assert getattr(blazeposer, name).__doc__
    assert set(blazeposer.__all__) <= set(dir(blazeposer))
    with pytest.raises(AttributeError, match="no attribute 'Detectors'"):
        _ = blazeposer.Detectors  # type: ignore[attr-defined]


def test_the_five_lines_of_the_page(portrait_path: Path, tmp_path: Path) -> None:
    assert len((SCRIPTS / "photo.py").read_text().split("\n\n", 1)[1].splitlines()) + 1 <= 5
    (tmp_path / "photo.jpg").write_bytes(portrait_path.read_bytes())
    assert run_script("photo.py", tmp_path).count("\n") == 1


def test_the_video_of_the_page(portrait: Image, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 10.0) as video:
        for _ in range(3):
            video.write(portrait)
    lines = run_script("video.py", tmp_path, "clip.mp4").splitlines()
    assert [line.split(":")[0] for line in lines] == ["0.00 face 1", "0.10 face 1", "0.20 face 1"]
    assert read_image(tmp_path / "newest.jpg").shape == portrait.shape


# Images.


@pytest.mark.parametrize(
    ("image", "order"),
    [
        (COLORED, "rgb"),
        (COLORED[..., ::-1], "bgr"),
        (COLORED / 255, "rgb"),
        ((COLORED / 255).astype(np.float32)[..., ::-1], "bgr"),
        (np.dstack([COLORED, np.full((4, 6), 7, np.uint8)]), "rgb"),
        (np.dstack([COLORED[..., ::-1], np.full((4, 6), 7, np.uint8)]), "bgr"),
        (np.asfortranarray(COLORED), "rgb"),
    ],
)
def test_images_as_people_have_them(image: Any, order: Any) -> None:
    found = as_rgb(image, order)
    assert found.flags.c_contiguous
    assert found.dtype == np.uint8
    assert np.array_equal(found, COLORED)


@pytest.mark.parametrize("grey", [COLORED[..., 0], COLORED[..., :1]])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_grey_images(grey: Image, order: Any) -> None:
    assert np.array_equal(as_rgb(grey, order), np.stack([COLORED[..., 0]] * 3, axis=-1))


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (None, "imread"),
        ("photo.jpg", "str: give a numpy array"),
        (COLORED.tolist(), "list: give a numpy array"),
        (COLORED.transpose(2, 0, 1), r"shape \(3, 4, 6\).*transpose"),
        (COLORED[None], r"shape \(1, 4, 6, 3\).*only one image"),
        (COLORED[:0], r"shape \(0, 6, 3\)"),
        (COLORED[..., :2], r"shape \(4, 6, 2\)"),
        (COLORED[0, 0], r"shape \(3,\)"),
        (COLORED.astype(float), "float values from 0 to 71: give floats from 0 to 1, or uint8"),
        (np.full((4, 6, 3), np.nan), "float values from nan to nan"),
        (COLORED.astype(np.int64), "int64: give uint8"),
        (COLORED.astype(np.uint16), "uint16: give uint8"),
        (COLORED > 3, "bool: give uint8"),
    ],
)
def test_other_images_get_one_clear_line(image: Any, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        Detector()(image)
    assert "\n" not in str(caught.value)


def test_an_unknown_order_is_told(portrait: Image) -> None:
    with pytest.raises(InputError, match='"bgr" for images of OpenCV'):
        Detector(order="gbr")(portrait)  # type: ignore[arg-type]


def test_a_wrong_setting_is_told_at_once() -> None:
    for settings in ({"threshold": 1.5}, {"input": "camra"}, {"runtime": "fast"}):
        with pytest.raises(BlazePoserError, match=f"{next(iter(settings))}.*(give|choose)"):
            Detector(**settings)


def test_opencv_s_images_are_seen_as_others(portrait_path: Path) -> None:
    image = cv2.imread(str(portrait_path))
    assert Detector(order="bgr")(image) == Detector()(read_image(portrait_path))


def test_drawing_keeps_the_order(portrait: Image) -> None:
    faces = Detector()(portrait)
    drawn = draw(portrait, faces)
    assert (drawn != portrait).any()
    assert np.array_equal(draw(portrait[..., ::-1], faces, order="bgr"), drawn[..., ::-1])
    assert draw(portrait[..., 0] / 255, faces).shape == portrait.shape


# Faces.


def test_keypoints_bear_the_contract_s_names() -> None:
    assert Keypoints._fields == KEYPOINTS


def test_a_face_has_its_pose_in_every_form() -> None:
    rotation = rotation_from_angles([20, -10, 5])
    face = Face.of((1, 2, 3, 4), 0.9, np.arange(12.0).reshape(6, 2), rotation, 4.0)
    assert face.angles == (face.yaw, face.pitch, face.roll) == pytest.approx((20, -10, 5))
    np.testing.assert_allclose(face.rotation, rotation, atol=1e-12)
    assert face.keypoints.nose == (4, 5)
    assert np.array_equal(face.points, np.arange(12.0).reshape(6, 2))
    assert face == Face.of(face.box, face.score, face.points, rotation, face.err)
    assert face.turned(np.eye(3)).angles == pytest.approx((0, 0, 0))
