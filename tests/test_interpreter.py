"""Network files: the three runtimes, and files that are not of the contract."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from blazeposer.contract import OUTPUTS
from blazeposer.decode import decode
from blazeposer.errors import BlazePoserError, MissingExtraError, ModelError
from blazeposer.interpreter import open_network
from blazeposer.prepare import Image, clean_input

Edit = Callable[[Any], None]


@pytest.fixture(scope="module")
def image(portrait: Image) -> Image:
    return clean_input(portrait)


def edited(source: Path, folder: Path, edit: Edit) -> Path:
    """A copy of a tflite file after `edit(model)`, a schema_py_generated.ModelT."""
    model = schema.ModelT.InitFromPackedBuf(source.read_bytes())
    edit(model)
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    path = folder / "edited.tflite"
    path.write_bytes(bytes(builder.Output()))
    return path


def test_micro_equals_reference_bit_for_bit(model_path: Path, image: Image) -> None:
    pytest.importorskip("tflite_micro", reason="TFLite Micro has no wheel for this system")
    reference, micro = (open_network(model_path, runtime).run(image) for runtime in ("reference", "micro"))
    for output, ours, theirs in zip(OUTPUTS, reference, micro, strict=True):
        assert ours.dtype == np.int8
        assert ours.shape == output.shape
        assert np.array_equal(ours, theirs), output.name


def test_outputs_are_dequantized(model_path: Path, image: Image) -> None:
    network = open_network(model_path)
    assert network.is_int8
    for raw, real, (scale, zero_point) in zip(
        network.run(image), network.outputs(image), network.quantization, strict=True
    ):
        assert scale > 0
        assert real.dtype == np.float32
        assert real == pytest.approx((raw.astype(float) - zero_point) * scale, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("runtime", ["reference", "xnnpack"])
def test_float_file_runs_in_real_units(float_model_path: Path, image: Image, runtime: Any) -> None:
    network = open_network(float_model_path, runtime)
    assert not network.is_int8
    outputs = network.outputs(image)
    assert [output.shape for output in outputs] == [output.shape for output in OUTPUTS]
    assert all(output.dtype == np.float32 for output in outputs)


def test_runtimes_and_precisions_see_the_same_face(model_path: Path, float_model_path: Path, image: Image) -> None:
    """Bits differ, and so may which of two neighbours is the best anchor: not the face, by more than a pixel or two."""
    networks = [open_network(model_path), open_network(model_path, "xnnpack"), open_network(float_model_path)]
    first, *others = [decode(network.outputs(image)) for network in networks]
    for faces in others:
        assert len(faces) == len(first) == 1
        assert np.abs(np.subtract(faces[0].box, first[0].box)).max() * 128 < 2


def swap_scores(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.outputs = graph.outputs[[0, 2, 1, 3, 4, 5, 6, 7]]


def drop_output(model: Any) -> None:
    model.subgraphs[0].outputs = model.subgraphs[0].outputs[:7]


def shrink_input(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shape = [1, 96, 96, 3]


def unsigned_input(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].type = schema.TensorType.UINT8


def float_output(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.outputs[4]].type = schema.TensorType.FLOAT32


def shift_input(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].quantization.zeroPoint = [-1]


def float_tensor(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.operators[0].outputs[0]].type = schema.TensorType.FLOAT32


def strange_operation(model: Any) -> None:
    for code in model.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.ADD:
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MAXIMUM


def custom_operation(model: Any) -> None:
    for code in model.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.ADD:
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
            code.customCode = "ethos-u"


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (swap_scores, r"output 1 is \(1, 384, 1\), \(1, 512, 1\) expected \(scores_16\)"),
        (drop_output, "1 inputs and 7 outputs, 1 and 8 expected"),
        (shrink_input, r"the input is \(1, 96, 96, 3\), \(1, 128, 128, 3\) expected"),
        (unsigned_input, "the input is uint8, int8 or float32 expected"),
        (float_output, "output 4 is float32, int8 expected"),
        (shift_input, "its zero point -1, 1/127.5 and 0 expected"),
        (float_tensor, "is not an integer one"),
        (strange_operation, "a camera lacks the operation MAXIMUM"),
        (custom_operation, "a camera lacks the operation ethos-u"),
    ],
)
def test_a_file_that_breaks_the_contract_is_refused(
    model_path: Path, tmp_path: Path, edit: Edit, complaint: str
) -> None:
    path = edited(model_path, tmp_path, edit)
    with pytest.raises(ModelError, match=complaint) as caught:
        open_network(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_an_unedited_copy_is_taken(model_path: Path, tmp_path: Path, image: Image) -> None:
    """The refusals above come from the edits, not from the copying."""
    ours, copy = (open_network(path).run(image) for path in (model_path, edited(model_path, tmp_path, lambda _: None)))
    assert all(np.array_equal(a, b) for a, b in zip(ours, copy, strict=True))


@pytest.mark.parametrize("keep", [0, 7, 1000, 100_000])
def test_a_truncated_file_is_refused(model_path: Path, tmp_path: Path, keep: int) -> None:
    path = tmp_path / "short.tflite"
    path.write_bytes(model_path.read_bytes()[:keep])
    with pytest.raises(ModelError, match="not a tflite model that LiteRT loads") as caught:
        open_network(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "no.tflite", tmp_path):
        with pytest.raises(ModelError, match="cannot read the model"):
            open_network(path)


def test_an_unknown_runtime_is_refused(model_path: Path) -> None:
    with pytest.raises(BlazePoserError, match="choose one of reference, xnnpack, micro"):
        open_network(model_path, "fast")  # type: ignore[arg-type]


def test_micro_without_its_extra_says_what_to_install(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'blazeposer\[demo\]'"):
        open_network(model_path, "micro")
