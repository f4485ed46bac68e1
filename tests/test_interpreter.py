"""Network files: the three runtimes, and files that are not of the contract."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blazeposer.core.contract import OUTPUTS
from blazeposer.core.decode import decode
from blazeposer.core.errors import BlazePoserError, MissingExtraError, ModelError
from blazeposer.core.prepare import Image, clean_input
from blazeposer.tflite.interpreter import open_network
from edits import (
    Edit,
    custom_operation,
    drop_output,
    edited,
    float_output,
    float_tensor,
    shift_input,
    shrink_input,
    strange_operation,
    swap_scores,
    unsigned_input,
)


@pytest.fixture(scope="module")
def image(portrait: Image) -> Image:
    return clean_input(portrait)


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


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (swap_scores, r"output 1 \(scores_16\) has the shape \(1, 384, 1\), not \(1, 512, 1\)"),
        (drop_output, "1 inputs and 7 outputs, not 1 and 8"),
        (shrink_input, r"the input has the shape \(1, 96, 96, 3\), not \(1, 128, 128, 3\)"),
        (unsigned_input, "the input is uint8, not int8 or float32"),
        (float_output, "output 4 is float32, not int8"),
        (shift_input, "zero point -1, not 1/127.5 and 0"),
        (float_tensor, "is float32, not an integer type"),
        (strange_operation, "a camera does not have the operation POW"),
        (custom_operation, "a camera does not have the operation ethos-u"),
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


@pytest.mark.parametrize(
    ("keep", "complaint"),
    [
        (0, "an empty file"),
        (7, "not a tflite file"),
        (1000, "a damaged or"),
        (100_000, "a damaged or truncated tflite"),
    ],
)
def test_a_truncated_file_is_refused(model_path: Path, tmp_path: Path, keep: int, complaint: str) -> None:
    path = tmp_path / "short.tflite"
    path.write_bytes(model_path.read_bytes()[:keep])
    with pytest.raises(ModelError, match=complaint) as caught:
        open_network(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "no.tflite", tmp_path):
        with pytest.raises(ModelError, match="cannot read the model"):
            open_network(path)


def test_an_unknown_runtime_is_refused(model_path: Path) -> None:
    with pytest.raises(BlazePoserError, match="reference, xnnpack, micro"):
        open_network(model_path, "fast")  # type: ignore[arg-type]


def test_micro_without_its_extra_says_what_to_install(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'blazeposer\[demo\]'"):
        open_network(model_path, "micro")
