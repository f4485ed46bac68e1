"""`blazeposer validate`: every stage agrees, and faults are found by values, in the right layer or stage."""

import hashlib
import json
import shutil
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blazeposer.camera import VirtualCamera
from blazeposer.core import decode, face
from blazeposer.core.errors import ModelError, PortError
from blazeposer.core.prepare import Image, from_rgb565, rgb565, to_rgb565
from blazeposer.core.resources import board_dir
from blazeposer.core.rotation import angles_from_rotation
from blazeposer.deploy import selftest
from blazeposer.deploy.camera import Camera
from blazeposer.evaluate.report import Section
from blazeposer.evaluate.validate import board, golden
from blazeposer.evaluate.validate.layers import Layers
from blazeposer.openmv.ports import Port
from blazeposer.tflite.interpreter import open_network
from blazeposer.tflite.manifest import manifest_path, read_manifest
from conftest import CommandLine
from edits import edited
from standin import standin

SLOW = ("--without", "torch", "--without", "converter", "--without", "board")


def finding(section: Section) -> str:
    assert isinstance(section.parts[0], str)
    return section.parts[0]


def held_against_golden(model: Path) -> Section:
    return golden.check(golden.read(model.with_name("blazeposer_golden")), open_network(model), Layers(model))


@pytest.fixture
def broken(model_path: Path, tmp_path: Path) -> Callable[[Callable[[Any], None]], Path]:
    """Makes an edited copy of the network, its hash in its manifest, and the golden vectors beside it."""

    def make(edit: Callable[[Any], None]) -> Path:
        shutil.copytree(model_path.with_name("blazeposer_golden"), tmp_path / "blazeposer_golden")
        model = edited(model_path, tmp_path, edit).rename(tmp_path / "blazeposer.tflite")
        manifest = json.loads(manifest_path(model_path).read_text())
        manifest |= {
            "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
            "file_bytes": model.stat().st_size,
        }
        manifest_path(model).write_text(json.dumps(manifest))
        return model

    return make


def weights_of(file: Any, layers: Layers, name: str) -> Any:
    """The buffer of a convolution's weights."""
    return file.buffers[file.subgraphs[0].tensors[layers.operations[name].inputs[1]].buffer]


@pytest.mark.parametrize("layer", ["backbone.stem", "backbone.blocks.7.depthwise", "poses.1.rotation"])
def test_a_flipped_bit_is_found_in_its_layer(broken: Any, model_path: Path, layer: str) -> None:
    layers = Layers(model_path)

    def flip(file: Any) -> None:
        buffer = weights_of(file, layers, layer)
        buffer.data = np.array(buffer.data, np.uint8)
        buffer.data[3] ^= 0x80

    section = held_against_golden(broken(flip))
    assert section.verdict == "failed"
    assert finding(section).startswith(f"{layer}: its weights")
    assert section.data["layers_with_other_constants"] == [layer]


def test_a_turned_sign_in_the_network_is_found_in_its_layer(broken: Any, model_path: Path) -> None:
    """All weights and biases of one head are negated; everything before it computes correctly."""
    layers = Layers(model_path)
    name = "poses.0.rotation"

    def turn(file: Any) -> None:
        weights = weights_of(file, layers, name)
        weights.data = (-np.array(weights.data, np.uint8).view(np.int8)).view(np.uint8)

    section = held_against_golden(broken(turn))
    assert section.verdict == "failed"
    assert f"first at layer {name}" in finding(section)


def test_a_changed_scale_is_no_longer_the_manifests(broken: Any, model_path: Path, tmp_path: Path) -> None:
    def scale(file: Any) -> None:
        graph = file.subgraphs[0]
        tensor = graph.tensors[layers.operations["backbone.blocks.3.pointwise"].outputs[0]]
        tensor.quantization.scale = np.array(tensor.quantization.scale) * 1.01

    layers = Layers(model_path)
    model = broken(scale)
    assert Layers(model_path).unlike(read_manifest(model_path)) == []
    assert Layers(model).unlike(read_manifest(model)) == ["backbone.blocks.3.pointwise"]


def test_a_moved_anchor_of_the_host_is_found(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = golden.read(model_path.with_name("blazeposer_golden"))
    scores = np.concatenate([vectors.vectors["portrait"].outputs[index].ravel() for index in (1, 2)])
    origin = decode._ORIGIN.copy()
    origin[scores.argmax(), 0] += 1 / 16
    monkeypatch.setattr(decode, "_ORIGIN", origin)
    section = held_against_golden(model_path)
    assert section.verdict == "failed"
    assert "portrait: the host's decoder finds other faces" in finding(section)
    assert "layer" not in finding(section)


def test_a_turned_sign_of_the_host_is_found(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face, "angles_from_rotation", lambda found: angles_from_rotation(found) * [-1, 1, 1])
    section = held_against_golden(model_path)
    assert section.verdict == "failed"
    assert "the host's decoder" in finding(section)


@pytest.mark.slow
@pytest.mark.usefixtures("needs_virtual_camera")
@pytest.mark.parametrize(
    ("true", "false", "named"),
    [
        ("* (cell % self._side)", "* (cell % self._side + (self.first + anchor == 300))", "is at anchor 300 "),
        ("yaw = -math.asin(", "yaw = math.asin(", "angles differ by "),
    ],
)  # fmt: skip
def test_a_fault_of_the_boards_decoder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, true: str, false: str, named: str
) -> None:
    source = (board_dir() / "blazeposer.py").read_text()
    assert true in source
    shutil.copytree(board_dir(), tmp_path, dirs_exist_ok=True)
    (tmp_path / "blazeposer.py").write_text(source.replace(true, false))
    monkeypatch.setattr(board, "board_dir", lambda: tmp_path)
    section = board.decoder_section()
    assert section.verdict == "failed"
    assert named in finding(section)


@pytest.mark.usefixtures("needs_virtual_camera")
def test_a_camera_without_our_scripts_is_told(tmp_path: Path) -> None:
    with VirtualCamera([np.zeros((8, 8, 3), np.uint8)]) as camera:
        asked = Camera(Port(camera.port, virtual=True))
        with pytest.raises(PortError, match="blazeposer deploy"):
            board.see(asked, [np.zeros((128, 128, 3), np.uint8)])


def test_golden_vectors_are_those_of_the_network_that_ships(model_path: Path) -> None:
    section = held_against_golden(model_path)
    assert section.verdict == "passed", finding(section)


def test_the_self_test_has_a_golden_vector(model_path: Path) -> None:
    """The golden outputs are those that `board/selftest.py` compares with on the camera."""
    vector = golden.read(model_path.with_name("blazeposer_golden")).vectors["selftest"]
    data = zlib.decompress(selftest.make(model_path))
    assert np.array_equal(vector.picture, selftest.picture())
    assert data.endswith(b"".join(output.tobytes() for output in vector.outputs))


def test_golden_vectors_survive_writing(model_path: Path, tmp_path: Path) -> None:
    made = golden.make(model_path)
    golden.write(made, tmp_path)
    found = golden.read(tmp_path)
    assert (found.constants, found.quantization) == (made.constants, made.quantization)
    for name, vector in made.vectors.items():
        assert found.vectors[name].layers == vector.layers
        assert found.vectors[name].faces == vector.faces
        assert np.array_equal(found.vectors[name].picture, vector.picture)
    (tmp_path / "tilted.bin").write_bytes(b"short")
    with pytest.raises(ModelError, match=r"damaged.*blazeposer golden"):
        golden.read(tmp_path)


def test_pictures_cross_to_a_camera_unharmed(portrait: Image) -> None:
    """RGB565 as openmv's imlib.h has it: red in the highest bits of a little-endian number."""
    assert to_rgb565(np.array([[[255, 0, 0]], [[0, 255, 0]], [[0, 0, 255]]], np.uint8)) == b"\x00\xf8\xe0\x07\x1f\x00"
    height, width = portrait.shape[:2]
    assert np.array_equal(from_rgb565(to_rgb565(portrait), width, height), rgb565(portrait))


def test_the_network_is_read_back_to_the_byte(model_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra `train`")
    from blazeposer_training.int8.export import activation_quantization, int8_layers
    from blazeposer_training.int8.flatbuffer import write_tflite
    from blazeposer_training.int8.readback import ReadBack

    network = ReadBack(model_path.read_bytes(), "ours")
    assert (
        write_tflite(int8_layers(network), activation_quantization(network), network.operations)
        == model_path.read_bytes()
    )
    with pytest.raises(ModelError, match="not an architecture"):
        ReadBack(standin(), "standin")


@pytest.mark.slow
def test_command_names_the_layer_and_fails(
    blazeposer_command: CommandLine, broken: Any, model_path: Path, portrait_path: Path, tmp_path: Path
) -> None:
    layers = Layers(model_path)

    def flip(file: Any) -> None:
        buffer = weights_of(file, layers, "backbone.blocks.5.pointwise")
        buffer.data = np.array(buffer.data, np.uint8)
        buffer.data[100] ^= 0x80

    run = blazeposer_command("validate", portrait_path, "--model", broken(flip), "--output", tmp_path / "report", *SLOW)
    assert run.status == 1
    verdict = run.out.strip().splitlines()[-1]
    assert verdict.startswith("FAILED: Golden vectors / the INT8 file and the host's decoder; not run: ")
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["passed"] is False
    (check,) = [check for check in report["checks"] if check["verdict"] == "failed"]
    assert check["layers_with_other_constants"] == ["backbone.blocks.5.pointwise"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nothing here"], "nothing here: no such file or folder: name an image, a folder, or a data set"),
        (["a.jpg", "--dataset", "aflw2000"], "SOURCE and --dataset cannot be used together: leave one out."),
        (["--model", "models/none.tflite"], "models/none.tflite: cannot read the model"),
        (["--without", "all"], "'all' is not one of"),
    ],
)
def test_mistakes_are_one_line(
    blazeposer_command: CommandLine, tmp_path: Path, arguments: list[str], line: str
) -> None:
    run = blazeposer_command("validate", *arguments, "--output", tmp_path)
    assert run.status
    assert line in run.err
    assert len(run.err.strip().splitlines()) == 1


def test_a_float_file_is_refused(blazeposer_command: CommandLine, tmp_path: Path, float_model_path: Path) -> None:
    run = blazeposer_command("validate", "--model", float_model_path, "--output", tmp_path)
    assert run.status == 1
    assert "name the INT8 file" in run.err


def test_missing_extras_and_files_are_named_in_the_verdict(
    blazeposer_command: CommandLine, tmp_path: Path, model_path: Path, portrait_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A file of one's own without what belongs to it, on a PC without torch and TFLite Micro: said, and no failure."""
    for module in ("torch", "tflite_micro"):
        monkeypatch.setitem(sys.modules, module, None)
    for module in [name for name in sys.modules if name.startswith("blazeposer_training.int8")]:
        monkeypatch.delitem(sys.modules, module)
    alone = tmp_path / "mine.tflite"
    shutil.copy(model_path, alone)
    shutil.copy(model_path.with_name("blazeposer.safetensors"), tmp_path / "mine.safetensors")
    run = blazeposer_command("validate", portrait_path, "--model", alone, "--output", tmp_path, "--without", "board")
    report = json.loads((tmp_path / "report.json").read_text())
    left = {check["title"]: check["finding"] for check in report["checks"] if check["verdict"] == "not run"}
    assert "pip install 'blazeposer[train]'" in left["torch / float"]
    assert "mine_float.tflite" in left["float / reference"]
    assert "pip install 'blazeposer[demo]'" in left["reference / micro"]
    assert "mine_golden" in left[golden.TITLE]
    assert all(title in report["verdict"] for title in left)
    assert run.status == 1  # without its manifest
