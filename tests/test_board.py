"""The scripts in board/: the same faces as the host's decoder, under CPython and under real MicroPython."""

import re
import shutil
from collections.abc import Iterator
from itertools import islice, takewhile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from blazeposer.camera import VirtualCamera, hardware, view
from blazeposer.core import contract
from blazeposer.core.decode import decode
from blazeposer.core.prepare import Image, camera_input
from blazeposer.core.resources import board_dir
from blazeposer.faces.tracker import board_module
from blazeposer.openmv import romfs
from blazeposer.openmv.mpremote import mpremote
from blazeposer.stream.record import MAX_LINE, Record, parse_line, read_records
from blazeposer.tflite.interpreter import open_network
from blazeposer.tflite.manifest import read_manifest
from decode_time import decode_on_unix, survivors
from outputs import QUANTIZATION, Outputs, assert_same, dequantized, synthetic_outputs
from reading import read_lines

FRAME = np.full((240, 320, 3), 90, np.uint8)


@pytest.fixture
def board() -> ModuleType:
    """board/blazeposer.py in CPython."""
    return board_module("blazeposer")


def flat(raw: Outputs) -> Outputs:
    """Return flat tensors, as MicroPython's memoryview() gives them."""
    return [tensor.ravel() for tensor in raw]


def model_of(quantization: tuple[tuple[float, int], ...] = QUANTIZATION) -> Any:
    """Return the attributes of an ml.Model that the post-processor reads."""
    scales, zeros = zip(*quantization, strict=True)
    return SimpleNamespace(output_scale=scales, output_zero_point=zeros)


def test_constants_are_those_of_the_contract(board: ModuleType) -> None:
    names = [output.name for output in contract.OUTPUTS]
    first = 0
    for grid, found in zip(contract.GRIDS, board.MAPS, strict=True):
        outputs = [names.index(f"{kind}_{grid.side}") for kind in ("scores", "regressors", "rotation", "error")]
        assert found == (first, grid.side, grid.anchors, *outputs)
        first += grid.count
    assert first == board.ANCHORS
    assert board.INPUT_SIZE == contract.REGRESSOR_UNIT
    assert board.SHAPE_VALUES == contract.REGRESSOR_VALUES
    assert board.ROTATION_VALUES == contract.ROTATION_VALUES
    assert board.VALUES == contract.REGRESSOR_VALUES + contract.ROTATION_VALUES + 1
    assert board.OVERLAP[0] / board.OVERLAP[1] == contract.OVERLAP_THRESHOLD
    default = board.BlazePoser()
    assert default._logit == pytest.approx(np.log(contract.SCORE_THRESHOLD / (1 - contract.SCORE_THRESHOLD)))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("threshold", "max_faces"), [(0.5, 4), (0.2, 2), (0.9, 10)])
def test_cpython_decodes_as_the_host(board: ModuleType, seed: int, threshold: float, max_faces: int) -> None:
    raw, roi = synthetic_outputs(seed, faces=1 + seed % 5), (12, 5, 200, 240)
    found = board.BlazePoser(threshold, max_faces)(model_of(), [SimpleNamespace(roi=roi)], flat(raw))
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
    found = board.BlazePoser()(model_of(), [SimpleNamespace(roi=(0, 0, 1, 1))], flat(raw))
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
        model_of(network.quantization), [SimpleNamespace(roi=(0, 0, 240, 240))], flat(network.run(image))
    )
    assert_same(found, expected, pixels=1e-3, degrees=1e-2)


# From here on in real MicroPython.


@pytest.mark.usefixtures("needs_virtual_camera")
def test_what_a_frame_allocates_depends_on_its_faces_alone() -> None:
    centres = contract.anchors()[: contract.GRIDS[0].count] * contract.INPUT_SIZE
    near = np.flatnonzero(np.abs(centres - 64).max(axis=1) < 32)
    scale, zero = QUANTIZATION[0]
    frames = []
    for seeing in (near[:0], near[:1], near):  # anchors that see one and the same box
        raw = synthetic_outputs(0, faces=0)
        raw[1][:] = raw[2][:] = -128
        raw[1][0, seeing] = 100
        raw[0][0, near, :2] = np.round((64 - centres[near]) / scale) + zero
        raw[0][0, near, 2:4] = 100
        frames.append(raw)
    nothing, one, many = decode_on_unix(frames, repeats=1)
    assert (nothing.faces, one.faces, many.faces) == (0, 1, 1)
    assert (survivors(frames[1]), survivors(frames[2])) == (1, 128)
    assert nothing.allocated <= 256  # the empty list, and two views of the scores
    assert one.allocated == many.allocated


# From here on on the virtual camera.


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


def install(camera: VirtualCamera, model: Path | None = None, drive: str = "flash") -> None:
    """Copy the scripts and the model past mpremote, which takes long; other tests copy through it."""
    for script in board_dir().glob("*.py"):
        shutil.copy(script, camera.folder / drive)
    if model:
        shutil.copy(model, camera.folder / drive / "blazeposer.tflite")


def set_option(camera: VirtualCamera, name: str, value: str) -> None:
    """Change a line at the top of main.py, as its users do."""
    script = camera.folder / "flash" / "main.py"
    text, count = re.subn(rf"^{name} = \S+", f"{name} = {value}", script.read_text(), flags=re.MULTILINE)
    assert count == 1
    script.write_text(text)


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
        set_option(camera, "CLOSER", "False")
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
        set_option(camera, "CLOSER", "False")
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
    """Return the lines that a reset camera prints before the REPL greets."""
    camera.reset()
    return list(takewhile(lambda line: not line.startswith("MicroPython"), read_lines(camera.port)))


@pytest.mark.usefixtures("needs_virtual_camera")
@pytest.mark.parametrize("version", ["4.8.0", "4.5.9"])
def test_older_firmware_gets_one_line(version: str) -> None:
    with VirtualCamera([FRAME], version=version) as camera:
        install(camera)
        lines = said_until_repl(camera)
    assert lines == [
        "BlazePoser stopped: it needs OpenMV firmware 5.0 or later, "
        f"but the camera has {version}: update the firmware with OpenMV IDE"
    ]


@pytest.mark.usefixtures("needs_virtual_camera")
def test_missing_model_gets_one_line() -> None:
    with VirtualCamera([FRAME]) as camera:
        install(camera)
        (line,) = said_until_repl(camera)
    assert line.startswith("BlazePoser stopped: no file at /rom/blazeposer.tflite, /sdcard/blazeposer.tflite, /flash/")


@pytest.mark.usefixtures("needs_virtual_camera")
def test_first_model_that_exists_is_taken(model_path: Path) -> None:
    with VirtualCamera([FRAME]) as camera:
        install(camera)
        camera.device.burn(romfs.pack({"blazeposer.tflite": model_path.read_bytes()}, 16))
        (camera.folder / "flash" / "blazeposer.tflite").write_bytes(b"not the one")
        numbers = [record.seq for record in streamed(camera, 3)]
    assert numbers == list(range(numbers[0], numbers[0] + 3))


@pytest.mark.usefixtures("needs_virtual_camera")
def test_sensor_without_colour(portrait: Image, model_path: Path) -> None:
    with VirtualCamera([portrait], gray=True) as camera:
        install(camera, model_path)
        set_option(camera, "CLOSER", "False")
        (record,) = streamed(camera, 1)
    image = camera_input(view(portrait, gray=True))
    expected = [face.moved(0, 0, 240, 240) for face in decode(open_network(model_path, "micro").outputs(image))]
    assert expected
    assert_same(record.faces, expected)


@pytest.mark.usefixtures("needs_virtual_camera")
@pytest.mark.parametrize(("window", "side"), [(999, 480), (200, 200)])
def test_window_is_square_whatever_the_frame(portrait: Image, model_path: Path, window: int, side: int) -> None:
    with VirtualCamera([portrait]) as camera:
        install(camera, model_path)
        set_option(camera, "WINDOW", str(window))
        set_option(camera, "CLOSER", "False")
        (record,) = streamed(camera, 1)
    width, height = (640, 480) if side > 240 else (320, 240)
    middle = (width // 2 - side // 2, height // 2 - side // 2, side, side)
    image = camera_input(view(portrait, (width, height), middle))
    expected = [face.moved(0, 0, side, side) for face in decode(open_network(model_path, "micro").outputs(image))]
    assert expected
    assert_same(record.faces, expected)


@pytest.mark.usefixtures("needs_virtual_camera")
def test_model_is_loaded_before_the_other_imports() -> None:
    """While the heap's largest block is still whole."""
    with VirtualCamera([FRAME]) as camera:
        install(camera)
        (camera.folder / "flash" / "blazeposer.tflite").write_bytes(b"bad")
        (camera.folder / "flash" / "blazeposer.py").write_text("print('imported')")
        lines = said_until_repl(camera)
    assert "ml" in " ".join(lines)
    assert "imported" not in lines


@pytest.mark.usefixtures("needs_virtual_camera")
def test_drawing_option(portrait: Image, model_path: Path) -> None:
    with VirtualCamera([portrait]) as camera:
        install(camera, model_path)
        set_option(camera, "DRAW", "True")
        (record,) = streamed(camera, 1)
    assert record.faces


@pytest.mark.usefixtures("needs_virtual_camera")
def test_without_smooth_the_filter_is_not_needed(portrait: Image, model_path: Path) -> None:
    with VirtualCamera([portrait]) as camera:
        install(camera, model_path)
        (camera.folder / "flash" / "one_euro.py").unlink()
        (record,) = streamed(camera, 1)
    assert record.faces


@pytest.mark.usefixtures("needs_virtual_camera")
def test_bench_measures_and_ends_with_a_row(portrait: Image, model_path: Path, tmp_path: Path) -> None:
    script = (board_dir() / "bench.py").read_text().replace("FRAMES = 100", "FRAMES = 4")
    (tmp_path / "bench.py").write_text(script)
    with VirtualCamera([portrait]) as camera:
        install(camera, model_path)
        printed = mpremote(camera.port, "run", str(tmp_path / "bench.py"))
        board = camera.device.board
    *lines, row = printed.splitlines()
    values = dict(line.split(" ", 1) for line in lines)
    assert values["board"] == f"{board.board_type} {board.omv_arch}"
    assert values["firmware"] == "5.0.0"
    assert int(values["model.ram"]) == read_manifest(model_path).arena_bytes
    assert values["frames"] == "4 faces 4"
    times = [values[name].removesuffix(" ms") for name in ("snapshot", "predict", "decode")]
    assert all(float(time) > 0 for time in times)
    assert row.split(" | ") == [f"| {board.board_type}", "5.0.0", values["model.ram"], *times, "1.00 |"]
