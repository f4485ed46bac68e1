"""The committed network files: what a camera's runtime and a stock decoder make of them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from blazeposer.core.contract import GRIDS, MAX_ARENA_BYTES, MAX_FILE_BYTES, OUTPUTS
from blazeposer.core.decode import decode
from blazeposer.core.prepare import Image, camera_input, to_int8
from blazeposer.scene.sequence import frames
from blazeposer.tflite.arena import measure_arena
from blazeposer.tflite.interpreter import Network, open_network
from blazeposer.tflite.manifest import read_manifest

Box = NDArray[np.float64]


@pytest.fixture(scope="module")
def pictures() -> list[Image]:
    """Every fourth frame of the demo's turning head as the camera gives it to the network."""
    return [camera_input(frame.picture) for frame in frames()[::4] if len(frame.people) == 1]


@pytest.fixture(scope="module")
def network(model_path: Path) -> Network:
    return open_network(model_path)


def test_file_fits_the_smallest_camera(model_path: Path) -> None:
    """The OpenMV H7 stores 131,072 bytes of models; the aim for the arithmetic and the parameters is our own."""
    manifest = read_manifest(model_path)
    assert model_path.stat().st_size <= MAX_FILE_BYTES
    assert manifest.parameters <= 104_100
    assert manifest.macs <= 31_000_000


def test_arena_fits_the_smallest_camera(model_path: Path, pictures: list[Image]) -> None:
    """TFLite Micro runs the file in exactly that much memory, and needs what the manifest says."""
    micro = pytest.importorskip("tflite_micro", reason="TFLite Micro has no wheel for this system")
    interpreter = micro.runtime.Interpreter.from_file(str(model_path), arena_size=MAX_ARENA_BYTES)
    interpreter.set_input(to_int8(pictures[0])[np.newaxis], 0)
    interpreter.invoke()
    assert interpreter.get_output(0).any()
    assert measure_arena(model_path).total == read_manifest(model_path).arena_bytes <= MAX_ARENA_BYTES


def test_micro_equals_reference_on_every_picture(model_path: Path, network: Network, pictures: list[Image]) -> None:
    pytest.importorskip("tflite_micro", reason="TFLite Micro has no wheel for this system")
    micro = open_network(model_path, "micro")
    for picture in pictures[::3]:
        for output, ours, theirs in zip(OUTPUTS, network.run(picture), micro.run(picture), strict=True):
            assert np.array_equal(ours, theirs), output.name


def test_fast_kernels_find_the_same_faces(model_path: Path, network: Network, pictures: list[Image]) -> None:
    """XNNPACK rounds otherwise: not the same bytes, but the same faces."""
    fast = open_network(model_path, "xnnpack")
    shifts = []
    for picture in pictures:
        (slow_face, *_), (fast_face, *_) = decode(network.outputs(picture)), decode(fast.outputs(picture))
        shifts.append(np.abs(np.subtract(slow_face.box, fast_face.box)).max() * 128)
    assert np.median(shifts) < 1


def test_stock_decoder_finds_the_hosts_boxes(network: Network, pictures: list[Image]) -> None:
    """OpenMV's own post-processor runs this file unchanged: its edges are within 1.5 pixels of the host's on average.

    Not in every frame: it takes the box of the best anchor, cut to whole pixels, and the host blends all that overlap.
    In float, too, that moves an edge by 1.4 pixels.
    """
    differences = []
    for picture in pictures:
        face = decode(network.outputs(picture))[0]
        x, y, width, height = (128 * value for value in face.box)
        stock = stock_boxes(network.run(picture), network.quantization)
        assert len(stock)
        differences.append(np.abs(stock[0] - [x, y, x + width, y + height]))
    assert np.mean(differences) < 1.5
    assert np.max(differences) < 8


def stock_boxes(raw: list[NDArray[np.int8]], quantization: tuple[tuple[float, int], ...]) -> Box:
    """Boxes (n, 4) x0, y0, x1, y1 by the rules of openmv v5.0's `ml.postprocessing.mediapipe.BlazeFace`, best first.

    Outputs 0 to 3 are read by index: regressors and scores of the 16x16 map, scores and regressors of the 8x8 map. A
    score counts if its int8 value reaches the threshold's; regressors are divided by 128 and added to the centre of the
    anchor; boxes are cut to whole pixels of the 128 grid. (Soft suppression lowers scores, but moves no box.)
    """
    boxes, scores = [], []
    for grid, regressors, logits in ((GRIDS[0], 0, 1), (GRIDS[1], 3, 2)):
        scale, zero_point = quantization[logits]
        levels = raw[logits][0, :, 0].astype(int)
        for anchor in np.flatnonzero(levels >= np.ceil(0.0 / scale + zero_point)):  # threshold 0.5 is a logit of 0
            cell = anchor // grid.anchors
            centre = (np.array([cell % grid.side, cell // grid.side]) + 0.5) / grid.side
            step, zero = quantization[regressors]
            values = (raw[regressors][0, anchor].astype(float) - zero) * step / 128
            middle, size = values[:2] + centre, values[2:4]
            boxes.append(np.trunc(np.concatenate([middle - size / 2, middle + size / 2]) * 128))
            scores.append((levels[anchor] - zero_point) * scale)
    return np.array(boxes)[np.argsort(scores)[::-1]]
