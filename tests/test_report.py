"""The report: what the page and its JSON say, and what the plots draw."""

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from blazeposer.core.errors import InputError
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import geodesic_degrees, rotation_from_angles
from blazeposer.evaluate import plots
from blazeposer.evaluate.accuracy import SHOWN, Report, pose_table, worst_table
from blazeposer.evaluate.datasets import Dataset, Sample
from blazeposer.evaluate.metrics import Scores
from blazeposer.media.output import render, write_figure

Floats = NDArray[np.float64]
SVG = "{http://www.w3.org/2000/svg}"


def unread() -> Image:
    raise AssertionError("a report reads no picture")


@pytest.fixture
def scores() -> Scores:
    """200 made-up faces, 3 of them not found, whose error grows with the yaw, as the expected error does."""
    rng = np.random.default_rng(0)
    labels = rng.uniform(-90, 90, (200, 3)) * (1, 0.3, 0.3)
    size = 2 + np.abs(labels[:, :1]) / 10
    predicted = labels + size * rng.normal(0, 1, (200, 3)) + (0, 3, 0)
    geodesic = geodesic_degrees(rotation_from_angles(predicted), rotation_from_angles(labels))
    expected = 1.5 * size[:, 0]
    for values in (predicted, geodesic, expected):
        values[:3] = np.nan
    return Scores(labels, predicted, geodesic, expected)


@pytest.fixture
def report(scores: Scores, tmp_path: Path) -> Report:
    model = tmp_path / "some.tflite"
    model.write_bytes(b"bytes")
    samples = [
        Sample(f"<{i}>.jpg", unread, np.zeros((1, 4)), angles[np.newaxis]) for i, angles in enumerate(scores.labels)
    ]
    dataset, table = Dataset("made_up", samples), pose_table({"clean": scores}, "some.tflite", "some rule")
    return Report(model, True, "reference", dataset, table, {"clean": scores})


class Page(HTMLParser):
    """Text and images of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.images: dict[str, str] = {}
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        if tag == "img":
            self.images[values["alt"] or ""] = values["src"] or ""

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())


def test_the_page_is_self_contained_and_says_what_was_measured(report: Report, scores: Scores, tmp_path: Path) -> None:
    report.write(tmp_path / "out")
    text = (tmp_path / "out" / "report.html").read_text()
    page = Page(text)
    assert not page.tags & {"script", "link", "iframe"}
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert len(page.images) == 2
    for name, source in page.images.items():
        kind, _, data = source.partition(",")
        assert kind == "data:image/svg+xml;base64", name
        root = ET.fromstring(base64.b64decode(data))
        assert root.tag == f"{SVG}svg"
        assert "date" not in base64.b64decode(data).decode().lower()
    for words in (
        "some.tflite (INT8)",
        hashlib.sha256(b"bytes").hexdigest(),
        "made_up: 200 faces in 200 images",
        "a score of at least 0.5; best overlap with the label's box above 0.4 IoU",
        "197",
        "0.9850",
        f"{scores.mean:.2f}",
        "whole image squeezed to 128 x 128; clean",
        "LiteRT, reference kernels",
    ):
        assert any(words in word for word in page.words), words


def test_the_json_holds_what_the_page_shows(report: Report, scores: Scores, tmp_path: Path) -> None:
    report.write(tmp_path / "out")
    figures = json.loads((tmp_path / "out" / "report.json").read_text())
    assert figures["sha256"] == hashlib.sha256(b"bytes").hexdigest()
    assert figures["faces"] == 200
    clean = figures["inputs"]["clean"]
    assert clean["found"] == 197
    assert clean["interval"] == [round(value, 2) for value in scores.interval()]
    assert clean["surest_half"]["ranking"] == pytest.approx(scores.ranking, abs=0.01)
    assert sum(part["faces"] for part in clean["reliability"]) == 197
    assert clean["reliability"][0]["expected"] < clean["reliability"][-1]["expected"]


def test_a_folder_that_cannot_be_made_is_one_clear_line(report: Report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make this folder"):
        report.write(tmp_path / "file" / "out")


def lines(figure: Figure, axes: int) -> dict[str, tuple[Floats, Floats]]:
    drawn = figure.axes[axes].get_lines()
    return {str(line.get_label()): (np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in drawn}


def test_error_by_yaw_draws_the_means_of_the_faces_in_ten_degrees(scores: Scores) -> None:
    figure = plots.error_by_yaw(scores)
    drawn = lines(figure, 1)
    yaw = scores.labels[scores.found, 0]
    part = (yaw >= 20) & (yaw < 30)
    for index, angle in enumerate(("yaw", "pitch", "roll")):
        x, y = drawn[angle]
        assert y[x == 25][0] == pytest.approx(scores.errors[part, index].mean())
    x, y = drawn["geodesic"]
    assert y[x == 25][0] == pytest.approx(scores.geodesic[scores.found][part].mean())
    assert figure.axes[1].get_ylim()[1] > max(drawn[name][1].max() for name in ("yaw", "pitch", "roll", "geodesic"))


def test_reliability_draws_the_table_and_nothing_of_it_is_cut_off(scores: Scores) -> None:
    figure = plots.reliability(scores)
    x, y = lines(figure, 0)["measured"]
    bins = scores.reliability()
    np.testing.assert_allclose(x, [part.expected for part in bins])
    np.testing.assert_allclose(y, [part.actual for part in bins])
    assert figure.axes[0].get_xlim()[1] >= max(x.max(), y.max())


def test_worst_cases_are_those_with_the_largest_errors(scores: Scores) -> None:
    table = worst_table(scores, [f"{i}.jpg" for i in range(200)])
    order = np.argsort(-np.nan_to_num(scores.geodesic))[:SHOWN]
    assert [row[:2] for row in table.rows] == [[f"{face}.jpg", f"{scores.geodesic[face]:.0f}"] for face in order]
    labelled = [" / ".join(f"{angle:+.0f}" for angle in scores.labels[face]) for face in order]
    assert [row[2] for row in table.rows] == labelled


def test_every_plot_can_do_with_one_face(scores: Scores) -> None:
    found = 1
    few = Scores(
        *(values[: 3 + found] for values in (scores.labels, scores.predicted, scores.geodesic, scores.expected))
    )
    assert len(worst_table(few, [f"{i}.jpg" for i in range(3 + found)]).rows) == found
    for figure in (
        plots.error_by_yaw(few),
        plots.reliability(few),
    ):
        assert render(figure).startswith(b"<?xml")


def test_a_plot_alone_is_of_its_file_s_kind(scores: Scores, tmp_path: Path) -> None:
    write_figure(tmp_path / "a" / "reliability.svg", plots.reliability(scores))
    assert ET.parse(tmp_path / "a" / "reliability.svg").getroot().tag == f"{SVG}svg"
    write_figure(tmp_path / "reliability.png", plots.reliability(scores))
    image = cv2.imread(str(tmp_path / "reliability.png"))
    assert image is not None
    assert min(image.shape[:2]) > 400
    assert image.std() > 5
    with pytest.raises(InputError, match=r"\.png, \.svg or \.pdf"):
        write_figure(tmp_path / "reliability.doc", plots.reliability(scores))
