"""Damaged networks: whatever is wrong with a file, a command ends with one line, and never with its process."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blazeposer.core.errors import ModelError
from blazeposer.core.prepare import Image
from blazeposer.core.resources import default_model
from blazeposer.media.output import write_image
from blazeposer.tflite import trial
from blazeposer.tflite.arena import can_measure, live_bytes, plan
from blazeposer.tflite.cost import instructions, layers
from blazeposer.tflite.graph import read_graph
from blazeposer.tflite.interpreter import Runtime, open_network
from blazeposer.tflite.rewrite import with_all_outputs, with_bias_scales
from conftest import CommandLine
from edits import Edit, edited, flat_weights, no_scale, padding


@pytest.mark.parametrize("runtime", ["reference", "xnnpack", "micro"])
def test_a_file_that_ends_a_runtime_s_process_is_one_line(tmp_path: Path, runtime: Runtime) -> None:
    """A network with sums: a plain one without a step is refused, and ends no process."""
    pytest.importorskip("torch", reason="needs the extra `train`")
    from blazeposer_training.network.graph import operations
    from networks import RESIDUAL, made_up

    if runtime == "micro" and not can_measure():
        pytest.skip("TFLite Micro has no wheel for this system")
    (whole := tmp_path / "whole.tflite").write_bytes(made_up(operations(RESIDUAL)))
    path = edited(whole, tmp_path, no_scale)
    with pytest.raises(ModelError, match=f"{runtime}.*damaged.*copy") as caught:
        open_network(path, runtime)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("edit", [no_scale, flat_weights])
def test_every_command_with_a_model_survives_it(
    model_path: Path, tmp_path: Path, portrait: Image, blazeposer_command: CommandLine, edit: Edit
) -> None:
    path, picture = edited(model_path, tmp_path, edit), tmp_path / "portrait.png"
    write_image(picture, portrait)
    for arguments in (
        ("detect", picture, "--model", path),
        ("check", path),
        ("check", path, "--board", "rt1062"),
        ("inspect", path),
    ):
        run = blazeposer_command(*arguments)
        assert "Traceback" not in run.out + run.err
        assert run.err.count("\n") == (run.status != 0)
        if arguments[0] == "detect":
            assert run.status == 1


def test_a_file_that_its_manifest_describes_is_not_tried(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tried(*_: object) -> str:
        raise AssertionError

    monkeypatch.setattr(trial, "_complaint", tried)
    open_network(model_path)


def test_a_whole_file_without_manifest_runs(model_path: Path, tmp_path: Path) -> None:
    assert open_network(edited(model_path, tmp_path, padding)).is_int8


@pytest.mark.slow
@given(place=st.integers(0, 15_000) | st.integers(-15_000, -1), value=st.integers(0, 255))
@settings(max_examples=50)
def test_a_wrong_byte_raises_nothing_but_one_line(place: int, value: int) -> None:
    """Whatever reads a file either takes it or raises a ModelError; most of a file's structure is at its two ends."""
    data = bytearray(default_model().read_bytes())
    data[place] = value
    with contextlib.suppress(ModelError):
        graph = read_graph(bytes(data), "flipped")
        layers(graph)
        instructions(graph)
        placements = plan(graph)
        for step in range(len(graph.operations)):
            live_bytes(placements, step)
        for change in (with_all_outputs, with_bias_scales):
            change(bytes(data))
