"""Files for the NPUs: what Vela makes for the AE3, and what the N6 takes."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from blazeposer.core.boards import BOARDS, find
from blazeposer.core.contract import OUTPUTS
from blazeposer.core.errors import BlazePoserError, MissingExtraError, ModelError
from blazeposer.tflite import npu
from blazeposer.tflite.check import STEDGEAI_MAGIC, check_model
from blazeposer.tflite.graph import read_graph
from blazeposer.tflite.npu import UNVERIFIED, compile_for
from conftest import CommandLine

AE3, N6 = find("ae3"), find("n6")


@pytest.fixture(scope="module")
def _needs_vela() -> None:
    if find_spec("ethosu") is None:
        pytest.skip("the extra `npu` is not installed")


@pytest.fixture(scope="module")
def compiled(model_path: Path, tmp_path_factory: pytest.TempPathFactory, _needs_vela: None) -> Path:
    path = tmp_path_factory.mktemp("compiled") / "blazeposer_ae3.tflite"
    path.write_bytes(compile_for(AE3, model_path))
    return path


@pytest.fixture
def relocatable(tmp_path: Path) -> Path:
    """Write a file with the beginning of a network_rel.bin."""
    path = tmp_path / "network_rel.bin"
    path.write_bytes(STEDGEAI_MAGIC + bytes(1000))
    return path


def test_the_ae3_s_file_is_one_operation_between_the_same_tensors(model_path: Path, compiled: Path) -> None:
    source, result = (read_graph(path.read_bytes(), path.name) for path in (model_path, compiled))
    assert [operation.name for operation in result.operations] == ["ethos-u"]
    assert result.input_tensors == source.input_tensors  # shapes, types, scales, zero points, names
    assert result.output_tensors == source.output_tensors
    assert [tensor.shape for tensor in result.output_tensors] == [output.shape for output in OUTPUTS]


def test_the_ae3_s_file_loads_there_alone(compiled: Path) -> None:
    for board in BOARDS:
        verdict = check_model(compiled, board)
        assert not verdict.model.breach
        assert verdict.loads == (board is AE3)
        if verdict.loads:
            assert verdict.model.arena is None
            assert UNVERIFIED in verdict.notes
            assert any(note.startswith("arena not measured") for note in verdict.notes)


@pytest.mark.usefixtures("_needs_vela")
def test_what_vela_leaves_to_the_cpu_is_an_error(float_model_path: Path, tmp_path: Path) -> None:
    with pytest.raises(BlazePoserError, match=r"CONV_2D.*blazeposer_float\.tflite"):
        compile_for(AE3, float_model_path)


def test_a_changed_interface_is_an_error(
    model_path: Path, compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vela has put the outputs into another order."""
    from edits import edited, swap_scores

    swapped = edited(compiled, tmp_path, swap_scores)
    monkeypatch.setattr(npu, "run_vela", lambda path, folder: swapped)
    with pytest.raises(BlazePoserError, match=r"inputs or outputs.*blazeposer\.tflite"):
        compile_for(AE3, model_path)


@pytest.mark.usefixtures("_needs_vela")
def test_a_damaged_file_never_reaches_vela(tmp_path: Path) -> None:
    path = tmp_path / "damaged.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    with pytest.raises(ModelError, match="damaged"):
        compile_for(AE3, path)


@pytest.mark.usefixtures("_needs_vela")
def test_vela_s_failure_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "damaged.tflite"
    path.write_bytes(b"no network")
    with pytest.raises(BlazePoserError, match=r"Vela.*damaged\.tflite") as caught:
        npu.run_vela(path, tmp_path)
    assert "\n" not in str(caught.value)


def test_boards_without_npu_get_the_file_itself(model_path: Path) -> None:
    for board in (board for board in BOARDS if not board.npu):
        assert compile_for(board, model_path) == model_path.read_bytes()


def test_the_n6_takes_what_stedgeai_made(model_path: Path, relocatable: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(compile_for(N6, model_path, relocatable))
    assert path.read_bytes() == relocatable.read_bytes()
    for board in BOARDS:
        verdict = check_model(path, board)
        assert verdict.loads == (board is N6)
        assert verdict.reason == "" or "compiled for the NPU of the N6" in verdict.reason
    assert check_model(path, N6).stores == ("/rom",)  # never from a file: openmv issue 3272


def test_the_n6_without_its_file_is_told_how_to_make_it(model_path: Path, tmp_path: Path) -> None:
    with pytest.raises(BlazePoserError, match=r"stedgeai generate .*--relocatable .*network_rel\.bin"):
        compile_for(N6, model_path)


def test_the_n6_refuses_a_raw_tflite(model_path: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"tflite.*network_rel\.bin"):
        compile_for(N6, model_path, model_path)
    other = tmp_path / "other.bin"
    other.write_bytes(b"something else")
    with pytest.raises(ModelError, match="not a relocatable network"):
        compile_for(N6, model_path, other)


@pytest.mark.parametrize("board", ["ae3", "h7"])
def test_a_file_for_the_n6_is_refused_elsewhere(
    model_path: Path, relocatable: Path, tmp_path: Path, board: str
) -> None:
    with pytest.raises(BlazePoserError, match="--stedgeai"):
        compile_for(find(board), model_path, relocatable)


def test_a_missing_compiler_names_the_extra(model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "ethosu" else find_spec(name))
    with pytest.raises(MissingExtraError, match=r"ethos-u-vela.*pip install 'blazeposer\[npu\]'"):
        compile_for(AE3, model_path)


def test_a_package_for_an_npu(
    blazeposer_command: CommandLine, compiled: Path, relocatable: Path, tmp_path: Path
) -> None:
    path = tmp_path / "ae3" / "blazeposer.tflite"
    run = blazeposer_command("package", "--board", "ae3", "--output", path.parent)
    assert run.status == 0
    assert run.out.splitlines()[-1] == f"{path} is compiled for the NPU of the OpenMV AE3: {UNVERIFIED}"
    assert path.read_bytes() == compiled.read_bytes()  # reproducible
    path = tmp_path / "n6" / "blazeposer.tflite"
    run = blazeposer_command("package", "--board", "n6", "--stedgeai", relocatable, "--output", path.parent)
    assert run.status == 0
    assert path.read_bytes() == relocatable.read_bytes()
    loads, identity = blazeposer_command("check", path, "--board", "n6").out.splitlines()
    assert loads.endswith(UNVERIFIED)
    assert "unknown whether it is a BlazePoser network" in identity
    run = blazeposer_command("package", "--board", "n6", "--output", tmp_path / "none")
    assert (run.status, run.out, run.err.count("\n")) == (1, "", 1)
    assert "--stedgeai" in run.err
