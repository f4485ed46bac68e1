"""Odd files in a folder: each is told once, and everything else is done."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from blazeposer.core.errors import BlazePoserError, InputError
from blazeposer.core.prepare import Image, camera_input
from blazeposer.evaluate.validate.pictures import Given, Pictures, files_of, of_dataset, of_files
from conftest import CommandLine
from test_validate import SLOW


def jpeg(picture: Image) -> bytes:
    return cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes()


@pytest.fixture
def folder(portrait: Image, tmp_path: Path) -> Path:
    """Every kind of bad file beside good ones."""
    whole = jpeg(portrait)
    (tmp_path / "good.jpg").write_bytes(whole)
    (tmp_path / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "notes.txt").write_text("nothing to do with it")
    (tmp_path / "misnamed.png").write_bytes(whole)
    exif = Pillow.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees to stand upright
    Pillow.fromarray(np.rot90(portrait).copy()).save(tmp_path / "rotated.jpg", exif=exif)
    cv2.imwrite(str(tmp_path / "deep.png"), portrait[..., ::-1].astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "grey.jpg"), cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY))
    alpha = np.full(portrait.shape[:2], 128, np.uint8)
    cv2.imwrite(str(tmp_path / "clear.png"), np.dstack([portrait[..., ::-1], alpha]))
    cv2.imwrite(str(tmp_path / "huge.jpg"), np.full((10_000, 10_000), 90, np.uint8))
    return tmp_path


def read(path: Path) -> Pictures:
    return of_files(path, files_of(path))


def by_name(pictures: Pictures) -> dict[str, Given]:
    return {given.name: given for given in pictures.given}


@pytest.mark.slow
def test_each_odd_file_is_told_once_and_the_rest_is_used(folder: Path, portrait: Image) -> None:
    pictures = read(folder)
    names = [remark.name for remark in pictures.remarks]
    assert len(names) == len(set(names))
    left_out = {remark.name for remark in pictures.remarks if remark.is_left_out}
    assert left_out == {"truncated.jpg", "empty.png", "text.jpg", "notes.txt"}
    said = {remark.name: remark.text for remark in pictures.remarks}
    for name, words in {
        "truncated.jpg": "truncated, damaged",
        "empty.png": "an empty file",
        "text.jpg": "not an image, but it has an image's name",
        "notes.txt": "not an image",
        "misnamed.png": "misnamed: a JPEG file",
        "rotated.jpg": "turned upright because of its EXIF orientation",
        "deep.png": "16 bits per channel, read as 8 bits",
        "grey.jpg": "grey",
        "clear.png": "transparent",
        "huge.jpg": "100 megapixels",
    }.items():
        assert said[name].startswith(words) or words in said[name], name
    assert set(said) == {*left_out, "misnamed.png", "rotated.jpg", "deep.png", "grey.jpg", "clear.png", "huge.jpg"}
    given = by_name(pictures)
    assert set(given) == {"good.jpg", "misnamed.png", "rotated.jpg", "deep.png", "grey.jpg", "clear.png", "huge.jpg"}
    expected = camera_input(portrait).astype(int)
    for name in ("rotated.jpg", "deep.png", "clear.png"):  # the same image, whatever its form
        assert np.abs(given[name].tensor - expected).mean() < 4, name


def test_a_folder_without_any_picture(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.jpg: .*empty.*name another"):
        read(tmp_path)


def test_pictures_of_a_data_set_that_cannot_be_read(portrait: Image) -> None:
    pytest.importorskip("scipy", reason="needs the extra `train`")
    from blazeposer.evaluate.datasets import Dataset, Sample

    def lost() -> Image:
        raise BlazePoserError("lost.jpg is missing or not an image: unpack the data set again")

    box, angles = np.array([[175.0, 60, 275, 190]]), np.array([[1.0, 2, 3]])
    samples = [Sample("good.jpg", lambda: portrait, box, angles), Sample("lost.jpg", lost, box, angles)]
    pictures = of_dataset(Dataset("mine", samples))
    assert [(remark.name, remark.is_left_out) for remark in pictures.remarks] == [("lost.jpg", True)]
    assert [given.name for given in pictures.given] == ["good.jpg"]


def test_an_official_data_set_that_is_damaged(portrait: Image, tmp_path: Path) -> None:
    pytest.importorskip("scipy", reason="needs the extra `train`")
    from blazeposer.evaluate.datasets import labelled
    from official import write_300w

    box = (175.0, 60.0, 275.0, 190.0)
    files = [tmp_path / f"image{number:05d}.jpg" for number in range(8)]
    for number, file in enumerate(files):
        yaw = float("nan") if number == 6 else 100.0 if number == 7 else -10.0  # 100: not measured on, as usual
        write_300w(file, portrait, (yaw, 5.0, 2.0), box, "pt3d_68")
    files[1].unlink()
    files[2].with_suffix(".mat").unlink()
    files[3].write_bytes(files[0].read_bytes()[:9000])
    files[4].with_suffix(".mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    cv2.imwrite(str(files[5]), cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY))
    with pytest.raises(BlazePoserError, match=r"image00001\.jpg.*missing.*unpack"):
        labelled("aflw2000", str(tmp_path))
    pictures = of_dataset(labelled("aflw2000", str(tmp_path), damaged=True))
    said = {remark.name: (remark.text, remark.is_left_out) for remark in pictures.remarks}
    assert len(said) == len(pictures.remarks) == 6
    for number, words, is_left_out in (
        (1, "missing, but image00001.mat exists", True),
        (2, "extra: there is no image00002.mat for this image", True),
        (3, "truncated, damaged", True),
        (4, "image00004.mat: Pose_Para and pt3d_68 cannot be read", True),
        (5, "grey", False),
        (6, "image00006.mat: a label is not a number", True),
    ):
        text, left_out = said[files[number].name]
        assert text.startswith(words)
        assert left_out == is_left_out
    assert [given.name for given in pictures.given] == [files[0].name, files[5].name]


@pytest.mark.slow
def test_the_command_lists_what_it_left_out(
    blazeposer_command: CommandLine, tmp_path: Path, portrait_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.jpg").write_bytes(portrait_path.read_bytes())
    (tmp_path / "in" / "bad.jpg").write_bytes(b"")
    run = blazeposer_command("validate", tmp_path / "in", "--output", tmp_path / "out", *SLOW)
    assert run.status == 0, run.out + run.err
    assert "1 of 2 images left out" in run.out.splitlines()[-1]
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("bad.jpg") == 1
