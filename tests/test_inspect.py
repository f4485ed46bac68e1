"""`blazeposer inspect`: costs by layer."""

import math
from importlib.util import find_spec
from pathlib import Path

import pytest

from blazeposer.core.errors import BlazePoserError, MissingExtraError
from blazeposer.evaluate.peers.blazeface import BLAZEFACE_INT8
from blazeposer.tflite import arena as arena_module
from blazeposer.tflite.arena import Placement, live_bytes, measure_arena, plan, planned_bytes
from blazeposer.tflite.cost import instructions, layers, total
from blazeposer.tflite.graph import Graph, read_graph
from blazeposer.tflite.manifest import read_manifest
from blazeposer.tflite.npu import ae3_cycles
from conftest import CommandLine
from edits import custom_operation, edited, strange_operation


@pytest.fixture(scope="module")
def graph(model_path: Path) -> Graph:
    return read_graph(model_path.read_bytes(), model_path.name)


@pytest.mark.parametrize("name", ["blazeposer.tflite", "blazeposer_float.tflite"])
def test_layers_sum_up_to_the_manifest(model_path: Path, name: str) -> None:
    """The manifest's figures come from the network in torch, these from the file's shapes."""
    path = model_path.with_name(name)
    costs, manifest = layers(read_graph(path.read_bytes(), name)), read_manifest(path)
    assert sum(layer.macs for layer in costs) == manifest.macs
    assert sum(layer.parameters for layer in costs) == manifest.parameters
    assert len(costs) == sum(manifest.ops.values())


def test_a_layer_s_cost_is_that_of_its_shapes(graph: Graph) -> None:
    stem, depthwise, pointwise, *_ = layers(graph)
    assert (stem.name, stem.shape[:3]) == ("CONV_2D", (1, 64, 64))
    channels, taps = stem.shape[3], math.prod(stem.kernel)
    assert taps in (3 * 3, 5 * 5)
    assert stem.macs == 64 * 64 * channels * taps * 3
    assert stem.parameters == channels * (taps * 3 + 1)
    assert depthwise.macs == 64 * 64 * channels * 3 * 3
    assert pointwise.macs == 64 * 64 * channels * channels
    addition = next(
        layer for layer in layers(read_graph(BLAZEFACE_INT8.read_bytes(), "BlazeFace")) if layer.name == "ADD"
    )
    assert (addition.macs, addition.parameters) == (0, 0)
    assert addition.moved == 3 * math.prod(addition.shape)


@pytest.mark.parametrize("name", ["blazeposer.tflite", "blazeposer_float.tflite", BLAZEFACE_INT8])
def test_the_plan_is_tflite_micro_s(model_path: Path, name: str | Path) -> None:
    """Its `GreedyMemoryPlanner` (tensorflow/lite/micro/memory_planner) takes as much for tensors as we compute."""
    pytest.importorskip("tflite_micro", reason="TFLite Micro has no wheel for this system")
    path = model_path.parent / name
    assert planned_bytes(plan(read_graph(path.read_bytes(), path.name))) == measure_arena(path).planned


def test_tensors_that_live_together_lie_apart(graph: Graph) -> None:
    placements = plan(graph)
    assert {place.tensor for place in placements} == {
        index for index, tensor in enumerate(graph.tensors) if not tensor.is_constant
    }

    def clash(one: Placement, other: Placement) -> bool:
        together = one.first <= other.last and other.first <= one.last
        return together and one.offset < other.end and other.offset < one.end

    assert not any(clash(one, other) for one in placements for other in placements if one is not other)
    for step, operation in enumerate(graph.operations):
        needed = {index for index in operation.inputs + operation.outputs if not graph.tensors[index].is_constant}
        assert live_bytes(placements, step) >= sum(graph.tensors[index].bytes for index in needed)


def test_cycles_are_vela_s_for_an_int8_network_alone(model_path: Path, float_model_path: Path) -> None:
    needs_vela()
    assert 100_000 < ae3_cycles(model_path) < 10_000_000
    with pytest.raises(BlazePoserError, match="use an INT8 network"):
        ae3_cycles(float_model_path)


def test_the_command_prints_layers(
    model_path: Path, graph: Graph, tmp_path: Path, blazeposer_command: CommandLine
) -> None:
    pytest.importorskip("tflite_micro", reason="TFLite Micro has no wheel for this system")
    run = blazeposer_command("inspect")
    manifest = read_manifest(model_path)
    assert (run.status, run.err) == (0, "")
    assert f"File: {manifest.file_bytes:,} bytes, {manifest.parameters:,} parameters" in run.out
    assert f"{manifest.macs:,} multiply-accumulates" in run.out
    assert f"arena: {manifest.arena_bytes:,} bytes, counted by TFLite Micro" in run.out
    rows = [line.split() for line in run.out.splitlines() if line[:4].strip().isdigit()]
    assert [row[1] for row in rows] == [operation.name for operation in graph.operations]
    assert max(map(len, run.out.split("Estimated parts of")[0].splitlines())) <= 80
    counts = instructions(graph)
    assert [row[-2] for row in rows[:7]] == [f"{(count or 0) / 1000:,.0f}" for count in counts[:7]]
    whole = total(counts)
    assert whole is not None
    assert f"{whole / 1e6:.1f} M instructions with the kernels of firmware 5.0.0" in run.out
    bars = [line for line in run.out.splitlines() if line.startswith("  ") and "█" in line]
    assert {"convolution 1x1", "depthwise 3x3", "convolution 3x3"} <= {line[2:18].strip() for line in bars}


def test_what_is_not_installed_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blazeposer_command: CommandLine
) -> None:
    missing = {"ethosu", "tflite_micro"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in missing else find_spec(name))
    assert not arena_module.can_measure()
    run = blazeposer_command("inspect")
    assert run.status == 0
    assert (
        "cycles on the AE3 are not known (ethos-u-vela is not installed: run `pip install 'blazeposer[npu]'`)"
        in run.out
    )
    assert "arena: not measured (tflite-micro is not installed" in run.out


def test_measuring_without_micro_names_the_extra(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arena_module, "can_measure", lambda: False)
    with pytest.raises(MissingExtraError, match=r"pip install 'blazeposer\[demo\]'"):
        measure_arena(model_path)


def test_a_model_that_micro_refuses_is_shown_all_the_same(
    model_path: Path, tmp_path: Path, blazeposer_command: CommandLine
) -> None:
    pytest.importorskip("tflite_micro", reason="TFLite Micro has no wheel for this system")
    path = edited(model_path, tmp_path, strange_operation)
    run = blazeposer_command("inspect", path)
    assert (run.status, run.err) == (0, "")
    assert "arena: not measured (TFLite Micro cannot load it (" in run.out
    assert "Time: not estimated: the instructions of POW in this form were not counted" in run.out


def test_time_is_estimated_for_a_board_by_the_memory_of_its_arena(
    tmp_path: Path, blazeposer_command: CommandLine
) -> None:
    pytest.importorskip("tflite_micro", reason="TFLite Micro has no wheel for this system")
    for key, said in (
        ("rt1062", "estimated for OpenMV Cam RT1062 with the arena in DTCM"),
        ("nicla", "estimated for Arduino Nicla Vision with the arena in SRAM"),
        ("ae3", "Time: not estimated for OpenMV AE3: the speed of its Cortex-M55 is unknown"),
    ):
        run = blazeposer_command("inspect", "--board", key)
        assert (run.status, run.err) == (0, "")
        assert said in run.out


def test_a_compiled_model_shows_no_layers(model_path: Path, tmp_path: Path, blazeposer_command: CommandLine) -> None:
    run = blazeposer_command("inspect", edited(model_path, tmp_path, custom_operation))
    assert (run.status, run.out) == (1, "")
    assert "not visible: inspect the file before compilation" in run.err


def test_failures_are_one_line(tmp_path: Path, blazeposer_command: CommandLine) -> None:
    (tmp_path / "file").write_text("no folder")
    for arguments, complaint in (
        ([tmp_path / "no.tflite"], "cannot read the model"),
        ([tmp_path / "file"], "not a tflite file"),
    ):
        run = blazeposer_command("inspect", *arguments)
        assert run.status == 1
        assert complaint in run.err
        assert run.err.count("\n") == 1


def needs_vela() -> None:
    """Skips where the extra `npu` is not installed."""
    if find_spec("ethosu") is None:
        pytest.skip("the extra `npu` is not installed")
