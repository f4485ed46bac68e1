"""Manifests: what they say is true of the file beside them, and what does not fit ends in one line."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from blazeposer.core.contract import OUTPUTS
from blazeposer.core.errors import ModelError
from blazeposer.tflite.interpreter import open_network
from blazeposer.tflite.manifest import FIGURES, manifest_path, read_manifest, record_figures


@pytest.fixture
def copied(model_path: Path, tmp_path: Path) -> Path:
    """The committed network and its manifest in a folder of their own."""
    for path in (model_path, manifest_path(model_path)):
        shutil.copy(path, tmp_path)
    return tmp_path / model_path.name


def change(model: Path, **values: Any) -> None:
    path = manifest_path(model)
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("name", ["model_path", "float_model_path"])
def test_committed_manifest_is_true(request: pytest.FixtureRequest, name: str) -> None:
    path = request.getfixturevalue(name)
    manifest = read_manifest(path)
    network = open_network(path)
    assert manifest.payload_bytes < manifest.file_bytes == path.stat().st_size
    assert bool(manifest.quantization) == network.is_int8
    for output, entry, (scale, zero_point) in zip(OUTPUTS, manifest.outputs, network.quantization, strict=True):
        assert entry["name"] == output.name
        assert tuple(entry["shape"]) == output.shape
        if network.is_int8:
            assert (np.float32(entry["scale"]), entry["zero_point"]) == (np.float32(scale), zero_point)
            assert manifest.quantization[output.name] == {"scale": entry["scale"], "zero_point": zero_point}
    interpreter = Interpreter(str(path))
    assert manifest.ops == Counter(
        operation["op_name"] for operation in interpreter._get_ops_details() if operation["op_name"] != "DELEGATE"
    )
    for figure in FIGURES:
        assert figure in manifest.figures


def test_scales_are_those_of_the_file(model_path: Path) -> None:
    """Every scale of the file, activations and channels of weights, is in the manifest, and none besides."""
    manifest = read_manifest(model_path)
    told = {np.float32(entry["scale"]) for entry in manifest.quantization.values()}
    told |= {np.float32(scale) for scales in manifest.weight_scales.values() for scale in scales}
    details = Interpreter(str(model_path)).get_tensor_details()
    held = {scale for detail in details for scale in detail["quantization_parameters"]["scales"]}
    assert told == held


def test_arena_is_what_micro_needs(model_path: Path) -> None:
    """TFLite Micro loads the network into an arena of the manifest's size, and not into a smaller one."""
    runtime = pytest.importorskip("tflite_micro", reason="TFLite Micro has no wheel for this system").runtime
    arena = read_manifest(model_path).arena_bytes
    runtime.Interpreter.from_file(str(model_path), arena_size=arena + 4096)  # room for scratch while it plans
    with pytest.raises(RuntimeError):
        runtime.Interpreter.from_file(str(model_path), arena_size=arena - 4096)


def test_figures_are_added(copied: Path) -> None:
    before = read_manifest(copied)
    record_figures(copied, {"biwi": {"mae": 4.2}})
    after = read_manifest(copied)
    assert after.figures == before.figures | {"biwi": {"mae": 4.2}}
    assert after.quantization == before.quantization


def refusal(model: Path) -> str:
    with pytest.raises(ModelError) as error:
        read_manifest(model)
    message = str(error.value)
    assert "\n" not in message
    assert "blazeposer quantize" in message
    return message


def test_manifest_of_another_file_is_refused(copied: Path) -> None:
    with copied.open("ab") as stream:
        stream.write(b"\0")
    assert "sha256" in refusal(copied)


def test_manifest_of_another_contract_is_refused(copied: Path) -> None:
    change(copied, anchor_grids=[{"side": 32, "anchors": 1}])
    assert "anchor_grids" in refusal(copied)


def test_missing_field_is_named(copied: Path) -> None:
    path = manifest_path(copied)
    values = json.loads(path.read_text())
    del values["arena_bytes"]
    path.write_text(json.dumps(values))
    assert "arena_bytes" in refusal(copied)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "3"])
def test_text_that_is_no_manifest_is_refused(copied: Path, text: str) -> None:
    manifest_path(copied).write_text(text)
    assert str(manifest_path(copied)) in refusal(copied)


def test_missing_manifest_is_named(copied: Path) -> None:
    manifest_path(copied).unlink()
    assert manifest_path(copied).name in refusal(copied)
