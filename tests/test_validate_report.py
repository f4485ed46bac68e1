"""A whole run of `blazeposer validate` with a (virtual) camera at a port, and its page in a real browser."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from blazeposer.camera import VirtualCamera
from blazeposer.cli import main
from blazeposer.core.errors import InputError
from blazeposer.core.prepare import Image
from blazeposer.core.resources import board_dir, default_model
from blazeposer.evaluate.page import write_report
from blazeposer.evaluate.report import Picture, Section, Table, is_passed, verdict_of
from browser import opened

pytestmark = pytest.mark.slow

PIXEL = b'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><rect width="20" height="10"/></svg>'


@pytest.fixture(scope="module")
def folder(
    portrait: Image, portrait_path: Path, needs_virtual_camera: None, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The report of all stages on the portrait."""
    for module in ("torch", "tensorflow"):
        pytest.importorskip(module, reason="needs the extra `train`")
    folder = tmp_path_factory.mktemp("report")
    with VirtualCamera([portrait]) as camera, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder))  # for the lock of the port
        for source in (board_dir() / "blazeposer.py", board_dir() / "find_model.py", default_model()):
            shutil.copy(source, camera.folder / "flash")
        status = main(["validate", str(portrait_path), "--port", camera.port, "--output", str(folder)])
    assert status == 0
    return folder


def test_every_stage_was_run_and_agrees(folder: Path) -> None:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    assert report["passed"] is True
    assert report["verdict"] == "PASSED: all 10 checks that were run"
    pairs = {f"{check['first']} / {check['second']}": check for check in report["checks"] if "first" in check}
    exact = ("reference / micro", "reference / converter", "micro / board", "reference / camera")
    assert set(pairs) == {"torch / float", "float / reference", "reference / xnnpack", *exact}
    for name in exact:
        assert pairs[name]["raw_outputs"]["values"] == pairs[name]["raw_outputs"]["equal"] == 17_472, name
    for check in pairs.values():
        assert check["found_by_both"] == 1
        assert check["found_by_first_alone"] == check["found_by_second_alone"] == 0
    assert pairs["float / reference"]["differences"]["box, px"]["worst"] > 0
    assert pairs["reference / micro"]["first_layer"] is None
    assert pairs["reference / xnnpack"]["first_layer"] == "backbone.stem"


def test_page_opens_offline_and_fits_screen_and_paper(folder: Path) -> None:
    with opened() as browser:
        context = browser.new_context(viewport={"width": 420, "height": 800}, offline=True)
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / "report.html").as_uri())
        assert page.locator(".verdict").inner_text().startswith("PASSED")
        assert page.locator("h1 + .verdict").count() == 1  # the verdict comes first
        broken = "[...document.images].filter(image => !image.naturalWidth).length"
        assert page.evaluate("document.images.length") >= 2
        assert page.evaluate(broken) == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        assert page.pdf(format="A4").count(b"/Type /Page\n") >= 2


def test_a_section_that_failed_comes_first_in_words(tmp_path: Path) -> None:
    table = Table(("a", "b", "c"), [("x", "1.5", "3 of 40")])
    sections = [
        Section("Good", ["Fine."], "passed"),
        Section("Bad <b>", ["Off by 3 px.", table, Picture(PIXEL, "a box")], "failed"),
        Section("Left", ["Not run: no camera."], "not run"),
        Section("Shown", ["Nothing to judge."]),
    ]
    assert not is_passed(sections)
    assert verdict_of(sections) == "FAILED: Bad <b>; not run: Left"
    write_report(tmp_path, "A title", {"network": "n & m"}, sections)
    page = (tmp_path / "report.html").read_text()
    assert "Bad &lt;b&gt;" in page
    assert "n &amp; m" in page
    assert "data:image/svg+xml;base64," in page
    assert "<td>x<td class=n>1.5<td class=n>3 of 40" in page
    assert page.index("FAILED: Bad &lt;b&gt;; not run: Left") < page.index("<table")
    values = json.loads((tmp_path / "report.json").read_text())
    assert [check["finding"] for check in values["checks"]][1] == "Off by 3 px."


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    with pytest.raises(InputError, match="check --output"):
        write_report(tmp_path, "A title", {}, [])
