"""Images of every kind that OpenCV reads, brought to (h, w, 3) uint8 RGB."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from blazeposer.core.errors import InputError
from blazeposer.core.prepare import Image
from blazeposer.media.output import VideoWriter, write_image
from blazeposer.media.sources import open_source, read_image

RED, GREEN = (200, 30, 40), (30, 180, 50)


@pytest.fixture
def picture() -> Image:
    """20 x 30, its top left corner red, the rest green."""
    image = np.full((20, 30, 3), GREEN, np.uint8)
    image[:10, :10] = RED
    return image


def encode(path: Path, image: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Path:
    """Write an array as OpenCV takes it: BGR, grey or with alpha, 8 or 16 bits."""
    good, data = cv2.imencode(path.suffix, image)  # type: ignore[arg-type]
    assert good
    path.write_bytes(data.tobytes())
    return path


def test_colours_are_rgb(tmp_path: Path, picture: Image) -> None:
    write_image(tmp_path / "a.png", picture)
    assert np.array_equal(read_image(tmp_path / "a.png"), picture)


def test_grey_becomes_three_equal_channels(tmp_path: Path, picture: Image) -> None:
    image = read_image(encode(tmp_path / "a.png", picture[..., 0]))
    assert np.array_equal(image, np.repeat(picture[..., :1], 3, axis=2))


def test_alpha_is_left_out(tmp_path: Path, picture: Image) -> None:
    bgra = np.dstack([picture[..., ::-1], np.full((20, 30), 200, np.uint8)])
    assert np.array_equal(read_image(encode(tmp_path / "a.png", bgra)), picture)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_become_eight(tmp_path: Path, picture: Image, suffix: str) -> None:
    image = read_image(encode(tmp_path / f"a{suffix}", picture[..., ::-1].astype(np.uint16) * 256 + 7))
    assert np.abs(image.astype(int) - picture).max() <= 1


def test_exif_turns_the_picture_upright(tmp_path: Path, picture: Image) -> None:
    """Orientation 6: the camera was turned, the image has to be turned 90 degrees clockwise."""
    path = encode(tmp_path / "a.jpg", picture[..., ::-1])
    tag = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    exif = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01" + tag + b"\x00\x00\x00\x00"
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    image = read_image(path)
    assert image.shape == (30, 20, 3)
    assert image[3, 16].tolist() == pytest.approx(RED, abs=25)  # top right now
    assert image[3, 3].tolist() == pytest.approx(GREEN, abs=25)


def test_names_beyond_ascii(tmp_path: Path, picture: Image) -> None:
    path = tmp_path / "Gesicht grün 顔.png"
    write_image(path, picture)
    assert np.array_equal(read_image(path), picture)


def test_a_folder_is_read_in_order_of_names(tmp_path: Path, picture: Image) -> None:
    for name in ("b.png", "a.jpg", "c.bmp"):
        write_image(tmp_path / name, picture)
    (tmp_path / "d.png").mkdir()
    source = open_source(str(tmp_path))
    assert (source.kind, source.total) == ("folder", 3)
    assert [frame.name for frame in source.frames] == ["a.jpg", "b.png", "c.bmp"]


def test_a_video_has_rate_length_and_colours(tmp_path: Path, picture: Image) -> None:
    big = picture.repeat(8, axis=0).repeat(8, axis=1)
    with VideoWriter(tmp_path / "a.mp4", 15.0) as video:
        for _ in range(7):
            video.write(big)
    source = open_source(str(tmp_path / "a.mp4"))
    assert (source.kind, source.total, source.fps) == ("video", 7, 15.0)
    frames = [frame.read() for frame in source.frames]
    assert len(frames) == 7
    assert np.abs(frames[3].astype(int) - big).mean() < 6


def test_a_picture_named_like_a_number_is_no_camera(
    tmp_path: Path, picture: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "a.png", picture)
    (tmp_path / "a.png").rename("7")
    (frame,) = open_source("7").frames
    assert np.array_equal(frame.read(), picture)


def test_what_libraries_print_stays_away(tmp_path: Path, picture: Image, capfd: pytest.CaptureFixture[str]) -> None:
    """libpng writes its complaint to stderr itself; the reader of our line should not see two."""
    path = tmp_path / "a.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    write_image(path, noise)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError):
        read_image(path)
    assert capfd.readouterr().err == ""
