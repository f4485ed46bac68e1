"""The sheet of the expected error: bins, verdicts, table, drawing, and the command that measures it."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the extra `train` is not installed")
pytest.importorskip("matplotlib", reason="the extra `train` is not installed")

from blazeposer.core.prepare import Image
from blazeposer.evaluate.datasets.pool import TEST_POOL
from blazeposer.evaluate.metrics import Scores
from blazeposer.evaluate.sheet import FEWEST, PLAIN, TRIALS, Bin, draw_sheet, sheet_dict, sheet_table
from blazeposer.media.output import render
from conftest import CommandLine
from pools import write_pool

FACE = {"yaw": 0, "pitch": -5, "roll": 3, "width": 512, "height": 512, "x0": 172, "y0": 70, "x1": 272, "y1": 190}


def scores(expected: float, true: float = 10.0, found: int = 30, faces: int = 40) -> Scores:
    geodesic = np.where(np.arange(faces) < found, true, np.nan)
    angles = np.where(np.isnan(geodesic)[:, None], np.nan, np.zeros((faces, 3)))
    return Scores(np.zeros((faces, 3)), angles, geodesic, np.where(np.isnan(geodesic), np.nan, expected))


@pytest.mark.parametrize(("expected", "verdict"), [(7.4, "NO"), (7.6, "yes"), (10, "yes"), (12.4, "yes"), (12.6, "NO")])
def test_an_expected_error_is_true_within_a_quarter_of_the_true_one(expected: float, verdict: str) -> None:
    one = Bin("blur", "2", scores(expected))
    assert one.ratio == pytest.approx(expected / 10)
    assert one.verdict == verdict


def test_a_bin_in_which_hardly_a_face_is_found_is_not_judged() -> None:
    assert Bin("blur", "6", scores(1.0, found=FEWEST)).verdict == "NO"
    assert Bin("blur", "6", scores(1.0, found=FEWEST - 1)).verdict == "few"
    assert Bin("blur", "6", scores(1.0, found=0)).verdict == "few"


def every_bin() -> list[Bin]:
    """Return all bins, with true errors except for upside-down images."""
    bins = []
    for condition, level in TRIALS:
        is_wrong = condition is not None and condition.name == "turned image" and level == 180
        measured = scores(1.0 if is_wrong else 10.0, found=0 if level == 12 else 30)
        bins.append(Bin(condition.name if condition else PLAIN, f"{level:g}" if condition else "", measured))
    return bins


def test_the_table_has_a_row_a_bin_and_counts_the_wrong_ones() -> None:
    table = sheet_table(every_bin(), "ours on faces")
    assert len(table.rows) == len(TRIALS)
    assert table.rows[0] == ("as it is", "", "40", "30", "0.7500", "0.00", "10.00", "10.00", "1.00", "yes")
    by_bin = {row[:2]: row for row in table.rows}
    assert by_bin["turned image", "180"][-2:] == ("0.10", "NO")
    assert by_bin["face size", "12"][3:] == ("0", "0.0000", "-", "-", "-", "-", "few")
    assert "In 1 of 55 rows the answer is NO" in table.caption
    figures = json.loads(json.dumps(sheet_dict(every_bin())))
    assert figures["turned image"]["180"] == {
        "faces": 40, "found": 30, "recall": 0.75, "mae": 0.0, "geodesic": 10.0, "expected": 1.0,
    }  # fmt: skip
    assert figures["face size"]["12"]["geodesic"] is None


def test_the_drawing_has_both_errors_of_every_level() -> None:
    figure = draw_sheet(every_bin())
    turned = next(axes for axes in figure.axes if axes.get_title(loc="left") == "turned image")
    true, stated = (np.asarray(line.get_ydata(), np.float64) for line in turned.get_lines())
    assert true.tolist() == 8 * [10.0]
    assert stated.tolist() == [*7 * [10.0], 1.0]
    assert render(figure).startswith(b"<?xml")


def test_a_report_has_the_sheet(
    tmp_path: Path, portrait: Image, model_path: Path, blazeposer_command: CommandLine
) -> None:
    write_pool(tmp_path, TEST_POOL, [{"file": "image00000.png", **FACE}], portrait)
    arguments = ("--data", tmp_path, "--model", model_path, "--input", "clean", "--runtime", "xnnpack")
    run = blazeposer_command("evaluate", *arguments, "--report", tmp_path / "out")
    assert run.status == 0, run.err
    assert "turned image" in run.out
    figures = json.loads((tmp_path / "out" / "report.json").read_text())["sheet"]
    assert figures["as it is"][""]["found"] == 1
    assert set(figures["turned image"]) == {"15", "30", "45", "60", "90", "135", "180"}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Disturbed images" in page
    assert "cut by the edge" in page
