"""`blazeposer evaluate`: on a made-up pool, and the figures that the committed network is held to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from blazeposer.interpreter import open_network
from blazeposer.manifest import manifest_path, read_manifest
from blazeposer.prepare import Image
from blazeposer_training.data import TEST_POOL, read_pool
from blazeposer_training.evaluate import evaluate
from conftest import CommandLine
from pools import write_pool

FACE = {"yaw": 0, "pitch": -5, "roll": 3, "width": 512, "height": 512, "x0": 172, "y0": 70, "x1": 272, "y1": 190}


@pytest.fixture
def folder(tmp_path: Path, portrait: Image) -> Path:
    """Two labels on the portrait, one where its face is, one where none is, and one that the protocol leaves out."""
    rows = [{"file": f"image{i:05d}.png"} | FACE for i in range(3)]
    rows[1] |= {"x0": 400, "x1": 500}
    rows[2] |= {"roll": 120}
    write_pool(tmp_path, TEST_POOL, rows, portrait)
    return tmp_path


def test_prints_and_records_what_it_measured(
    folder: Path, tmp_path: Path, model_path: Path, blazeposer_command: CommandLine
) -> None:
    model = tmp_path / model_path.name
    for path in (model_path, manifest_path(model_path)):
        shutil.copy(path, tmp_path)
    run = blazeposer_command("evaluate", "--data", folder, "--model", model, "--record")
    assert run.status == 0, run.err
    for words in ("INT8, reference kernels", "clean", "camera", "0.5000"):
        assert words in run.out
    figures = read_manifest(model).figures[TEST_POOL]
    assert figures["runtime"] == "reference"
    for name in ("clean", "camera"):
        assert figures[name]["faces"] == 2
        assert figures[name]["found"] == 1
        assert figures[name]["mae"]["mean"] < 15
    assert read_manifest(model).figures["biwi"] == "not measured"


def test_without_data_it_says_where_to_name_them(
    tmp_path: Path, blazeposer_command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BLAZEPOSER_DATA", raising=False)
    run = blazeposer_command("evaluate")
    assert run.status == 1
    assert len(run.err.splitlines()) == 1
    assert "BLAZEPOSER_DATA" in run.err
    assert blazeposer_command("evaluate", "--data", tmp_path).status == 1


@pytest.mark.data
def test_the_committed_network_keeps_its_promise(data_dir: Path, model_path: Path) -> None:
    """At most 6.0 degrees on detected faces at a recall of at least 0.985, by LiteRT's reference kernels."""
    scores = evaluate(open_network(model_path), read_pool(data_dir, TEST_POOL), "clean")
    assert len(scores.labels) == 979
    assert scores.recall >= 0.985
    assert scores.mean <= 6.0
    recorded = json.loads(manifest_path(model_path).read_text())["figures"][TEST_POOL]["clean"]
    assert recorded["recall"] == pytest.approx(scores.recall, abs=0.002)  # another JPEG decoder may shift a pixel
    assert recorded["mae"]["mean"] == pytest.approx(scores.mean, abs=0.02)
