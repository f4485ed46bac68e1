"""`blazeposer check`: our networks, a converter's, and broken ones, on every board."""

import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blazeposer.commands.models import time_notes, time_table
from blazeposer.core.boards import BOARDS, KB, Board, HeapBlock, find
from blazeposer.core.contract import OUTPUTS
from blazeposer.core.errors import ModelError
from blazeposer.core.resources import default_model
from blazeposer.deploy.bundle import make
from blazeposer.tflite import check, firmware
from blazeposer.tflite.check import Model, check_model, examine, judge
from blazeposer.tflite.graph import read_graph
from blazeposer.tflite.manifest import manifest_path, read_manifest
from conftest import CommandLine
from edits import (
    Edit,
    custom_operation,
    edited,
    five_dimensions,
    float_tensor,
    integer_input,
    own_operation,
    padding,
    shift_input,
    strange_operation,
    swap_scores,
    uncounted_operation,
)

H7 = find("h7")


def with_heap(size: int) -> Board:
    """Return an H7 with one heap block of so many bytes."""
    return replace(H7, blocks=(HeapBlock("SRAM", size),))


ONE_LINE = 1


@pytest.fixture(scope="session")
def _needs_micro() -> None:
    pytest.importorskip("tflite_micro", reason="TFLite Micro has no wheel for this system")


needs_micro = pytest.mark.usefixtures("_needs_micro")


@pytest.fixture(scope="module")
def ours(model_path: Path, _needs_micro: None) -> Model:
    return examine(model_path)


@pytest.fixture(scope="module")
def converted_blazeface(tmp_path_factory: pytest.TempPathFactory, _needs_micro: None) -> Path:
    """MediaPipe's BlazeFace as users make it: a Keras model, quantized by TensorFlow's converter, float in and out.

    Its weights are Keras's random ones: memory does not depend on them.
    """
    pytest.importorskip("torch", reason="needs the extra `train`")
    tf = pytest.importorskip("tensorflow", reason="needs the extra `train`")
    from blazeposer_training.network.graph import INPUT, INPUT_SHAPE
    from original import blazeface_operations, branch_first

    layers = tf.keras.layers
    tensors = {INPUT: layers.Input(INPUT_SHAPE[1:], batch_size=1)}
    for operation in branch_first(blazeface_operations()):
        x, *others = [tensors[name] for name in operation.inputs]
        channels = operation.shape[-1]
        match operation.kind:
            case "conv":
                x = layers.Conv2D(channels, operation.kernel, operation.stride, "same")(x)
            case "depthwise":
                x = layers.DepthwiseConv2D(operation.kernel, operation.stride, "same")(x)
            case "pool":
                x = layers.MaxPool2D()(x)
            case "pad":
                more = [[0, 0], [0, 0], [0, 0], [0, channels - operation.channels_in]]
                x = layers.Lambda(lambda x, more: tf.pad(x, more), operation.shape[1:], arguments={"more": more})(x)
            case "add":
                x = layers.Add()([x, *others])
            case "reshape":
                x = layers.Reshape(operation.shape[1:])(x)
        tensors[operation.output] = layers.ReLU()(x) if operation.activation == "relu" else x
    outputs = [tensors[output.name] for output in OUTPUTS if output.name in tensors]
    writer = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(tensors[INPUT], outputs))
    writer.optimizations = [tf.lite.Optimize.DEFAULT]
    noise = np.random.default_rng(0).uniform(-1, 1, INPUT_SHAPE).astype(np.float32)
    writer.representative_dataset = lambda: iter([[noise]])
    path = tmp_path_factory.mktemp("converted") / "blazeface.tflite"
    path.write_bytes(writer.convert())
    return path


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.key)
def test_ours_loads_on_every_board_but_raw_on_the_n6(ours: Model, board: Board) -> None:
    verdict = judge(ours, board)
    assert not verdict.model.breach
    assert ours.manifest == ""
    if board.key == "n6":  # it runs nothing that stedgeai did not compile
        assert not verdict.loads
        assert "a file that ST's stedgeai has compiled" in verdict.reason
        return
    assert verdict.loads
    assert verdict.reason == ""
    assert verdict.stores[0] == "/rom"
    assert any("the CPU" in note for note in verdict.notes) == bool(board.npu)


def test_a_file_outside_romfs_must_fit_into_the_heap_beside_its_arena(ours: Model) -> None:
    """`ml.Model` maps a file of /rom, and copies any other to the heap first (py_ml.c of openmv/openmv)."""
    assert ours.arena is not None
    assert ours.arena + ours.file_bytes > H7.heap
    assert judge(ours, H7).stores == ("/rom",)  # in spite of its card
    rich = with_heap(8192 * KB)
    assert judge(ours, rich).stores == ("/rom", "/sdcard")
    assert judge(ours, replace(rich, flash=8192 * KB, sd=False)).stores == ("/rom", "/flash")
    assert judge(ours, replace(rich, romfs=64 * KB)).stores == ("/sdcard",)


def test_the_limits_are_exact(ours: Model) -> None:
    assert ours.arena is not None
    reserve = H7.heap - H7.arena
    assert judge(ours, with_heap(ours.arena + reserve)).loads
    assert "its arena needs" in judge(ours, with_heap(ours.arena + reserve - 1)).reason
    store = ours.file_bytes + check.ROMFS_BYTES
    assert judge(ours, replace(H7, romfs=store)).loads
    assert "for models" in judge(ours, replace(H7, romfs=store - 1)).reason


def test_flash_keeps_room_for_what_a_deploy_puts_beside_a_model(model_path: Path) -> None:
    """A file takes whole clusters; 4 KB are for FAT's own tables and the firmware's README."""
    sizes = [len(data) for data in make(model_path).scripts.values()]
    assert sum(-(-size // 512) * 512 for size in sizes) + 4 * KB <= check.FLASH_SCRIPT_BYTES


@pytest.mark.slow
def test_a_converter_s_blazeface_loads_where_there_is_external_memory(
    converted_blazeface: Path, blazeposer_command: CommandLine
) -> None:
    model = examine(converted_blazeface)
    assert model.graph is not None
    assert {tensor.dtype for tensor in model.graph.input_tensors + model.graph.output_tensors} == {"float32"}
    assert model.arena is not None
    assert model.arena > 400_000
    assert "1 inputs and 4 outputs" in model.breach
    fits = {board.key for board in BOARDS if judge(model, board).loads}
    assert fits == {"h7plus", "puretherm", "rt1062", "portenta", "giga", "ae3"}
    run = blazeposer_command("check", converted_blazeface, "--board", "nicla")
    assert run.status == 1
    assert run.err.count("\n") == ONE_LINE
    assert f"its arena needs {model.arena:,} bytes, but the board has only {find('nicla').arena:,}" in run.err


@needs_micro
@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (strange_operation, "the firmware lacks the operation POW: build the network without it"),
        (own_operation, "the firmware lacks the custom operation MyReshape: build"),
        (custom_operation, "the file was compiled for the NPU of the AE3: use the file before compilation"),
        (five_dimensions, "output 0 has 5 dimensions, but scripts can read 4: reshape it"),
        (integer_input, "input 0 is int32, but scripts can read only int8, uint8, int16, uint16, float32: convert"),
        (padding, "bytes, but the board has 131,072 for models: use a smaller file"),
        (float_tensor, "TFLite Micro cannot load it ("),
    ],
)
def test_a_model_that_does_not_load_gets_its_reason(
    model_path: Path, tmp_path: Path, blazeposer_command: CommandLine, edit: Edit, complaint: str
) -> None:
    path = edited(model_path, tmp_path, edit)
    run = blazeposer_command("check", path, "--board", "h7")
    assert run.status == 1
    assert run.err.startswith(f"blazeposer: {path} does not load on OpenMV Cam H7: ")
    assert run.err.count("\n") == run.out.count("\n") == ONE_LINE
    assert complaint in run.err


@needs_micro
@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (swap_scores, "output 1 (scores_16) has the shape (1, 384, 1), not (1, 512, 1)"),
        (shift_input, "zero point -1, not 1/127.5 and 0"),
    ],
)
def test_a_model_may_load_and_be_no_blazeposer(
    model_path: Path, tmp_path: Path, blazeposer_command: CommandLine, edit: Edit, complaint: str
) -> None:
    run = blazeposer_command("check", edited(model_path, tmp_path, edit), "--board", "nicla")
    assert (run.status, run.err) == (0, "")
    loads, identity = run.out.splitlines()
    assert "on Arduino Nicla Vision: loads, from /rom" in loads
    assert identity.startswith("The file is not a BlazePoser network: ")
    assert complaint in identity


@pytest.mark.parametrize("arguments", [[], ["--board", "rt1062"]])
@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda data: b"", "an empty file: copy it again"),
        (lambda data: b"\x89PNG\r\n\x1a\n" + data, "not a tflite file: use a file from"),
        (lambda data: data[: len(data) // 2], "a damaged or truncated tflite file: copy it again"),
        (lambda data: data[:20] + bytes(255 - byte for byte in data[20:60]) + data[60:], "a damaged or truncated"),
    ],
)
def test_a_damaged_file_is_one_line(
    model_path: Path,
    tmp_path: Path,
    blazeposer_command: CommandLine,
    arguments: list[str],
    damage: Callable[[bytes], bytes],
    complaint: str,
) -> None:
    path = tmp_path / "damaged.tflite"
    path.write_bytes(damage(model_path.read_bytes()))
    run = blazeposer_command("check", path, *arguments)
    assert (run.status, run.out) == (1, "")
    assert run.err.startswith(f"blazeposer: {path}: ")
    assert run.err.count("\n") == ONE_LINE
    assert complaint in run.err


@needs_micro
def test_a_flipped_weight_is_told_by_the_manifest(
    model_path: Path, tmp_path: Path, blazeposer_command: CommandLine
) -> None:
    """It loads, and computes something else: only the hash knows."""
    path = tmp_path / model_path.name
    shutil.copy(manifest_path(model_path), manifest_path(path))
    data = bytearray(model_path.read_bytes())
    middle = len(data) // 2
    data[middle] ^= 0x40
    path.write_bytes(data)
    run = blazeposer_command("check", path, "--board", "h7")
    assert "does not describe this blazeposer.tflite (sha256 differs)" in run.out
    assert "not a BlazePoser network" in run.out


@given(place=st.integers(0, 63) | st.integers(0, 9000) | st.integers(0, 10**7), change=st.integers(1, 255))
def test_no_flipped_byte_gets_past_as_anything_but_a_graph_or_one_line(place: int, change: int) -> None:
    """Read with checks, any file either is a graph whose every number is in range or a ModelError."""
    data = bytearray(default_model().read_bytes())
    data[place % len(data)] ^= change
    with suppress(ModelError):
        graph = read_graph(bytes(data), "flipped")
        used = [index for operation in graph.operations for index in operation.inputs + operation.outputs]
        assert all(0 <= index < len(graph.tensors) for index in [*used, *graph.inputs, *graph.outputs])


def test_a_file_without_manifest_may_be_a_blazeposer(model_path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "mine.tflite"
    shutil.copy(model_path, copy)
    verdict = check_model(copy, H7)
    assert not verdict.model.breach
    assert verdict.model.manifest == "no manifest (mine.json) is beside the file"


def test_the_float_network_is_for_pcs(float_model_path: Path) -> None:
    verdict = check_model(float_model_path, H7)
    assert "use the INT8 network" in verdict.model.breach
    assert not verdict.loads
    assert "its arena needs" in verdict.reason


def test_without_micro_the_manifest_s_arena_counts(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "can_measure", lambda: False)
    verdict = check_model(model_path, H7)
    assert verdict.loads
    assert verdict.model.arena == read_manifest(model_path).arena_bytes
    assert verdict.model.arena_note == "read from the manifest (a board needs at most this)"


def test_without_micro_and_manifest_the_arena_is_not_measured(
    model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blazeposer_command: CommandLine
) -> None:
    monkeypatch.setattr(check, "can_measure", lambda: False)
    copy = tmp_path / "mine.tflite"
    shutil.copy(model_path, copy)
    run = blazeposer_command("check", copy, "--board", "h7")
    assert run.status == 0
    assert "probably loads, from /rom; arena not measured: TFLite Micro is not installed" in run.out
    assert "perhaps" in blazeposer_command("check", copy).out
    # What tensors take is known all the same.
    small = with_heap(128 * KB)
    assert "its arena needs at least" in check_model(copy, small).reason


@needs_micro
def test_the_table_has_every_board(blazeposer_command: CommandLine, model_path: Path) -> None:
    run = blazeposer_command("check")
    assert (run.status, run.err) == (0, "")
    for board in BOARDS:
        (row,) = [line for line in run.out.splitlines() if board.name in line and f" {board.key} " in line]
        assert (" no " in row) == (board.key == "n6")
    assert run.out.startswith(str(model_path))
    assert "n6: its NPU needs a file that ST's stedgeai has compiled" in run.out
    assert run.out.splitlines()[-1] == "The file is a BlazePoser network, and its manifest describes it."


@needs_micro
def test_the_table_estimates_time_on_every_board(ours: Model, blazeposer_command: CommandLine) -> None:
    verdicts = {board.key: judge(ours, board) for board in BOARDS}
    heads, rows = time_table(list(verdicts.values()), 900_000)
    assert all("estimated" in head for head in heads[1:])
    found = {row[0]: row[1:] for row in rows}
    assert set(found) == {board.key for board in BOARDS}
    estimate = verdicts["h7"].estimate
    assert estimate is not None
    assert found["h7"][:2] == (f"{ours.camera_arena:,}", "SRAM")
    network, frame = (int(cell.split(" ±")[0]) for cell in found["h7"][2:4])
    assert 5 < frame - network < 15  # scaling and decoding
    assert (network, frame) == (round(estimate.network), round(estimate.frame))
    assert float(found["h7"][4]) == pytest.approx(1000 / frame, rel=0.02)
    assert found["ae3"] == ("", "", "2.2 (NPU)", "", "")  # 900,000 cycles at 400 MHz
    assert found["n6"] == ("", "", "unknown", "", "")
    run = blazeposer_command("check")
    assert max(map(len, run.out.splitlines()[1:])) <= 110
    for key, cells in found.items():
        if key not in ("ae3", "n6"):
            assert any(line.split() == [key, *" ".join(cells).split()] for line in run.out.splitlines())
    assert "No value was measured on a camera." in run.out
    said = blazeposer_command("check", "--board", "rt1062").out
    assert re.search(r"estimated, not measured: arena in \w+, \d+ ms per frame ± \d+%, [\d.]+ frames", said)


@needs_micro
def test_time_is_not_guessed_for_an_operation_that_was_never_counted(model_path: Path, tmp_path: Path) -> None:
    model = examine(edited(model_path, tmp_path, uncounted_operation))
    assert model.uncounted == ["RELU"]
    verdict = judge(model, find("rt1062"))
    assert verdict.loads
    assert verdict.estimate is None
    assert "CPU: time unknown, because the instructions of RELU in this form were not counted." in time_notes(model, "")


def test_a_model_for_no_board_fails(blazeposer_command: CommandLine, model_path: Path, tmp_path: Path) -> None:
    run = blazeposer_command("check", edited(model_path, tmp_path, strange_operation))
    assert run.status == 1
    assert "does not load on any board: the firmware lacks the operation POW" in run.err
    assert run.err.count("\n") == ONE_LINE


def test_a_missing_file_and_board_are_one_line(blazeposer_command: CommandLine, tmp_path: Path) -> None:
    for arguments, complaint in (
        ([tmp_path / "no.tflite"], "cannot read the model (No such file or directory): check the path"),
        (["--board", "m4"], "there is no board 'm4': use one of h7,"),
    ):
        run = blazeposer_command("check", *arguments)
        assert (run.status, run.out) == (1, "")
        assert complaint in run.err
        assert run.err.count("\n") == ONE_LINE


def test_the_firmware_s_operations_are_the_schema_s_and_those_of_its_resolver() -> None:
    """`ml_backend_init_ops_resolver` in lib/tflm/tflm_backend.cc of openmv/openmv: 111 without Ethos-U, which is for
    the AE3 alone; the detection post-processing is commented out."""
    from ai_edge_litert import schema_py_generated as schema

    assert len(firmware.OPERATIONS) + len(firmware.CUSTOM_OPERATIONS) == 111
    assert all(hasattr(schema.BuiltinOperator, name) for name in firmware.OPERATIONS)
    assert not {"POW", "TILE", "TOPK_V2", "GELU", "RANGE", "REDUCE_MIN"} & firmware.OPERATIONS
    assert "TFLite_Detection_PostProcess" not in firmware.CUSTOM_OPERATIONS
