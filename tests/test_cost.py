"""Compare the cost model with instructions that were counted on an emulated Cortex-M7.

The counts: OpenMV's TensorFlow Lite Micro for the Cortex-M7 (its build of September 2024, in firmware 5.0.0) and the
same with CMSIS-NN of June 2026, whose output bytes equalled this project's golden bytes.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from blazeposer.core.boards import BOARDS, KB, HeapBlock, find
from blazeposer.evaluate.peers.blazeface import BLAZEFACE_INT8
from blazeposer.tflite.arena import measure_arena, plan, planned_bytes
from blazeposer.tflite.cost import (
    ARENA_EXTRA,
    DECODING,
    SPEEDS,
    Kernels,
    camera_arena,
    estimate,
    instructions,
    layers,
    milliseconds,
    total,
    unknown,
)
from blazeposer.tflite.graph import Graph, read_graph
from blazeposer_training.network.architecture import Architecture, stages
from blazeposer_training.network.graph import Operation, operations
from edits import edited, strange_operation
from networks import RESIDUAL, made_up

FIRMWARE_ARENA = 226_112
"""Value of `ml.Model.ram` that OpenMV firmware 5.0.0 reported for this network, on an emulated board."""


@dataclass(frozen=True)
class Counted:
    """A network that was counted with made-up weights: M multiply-accumulates, M instructions of 2024, arena."""

    name: str
    graph: tuple[Operation, ...]
    macs: float
    instructions: float
    arena: int


def _plain(architecture: Architecture) -> Architecture:
    return replace(architecture, blocks=tuple(replace(block, kind="plain") for block in architecture.blocks))


def _small_stem(architecture: Architecture) -> Architecture:
    return replace(architecture, stem_kernel=3)


def _dense(graph: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Return the operations with one 3x3 convolution in place of each of the first two blocks."""
    first = ("backbone.blocks.0", "backbone.blocks.1")
    return tuple(
        replace(item, kind="conv", inputs=item.inputs[:1], kernel=3, channels_in=16) if item.output in first else item
        for item in graph
        if item.output.rpartition(".")[0] not in first
    )


_REST = ((32, 36, 42), (48, 56, 64, 72, 80, 88), (88, 88, 88, 88, 88))
_ONE = replace(RESIDUAL, blocks=stages((16,), *_REST), taps=(9, 14))
_NONE = replace(RESIDUAL, blocks=stages((), *_REST), taps=(8, 13))
_WIDE = replace(RESIDUAL, stem=24, blocks=stages((24, 28), *_REST))
COUNTED = (
    Counted("residual", operations(RESIDUAL), 24.5, 123.1, 225_680),
    Counted("3x3 stem", operations(_small_stem(RESIDUAL)), 21.4, 114.9, 225_680),
    Counted("one 64x64 block", operations(_ONE), 22.9, 108.6, 224_992),
    Counted("no 64x64 block", operations(_NONE), 21.3, 94.1, 191_536),
    Counted("plain", operations(_plain(RESIDUAL)), 24.5, 82.3, 156_928),
    Counted("plain, 3x3 stem", operations(_small_stem(_plain(RESIDUAL))), 21.4, 74.1, 156_928),
    Counted("plain, one 64x64 block, 3x3 stem", operations(_small_stem(_plain(_ONE))), 19.8, 65.0, 156_352),
    Counted("plain, 24 and 28 channels at 64x64", operations(_plain(_WIDE)), 31.1, 102.8, 239_296),
    Counted("64x64 blocks dense", _dense(operations(RESIDUAL)), 40.1, 138.0, 192_112),
)


@pytest.fixture(scope="module", params=COUNTED, ids=lambda counted: counted.name)
def variant(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Counted, Path]:
    """A counted network and its file, with weights of noise."""
    counted: Counted = request.param
    path = tmp_path_factory.mktemp("variant") / "variant.tflite"
    path.write_bytes(made_up(counted.graph))
    return counted, path


def _graph(path: Path) -> Graph:
    return read_graph(path.read_bytes(), path.name)


def _total(path: Path, kernels: Kernels = "2024") -> float:
    count = total(instructions(_graph(path), kernels))
    assert count is not None
    return count


@pytest.fixture(scope="module")
def residual_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first network that shipped, with weights of noise: its cost does not depend on them."""
    path = tmp_path_factory.mktemp("residual") / "residual.tflite"
    path.write_bytes(made_up(operations(RESIDUAL)))
    return path


@pytest.fixture(scope="module")
def residual(residual_path: Path) -> Graph:
    return _graph(residual_path)


def test_a_variant_s_instructions_are_within_3_percent_of_the_count(variant: tuple[Counted, Path]) -> None:
    counted, path = variant
    assert sum(layer.macs for layer in layers(_graph(path))) / 1e6 == pytest.approx(counted.macs, abs=0.06)
    assert _total(path) / 1e6 == pytest.approx(counted.instructions, rel=0.03)


@pytest.mark.parametrize(
    ("name", "kernels", "counted"),
    [
        ("residual", "2024", 123.1),
        ("residual", "2026", 114.9),
        ("blazeface", "2024", 154.6),
        ("blazeface", "2026", 141.9),
    ],
)
def test_totals_are_within_3_percent_of_the_counts(
    residual_path: Path, name: str, kernels: Kernels, counted: float
) -> None:
    path = {"residual": residual_path, "blazeface": BLAZEFACE_INT8}[name]
    assert _total(path, kernels) / 1e6 == pytest.approx(counted, rel=0.03)


def test_shares_by_kind_are_those_counted_with_the_kernels_of_2026(residual: Graph) -> None:
    counts = instructions(residual, "2026")
    shares = dict.fromkeys(("stem", "1x1", "depthwise", "add"), 0.0)
    whole = total(counts)
    assert whole is not None
    for layer, count in zip(layers(residual), counts, strict=True):
        names = {"CONV_2D": "1x1" if layer.kernel == (1, 1) else "stem", "DEPTHWISE_CONV_2D": "depthwise", "ADD": "add"}
        if layer.name in names and count is not None:
            shares[names[layer.name]] += 100 * count / whole
    assert shares == pytest.approx({"stem": 15, "1x1": 35, "depthwise": 22, "add": 27}, abs=1.5)


def test_an_arena_on_a_camera_is_within_400_bytes_of_the_count(variant: tuple[Counted, Path]) -> None:
    pytest.importorskip("tflite_micro", reason="TFLite Micro has no wheel for this system")
    counted, path = variant
    assert camera_arena(measure_arena(path)) - ARENA_EXTRA == pytest.approx(counted.arena, abs=400)


def test_an_arena_is_what_the_firmware_reported(residual_path: Path) -> None:
    pytest.importorskip("tflite_micro", reason="TFLite Micro has no wheel for this system")
    assert camera_arena(measure_arena(residual_path)) == pytest.approx(FIRMWARE_ARENA, abs=400)


@pytest.mark.parametrize(
    ("key", "memory", "expected"),
    [
        ("h7", "SRAM", 218),
        ("rt1062", "SDRAM", 202),
        ("rt1062", "DTCM", 156),
        ("h7plus", "SDRAM", 269),
    ],
)
def test_times_are_those_of_the_model_of_the_core(key: str, memory: str, expected: float) -> None:
    """Milliseconds of the first network that shipped, with the kernels of 2026: 114.9 M instructions."""
    board = find(key)
    speed = next(speed for (chip, of), speed in SPEEDS.items() if (chip, of) == (board.chip, memory))
    assert milliseconds(114.9e6, board, speed) == pytest.approx(expected, rel=0.02)


def test_an_arena_lies_in_the_first_block_that_has_room() -> None:
    memories = {board.key: board.memory_of(FIRMWARE_ARENA) for board in BOARDS if not board.npu}
    assert memories == {
        "h7": "SRAM", "nicla": "SRAM", "giga": "SRAM", "h7plus": "SDRAM", "puretherm": "SDRAM", "rt1062": "SDRAM",
        "portenta": "SDRAM",
    }  # fmt: skip
    assert find("rt1062").memory_of(199_000) == "DTCM"
    assert find("rt1062").memory_of(201_000) == "SDRAM"
    assert find("h7").memory_of(264 * KB) is None


def test_an_estimate_counts_scaling_and_decoding(residual: Graph) -> None:
    h7 = find("h7")
    found, bare = (estimate(residual, h7, FIRMWARE_ARENA, decoding=decoding) for decoding in (DECODING, 0))
    assert found is not None
    assert bare is not None
    assert 3.5 < found.frames_per_second < 4.5
    cycles = SPEEDS["STM32H7", "SRAM"].cycles * sum(count or 0 for count in instructions(residual))
    assert found.network == bare.network == pytest.approx(cycles / 480_000)  # 480 MHz
    assert found.frame - bare.frame == pytest.approx(7.6, abs=0.2)
    assert bare.frame - bare.network == pytest.approx(3.8, abs=0.3)


def test_no_estimate_where_something_is_not_known(
    residual: Graph, model_path: Path, float_model_path: Path, tmp_path: Path
) -> None:
    h7 = find("h7")
    strange = _graph(edited(model_path, tmp_path, strange_operation))
    assert unknown(strange) == ["POW"]
    assert estimate(strange, h7, FIRMWARE_ARENA) is None
    assert {"CONV_2D", "DEPTHWISE_CONV_2D"} <= set(unknown(_graph(float_model_path)))  # only INT8 kernels were counted
    assert estimate(residual, replace(h7, blocks=(HeapBlock("SRAM", 128 * KB),)), FIRMWARE_ARENA) is None
    assert estimate(residual, find("ae3"), FIRMWARE_ARENA) is None  # another core
    assert unknown(residual) == []


def test_a_form_that_was_never_counted_is_not_guessed(tmp_path: Path) -> None:
    """A depthwise convolution of 5x5: the counts are of 3x3 alone."""
    graph = [
        replace(operation, kernel=5) if operation.kind == "depthwise" else operation
        for operation in operations(RESIDUAL)
    ]
    path = tmp_path / "wide.tflite"
    path.write_bytes(made_up(graph))
    read = _graph(path)
    assert unknown(read) == ["DEPTHWISE_CONV_2D"]
    assert total(instructions(read)) is None
    assert planned_bytes(plan(read)) > 0
