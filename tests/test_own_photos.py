"""One's own photos alone: from a folder of photos to an INT8 network, without the research pools."""

import re
from pathlib import Path

import cv2
import pytest

from blazeposer.core.prepare import Image
from blazeposer.faces.detector import Detector
from conftest import CommandLine

pytest.importorskip("torch", reason="needs the extra `train`")

from blazeposer.evaluate.datasets.pool import read_pool
from blazeposer_training.images.bank import DRAWN, drawn_backgrounds
from blazeposer_training.learning.recipe import RECIPES


def test_drawn_backgrounds_have_no_face_and_are_the_same_each_time() -> None:
    first, second = drawn_backgrounds(), drawn_backgrounds()
    assert len(first) == DRAWN
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    detector = Detector(fast=True)
    assert sum(bool(detector(picture)) for picture in first) <= 2


@pytest.mark.slow
def test_from_photos_to_a_network(
    blazeposer_command: CommandLine, portrait: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BLAZEPOSER_DATA", raising=False)
    Path("photos").mkdir()
    for number in range(6):
        turn = cv2.getRotationMatrix2D((225, 128), 6 * number - 15, 1.0)
        cv2.imwrite(f"photos/{number}.jpg", cv2.warpAffine(portrait[..., ::-1], turn, (512, 512)))
    assert blazeposer_command("label", "photos", "--name", "mine", "-o", "data").status == 0
    assert len(read_pool(Path("data"), "mine", "val")) >= 1
    text = (RECIPES / "own.toml").read_text()
    for setting, value in (("steps", 3), ("batch", 4), ("warmup", 1)):
        text = re.sub(rf"^{setting} = .*$", f"{setting} = {value}", text, flags=re.MULTILINE)
    Path("short.toml").write_text(text)
    run = blazeposer_command("train", "--data", "data", "--pool", "mine", "--only", "--recipe", "short.toml")
    assert run.status == 0, run.err
    run = blazeposer_command(
        "quantize", "--weights", "out/mine.safetensors", "--data", "data", "--pool", "mine", "--plain",
        "--images", 20, "-o", "out/mine",
    )  # fmt: skip
    assert run.status == 0, run.err
    (face,) = Detector("out/mine/blazeposer.tflite", fast=True)(portrait)
    assert face.score > 0.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--only"], "--only needs --pool"), (["--only", "--pool", "none", "--data", "."], "no pool none")],
)
def test_what_is_missing_is_one_line(
    blazeposer_command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run = blazeposer_command("train", *arguments)
    assert run.status != 0
    assert run.err.count("\n") == 1
    assert words in run.err
