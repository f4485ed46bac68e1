"""The model contract: the layout that OpenMV's stock BlazeFace reads, and the committed files that keep it."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from blazeposer.core import contract
from blazeposer.tflite.manifest import read_manifest


def test_first_outputs_are_the_stock_layout() -> None:
    """openmv v5.0 `ml.postprocessing.mediapipe.BlazeFace` reads by index: regressors and scores of the 16x16 map (512
    anchors), then scores and regressors of the 8x8 map (384), all of rank 3."""
    shapes = [output.shape for output in contract.OUTPUTS]
    assert shapes[:4] == [(1, 512, 16), (1, 512, 1), (1, 384, 1), (1, 384, 16)]
    assert shapes[4:] == [(1, 256, 6), (1, 64, 6), (1, 256, 1), (1, 64, 1)]


def test_anchors_lie_at_the_centres_of_their_cells() -> None:
    centres, cells = contract.anchors(), contract.cell_of_anchor()
    assert centres.shape == (896, 2)
    same_cell, next_cell, next_row = (0.5, 0.5), (1.5, 0.5), (0.5, 1.5)
    first_map, second_map = centres[[0, 1, 2, 32]] * 16, centres[[512, 517, 518, 560]] * 8
    np.testing.assert_allclose(first_map, [same_cell, same_cell, next_cell, next_row])
    np.testing.assert_allclose(second_map, [same_cell, same_cell, next_cell, next_row])
    assert cells[[0, 1, 2, 511, 512, 517, 518, 895]].tolist() == [0, 0, 1, 255, 256, 256, 257, 319]


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
def test_committed_files_and_manifests_keep_it(dtype: type, model_path: Path, float_model_path: Path) -> None:
    path = model_path if dtype is np.int8 else float_model_path
    model = Interpreter(str(path))
    (source,), sinks = model.get_input_details(), model.get_output_details()
    manifest = read_manifest(path)
    assert source["shape"].tolist() == manifest.input["shape"] == [1, 128, 128, 3]
    assert [tuple(sink["shape"].tolist()) for sink in sinks] == [output.shape for output in contract.OUTPUTS]
    assert {tensor["dtype"] for tensor in (source, *sinks)} == {dtype}
    assert [output["name"] for output in manifest.outputs] == [output.name for output in contract.OUTPUTS]
    if dtype is np.int8:
        assert source["quantization"] == (pytest.approx(1 / 127.5), 0)
        quantization = [(output["scale"], output["zero_point"]) for output in manifest.outputs]
        assert quantization == [(pytest.approx(sink["quantization"][0]), sink["quantization"][1]) for sink in sinks]
        assert path.stat().st_size == manifest.file_bytes
