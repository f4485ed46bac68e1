"""The scripts in board/: the same faces as the host's decoder, under CPython and under real MicroPython."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from itertools import islice, takewhile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from blazeposer import contract
from blazeposer.camera import VirtualCamera, hardware, view
from blazeposer.decode import Face, decode
from blazeposer.interpreter import open_network
from blazeposer.prepare import Image, camera_input
from blazeposer.resources import board_dir
from blazeposer.rotation import rotation_from_angles
from blazeposer.stream import MAX_LINE, Record, parse_line, read_lines, read_records

Outputs = list[NDArray[np.int8]]

# Of the size that a real file has; the two score maps differ, as they do there.
QUANTIZATION = ((0.45, 3), (0.05, 20), (0.08, -12), (0.6, -7), (0.0085, 1), (0.0091, -2), (0.016, -128), (0.018, -120))
FRAME = np.full((240, 320, 3), 90, np.uint8)


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """board/blazeposer.py with numpy in ulab's place."""
    monkeypatch.setitem(sys.modules, "micropython", SimpleNamespace(const=lambda value: value))
    monkeypatch.setitem(sys.modules, "ulab", SimpleNamespace(numpy=np))
    spec = importlib.util.spec_from_file_location("board_blazeposer", board_dir() / "blazeposer.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def synthetic_outputs(seed: int, faces: int = 3) -> Outputs:
    """Raw outputs as a network would give them for some faces: groups of anchors that agree, over a background."""
    rng = np.random.default_rng(seed)
    centres, cells = contract.anchors(), contract.cell_of_anchor()
    scores = rng.normal(-5, 1, len(centres))
    regressors = rng.normal(0, 8, (len(centres), contract.REGRESSOR_VALUES))
    six = rng.normal(0, 0.5, (cells.max() + 1, contract.ROTATION_VALUES))
    for face in range(faces):
        middle = np.array([0.2 + 0.6 * face / max(faces - 1, 1), rng.uniform(0.25, 0.75)])
        size = rng.uniform(0.12, 0.3)
        near = np.linalg.norm(centres - middle, axis=1) < 0.35 * size
        near[np.argmin(np.linalg.norm(centres - middle, axis=1))] = True
        scores[near] = rng.uniform(-2, 5, near.sum())
        points = rng.uniform(-0.4, 0.4, (8, 2)) * size + middle
        values = (np.tile(points[None], (near.sum(), 1, 1)) - centres[near, None]) * contract.REGRESSOR_UNIT
        values[:, 0] = (middle - centres[near]) * contract.REGRESSOR_UNIT
        values[:, 1] = size * contract.REGRESSOR_UNIT
        regressors[near] = values.reshape(near.sum(), -1) + rng.normal(0, 0.8, (near.sum(), 16))
        rotation = rotation_from_angles(rng.uniform([-99, -40, -60], [99, 40, 60]))
        six[np.unique(cells[near])] = rotation[:2].ravel()
    six = six + rng.normal(0, 0.02, six.shape)
    first, split = contract.GRIDS[0].count, contract.GRIDS[0].cells
    tensors = (
        regressors[:first], scores[:first], scores[first:], regressors[first:], six[:split], six[split:],
        *np.split(np.log(rng.uniform(1, 60, len(six))), [split]),
    )  # fmt: skip
    return [
        np.clip(np.round(v.reshape(o.shape) / scale) + zero, -128, 127).astype(np.int8)
        for v, o, (scale, zero) in zip(tensors, contract.OUTPUTS, QUANTIZATION, strict=True)
    ]


def dequantized(raw: Outputs, quantization: tuple[tuple[float, int], ...] = QUANTIZATION) -> list[NDArray[np.float32]]:
    return [
        (tensor.astype(np.float32) - zero) * np.float32(scale)
        for tensor, (scale, zero) in zip(raw, quantization, strict=True)
    ]


def model_of(quantization: tuple[tuple[float, int], ...] = QUANTIZATION) -> Any:
    """What the post-processor reads of an ml.Model."""
    scales, zeros = zip(*quantization, strict=True)
    return SimpleNamespace(output_scale=scales, output_zero_point=zeros)


def assert_same(found: Any, expected: list[Face], pixels: float = 0.1, degrees: float = 0.1) -> None:
    """Faces of the board (or of its stream) are those of the host, in the same order."""
    assert len(found) == len(expected)
    for face, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(face.box, reference.box, rtol=0, atol=pixels)
        np.testing.assert_allclose(np.reshape(face.keypoints, (6, 2)), reference.keypoints, rtol=0, atol=pixels)
        turn = (np.array(face.angles) - reference.angles + 180) % 360 - 180
        np.testing.assert_allclose(turn, 0, atol=degrees)
        assert face.score == pytest.approx(reference.score, abs=0.006)
        assert face.err == pytest.approx(reference.error, abs=min(degrees, 0.051))  # one decimal


def test_constants_are_those_of_the_contract(board: ModuleType) -> None:
    names = [output.name for output in contract.OUTPUTS]
    first = 0
    for grid, found in zip(contract.GRIDS, board.MAPS, strict=True):
        outputs = [names.index(f"{kind}_{grid.side}") for kind in ("scores", "regressors", "rotation", "error")]
        assert found == (first, grid.side, grid.anchors, *outputs)
        first += grid.count
    assert board.INPUT_SIZE == contract.REGRESSOR_UNIT
    assert board.SHAPE_VALUES == contract.REGRESSOR_VALUES
    assert board.OVERLAP == contract.OVERLAP_THRESHOLD
    default = board.BlazePoser()
    assert default._logit == pytest.approx(np.log(contract.SCORE_THRESHOLD / (1 - contract.SCORE_THRESHOLD)))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("threshold", "max_faces"), [(0.5, 4), (0.2, 2), (0.9, 10)])
def test_cpython_decodes_as_the_host(board: ModuleType, seed: int, threshold: float, max_faces: int) -> None:
    raw, roi = synthetic_outputs(seed, faces=1 + seed % 5), (12, 5, 200, 240)
    found = board.BlazePoser(threshold, max_faces)(model_of(), [SimpleNamespace(roi=roi)], raw)
    expected = [face.moved(*roi) for face in decode(dequantized(raw), threshold, max_faces)]
    assert expected
    assert_same(found, expected, pixels=1e-3, degrees=1e-2)


def test_synthetic_outputs_try_what_matters() -> None:
    blended = several = second_solution = 0
    for seed in range(12):
        faces = decode(dequantized(synthetic_outputs(seed, faces=1 + seed % 5)), max_faces=10)
        logits = np.concatenate([o.ravel() for o in dequantized(synthetic_outputs(seed, 1 + seed % 5))[1:3]])
        several += len(faces) > 1
        blended += (logits > 0).sum() > len(faces)
        second_solution += any(abs(face.angles[0]) > 90 for face in faces)
    assert min(several, blended, second_solution) >= 1


def test_equal_scores_prefer_the_lower_anchor(board: ModuleType) -> None:
    raw = synthetic_outputs(1, faces=0)
    raw[1][:] = raw[2][:] = -128
    for anchor, shift in ((40, -60), (41, 60), (300, -60), (301, 60)):  # pairs of one cell that point apart
        raw[1][0, anchor] = 100
        raw[0][0, anchor] = 0
        raw[0][0, anchor, 0] = shift
        raw[0][0, anchor, 2:4] = 30
    expected = decode(dequantized(raw))
    found = board.BlazePoser()(model_of(), [SimpleNamespace(roi=(0, 0, 1, 1))], raw)
    assert len(found) == 4
    assert [face.box[0] for face in found] == pytest.approx([face.box[0] for face in expected], abs=1e-5)


def test_threshold_has_to_be_a_probability(board: ModuleType) -> None:
    for threshold in (0, 1, -0.5, 2):
        with pytest.raises(ValueError, match="above 0 and below 1"):
            board.BlazePoser(threshold)


def test_cpython_decodes_real_outputs_as_the_host(board: ModuleType, portrait: Image, model_path: Path) -> None:
    network = open_network(model_path)
    image = camera_input(view(portrait))
    expected = [face.moved(0, 0, 240, 240) for face in decode(network.outputs(image))]
    assert expected
    found = board.BlazePoser()(
        model_of(network.quantization), [SimpleNamespace(roi=(0, 0, 240, 240))], network.run(image)
    )
    assert_same(found, expected, pixels=1e-3, degrees=1e-2)


# From here on in real MicroPython, on the virtual camera.


class FakeNetwork:
    """Stands in for TFLite Micro: gives prepared outputs, one after the other."""

    is_int8 = True
    quantization = QUANTIZATION

    def __init__(self, outputs: list[Outputs]) -> None:
        self._outputs = outputs
        self._runs = 0

    def run(self, image: Image) -> Outputs:
        self._runs += 1
        return self._outputs[(self._runs - 1) % len(self._outputs)]


def install(camera: VirtualCamera, model: Path | None = None) -> None:
    """Copy the scripts and the model past mpremote, which takes long; other tests copy through it."""
    for script in board_dir().glob("*.py"):
        shutil.copy(script, camera.folder / "flash")
    if model:
        shutil.copy(model, camera.folder / "flash" / "blazeposer.tflite")


def streamed(camera: VirtualCamera, count: int) -> Iterator[Record]:
    camera.reset()
    return islice(read_records(camera.port), count)


@pytest.fixture
def fake_network(monkeypatch: pytest.MonkeyPatch) -> list[Outputs]:
    """Fill it with the outputs that the virtual camera's network gives."""
    outputs: list[Outputs] = []
    monkeypatch.setattr(hardware, "open_network", lambda path, runtime: FakeNetwork(outputs))
    return outputs


@pytest.mark.usefixtures("needs_virtual_camera")
def test_micropython_decodes_as_the_host(fake_network: list[Outputs], model_path: Path) -> None:
    fake_network += [synthetic_outputs(seed, faces=seed % 5) for seed in range(15)]
    seen = set()
    with VirtualCamera([FRAME]) as camera:
        install(camera, model_path)
        for record in streamed(camera, 25):
            number = record.seq % len(fake_network)
            seen.add(number)
            expected = [face.moved(0, 0, 240, 240) for face in decode(dequantized(fake_network[number]))]
            assert_same(record.faces, expected)
    assert len(seen) == len(fake_network)


@pytest.mark.usefixtures("needs_virtual_camera")
def test_stream_is_the_host_on_the_same_frames(portrait: Image, model_path: Path) -> None:
    """The whole path: snapshot, TFLite Micro, BlazePoser, JSON."""
    frames = [np.roll(portrait, (9 * n, 13 * n), (0, 1)) for n in range(6)]
    network = open_network(model_path, "micro")
    faces = 0
    with VirtualCamera(frames) as camera:
        install(camera, model_path)
        for record in streamed(camera, 9):
            image = camera_input(view(frames[record.seq % len(frames)]))
            expected = [face.moved(0, 0, 240, 240) for face in decode(network.outputs(image))]
            assert_same(record.faces, expected)
            faces += len(expected)
    assert faces >= 6


@pytest.mark.usefixtures("needs_virtual_camera")
def test_line_of_four_extreme_faces_fits(fake_network: list[Outputs], model_path: Path) -> None:
    raw = synthetic_outputs(0, faces=0)
    raw[1][:] = raw[2][:] = -128
    for anchor in (0, 30, 480, 510):  # the corners
        raw[1][0, anchor] = 127
        raw[0][0, anchor] = -128
        raw[0][0, anchor, 2:4] = 40
        raw[4][0, anchor // 2] = [-120, -5, 5, 0, 5, -120]
    fake_network.append(raw)
    with VirtualCamera([FRAME]) as camera:
        install(camera, model_path)
        camera.reset()
        line, record = next((text, found) for text in read_lines(camera.port) if (found := parse_line(text)))
    assert len(record.faces) == 4
    # Numbers of this line that grow while a camera runs, as long as they can be: seq, t_ms, fps.
    grown = len("9999999999") * 2 + len("999.9") - len(f"{record.seq}{record.t_ms}{record.fps:.1f}")
    # Every angle, error and length of each face, at its longest.
    longest = len("-179.9") * 3 + len("180.0") + len("-999.9") * 16
    for face in record.faces:
        numbers = [*face.box, *np.ravel(face.keypoints), *face.angles, face.err]
        grown += longest - sum(len(f"{number:.1f}") for number in numbers)
    assert len(line) + grown <= MAX_LINE


def said_until_repl(camera: VirtualCamera) -> list[str]:
    """What a reset camera prints before the REPL greets."""
    camera.reset()
    return list(takewhile(lambda line: not line.startswith("MicroPython"), read_lines(camera.port)))


@pytest.mark.usefixtures("needs_virtual_camera")
@pytest.mark.parametrize("version", ["4.8.0", "4.5.9"])
def test_older_firmware_gets_one_line(version: str) -> None:
    with VirtualCamera([FRAME], version=version) as camera:
        install(camera)
        lines = said_until_repl(camera)
    assert lines == [
        f"BlazePoser stopped: it needs OpenMV firmware 5.0 or later, this is {version}: update it with OpenMV IDE"
    ]


@pytest.mark.usefixtures("needs_virtual_camera")
def test_missing_model_gets_one_line() -> None:
    with VirtualCamera([FRAME]) as camera:
        install(camera)
        (line,) = said_until_repl(camera)
    assert line.startswith("BlazePoser stopped: no model at /rom/blazeposer.tflite, /sdcard/blazeposer.tflite, /flash/")


@pytest.mark.usefixtures("needs_virtual_camera")
def test_first_model_that_exists_is_taken(model_path: Path) -> None:
    with VirtualCamera([FRAME]) as camera:
        install(camera)
        shutil.copy(model_path, camera.folder / "rom" / "blazeposer.tflite")
        (camera.folder / "flash" / "blazeposer.tflite").write_bytes(b"not the one")
        assert [record.seq for record in streamed(camera, 3)] == sorted(range(3))


@pytest.mark.usefixtures("needs_virtual_camera")
def test_sensor_without_colour(portrait: Image, model_path: Path) -> None:
    with VirtualCamera([portrait], gray=True) as camera:
        install(camera, model_path)
        (record,) = streamed(camera, 1)
    image = camera_input(view(portrait, gray=True))
    expected = [face.moved(0, 0, 240, 240) for face in decode(open_network(model_path, "micro").outputs(image))]
    assert expected
    assert_same(record.faces, expected)


@pytest.mark.usefixtures("needs_virtual_camera")
@pytest.mark.parametrize(("window", "side"), [(999, 240), (200, 200)])
def test_window_is_square_whatever_the_frame(portrait: Image, model_path: Path, window: int, side: int) -> None:
    with VirtualCamera([portrait]) as camera:
        install(camera, model_path)
        script = camera.folder / "flash" / "main.py"
        script.write_text(script.read_text().replace("WINDOW = 240", f"WINDOW = {window}"))
        (record,) = streamed(camera, 1)
    image = camera_input(view(portrait, window=(160 - side // 2, 120 - side // 2, side, side)))
    expected = [face.moved(0, 0, side, side) for face in decode(open_network(model_path, "micro").outputs(image))]
    assert expected
    assert_same(record.faces, expected)


@pytest.mark.usefixtures("needs_virtual_camera")
def test_drawing_option(portrait: Image, model_path: Path) -> None:
    with VirtualCamera([portrait]) as camera:
        install(camera, model_path)
        script = camera.folder / "flash" / "main.py"
        script.write_text(script.read_text().replace("DRAW = False", "DRAW = True"))
        (record,) = streamed(camera, 1)
    assert record.faces
