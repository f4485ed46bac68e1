"""The quantized network: torch, our tflite writer, TensorFlow's converter and the kernels all compute the same."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
import torch
from numpy.typing import NDArray

from blazeposer.core.contract import OUTPUTS
from blazeposer.core.decode import decode
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image, camera_input, to_float, to_int8
from blazeposer.core.resources import models_dir
from blazeposer.evaluate.peers.mediapipe import blazeface_path
from blazeposer.scene.sequence import frames
from blazeposer.tflite.interpreter import open_network
from blazeposer.tflite.manifest import read_manifest
from blazeposer.tflite.rewrite import with_all_outputs
from blazeposer_training.int8.calibrate import _quietest_limit, equalize, quantize, to_network
from blazeposer_training.int8.export import activation_quantization, float_layers, int8_layers
from blazeposer_training.int8.flatbuffer import write_tflite
from blazeposer_training.int8.quantized import HIGHEST, QuantizedBlazePoser, Quantizer
from blazeposer_training.network.architecture import ORIGINAL
from blazeposer_training.network.graph import operations
from blazeposer_training.network.model import BlazePoser
from blazeposer_training.network.weights import load, load_blazeface
from conftest import CommandLine
from kernels import litert

Pictures = NDArray[np.uint8]


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    """Every tenth frame of the demo as the camera gives it to the network."""
    return np.stack([camera_input(frame.picture) for frame in frames()[::10]])


@pytest.fixture(scope="module")
def network() -> BlazePoser:
    """The committed float network."""
    return load(models_dir() / "blazeposer.safetensors")


@pytest.fixture(scope="module")
def model(network: BlazePoser, pictures: Pictures) -> QuantizedBlazePoser:
    """The network quantized with the demo's images."""
    model = QuantizedBlazePoser(copy.deepcopy(network)).eval()
    quantize(model, pictures)
    return model


@pytest.fixture(scope="module")
def int8_path(model: QuantizedBlazePoser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("int8") / "blazeposer.tflite"
    path.write_bytes(write_tflite(int8_layers(model), activation_quantization(model), model.operations))
    return path


def test_the_start_is_the_original_blazeface(portrait: Image) -> None:
    """Outputs 0 to 3 against the file that MediaPipe ships, whose maps are concatenated: regressors, then scores."""
    image = to_float(camera_input(portrait))
    regressors, scores = litert(blazeface_path().read_bytes(), image)
    start = load_blazeface(BlazePoser(ORIGINAL)).eval()
    ours = litert(write_tflite(float_layers(start), {}, operations(ORIGINAL)), image)
    assert np.abs(np.concatenate([ours[0], ours[3]], axis=1) - regressors).max() < 1e-3
    assert np.abs(np.concatenate([ours[1], ours[2]], axis=1) - scores).max() < 1e-3


@pytest.mark.parametrize("runtime", ["reference", "xnnpack"])
def test_float_file_is_the_torch_network(network: BlazePoser, portrait: Image, tmp_path: Path, runtime: Any) -> None:
    path = tmp_path / "float.tflite"
    path.write_bytes(write_tflite(float_layers(network), {}, operations(network.architecture)))
    image = camera_input(portrait)
    with torch.no_grad():
        expected = network(torch.from_numpy(to_float(image)).permute(2, 0, 1)[None])
    for ours, theirs in zip(open_network(path, runtime).outputs(image), expected, strict=True):
        assert ours == pytest.approx(theirs.numpy(), abs=1e-3)


def test_graph_without_quantization_is_the_network(network: BlazePoser, pictures: Pictures) -> None:
    image = to_network(pictures[:2])
    with torch.no_grad():
        tensors = QuantizedBlazePoser(network).trace(image, quantized=False)
        expected = network(image)
    for output, values in zip(OUTPUTS, expected, strict=True):
        assert tensors[output.name].numpy() == pytest.approx(values.numpy(), abs=1e-4)


@pytest.mark.slow
def test_equalizing_changes_nothing_in_float(network: BlazePoser, pictures: Pictures) -> None:
    model = QuantizedBlazePoser(copy.deepcopy(network))
    equalize(model, pictures)
    first = "backbone.blocks.9.depthwise.weight"
    assert not torch.allclose(model.network.state_dict()[first], network.state_dict()[first])
    image = to_network(pictures[:2])
    with torch.no_grad():
        for before, after in zip(network(image), model.network(image), strict=True):
            assert after.numpy() == pytest.approx(before.numpy(), abs=2e-3)


def test_torch_mirrors_the_reference_kernels(model: QuantizedBlazePoser, pictures: Pictures) -> None:
    """Each layer by itself, fed with what the kernels computed before it.

    Never more than one level apart. Equal in nearly all values, but not in all: the kernels round twice on their way
    from accumulator to output (gemmlowp's fixed-point multiplication), which shows most where few bits are cut off.
    """
    quantization = activation_quantization(model)
    data = with_all_outputs(write_tflite(int8_layers(model), quantization, model.operations))
    inner = [operation for operation in model.operations if operation.kind != "reshape"]
    off_by_one, total = 0, 0
    for picture in pictures[:3]:
        tensor = to_int8(picture)
        kernels = zip(model.operations, litert(data, tensor)[len(OUTPUTS) :], strict=True)
        levels = {"image": tensor[np.newaxis], **{item.output: level for item, level in kernels if item in inner}}
        values = {}
        for name, level in levels.items():
            scale, zero_point = quantization[name]
            dequantized = (level.astype(np.float32) - zero_point) * np.float32(scale)
            values[name] = torch.from_numpy(dequantized).permute(0, 3, 1, 2)
        for operation in inner:
            with torch.no_grad():
                real = model.run(operation, values[operation.inputs[0]])
                ours = model.quantizer(operation.output).levels(real).permute(0, 2, 3, 1).numpy()
            difference = np.abs(ours - levels[operation.output])
            assert difference.max() <= 1, operation.output
            off_by_one += int((difference == 1).sum())
            total += difference.size
    assert off_by_one / total < 0.005


def test_micro_equals_reference_on_many_pictures(int8_path: Path, pictures: Pictures) -> None:
    pytest.importorskip("tflite_micro", reason="TFLite Micro has no wheel for this system")
    noise = np.random.default_rng(1).integers(0, 256, pictures[0].shape, np.uint8)
    reference, micro = open_network(int8_path), open_network(int8_path, "micro")
    for picture in (*pictures[::6], noise, np.zeros_like(noise), np.full_like(noise, 255)):
        for output, ours, theirs in zip(OUTPUTS, reference.run(picture), micro.run(picture), strict=True):
            assert np.array_equal(ours, theirs), output.name


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")  # the ranges are in the graph
def test_converter_and_writer_agree_on_the_demo(
    model: QuantizedBlazePoser, int8_path: Path, pictures: Pictures, tmp_path: Path
) -> None:
    pytest.importorskip("tensorflow", reason="needs the extra `train`")
    from blazeposer_training.int8.converter import convert

    path = tmp_path / "converter.tflite"
    path.write_bytes(convert(model))
    ours, theirs = open_network(int8_path), open_network(path)
    pixels, degrees = [], []
    for picture in pictures:
        mine, other = decode(ours.outputs(picture)), decode(theirs.outputs(picture))
        for first, second in same_faces(mine, other):
            pixels.append(np.abs(in_pixels(first) - in_pixels(second)).max())
            degrees.append(np.abs(np.subtract(first.angles, second.angles)).max())
    assert len(pixels) >= len(pictures) - 1  # a face in every frame but the empty room
    assert np.median(pixels) < 0.1
    assert np.median(degrees) < 0.1


def same_faces(first: list[Face], second: list[Face]) -> list[tuple[Face, Face]]:
    """Each face of `first` with the nearest of `second`, where that is within 10 pixels."""
    pairs = []
    for face in first:
        gaps = [np.abs(in_pixels(face) - in_pixels(other)).mean() for other in second]
        if gaps and min(gaps) < 10:
            pairs.append((face, second[int(np.argmin(gaps))]))
    return pairs


def in_pixels(face: Face) -> NDArray[np.float64]:
    """Box and keypoints in pixels of the input."""
    return np.concatenate([face.box, face.points.ravel()]) * 128


def test_quantized_faces_are_those_of_the_float_network(
    network: BlazePoser, int8_path: Path, pictures: Pictures
) -> None:
    """On average rounding moves points by less than one pixel of the input."""
    int8 = open_network(int8_path)
    differences = []
    for picture in pictures:
        with torch.no_grad():
            outputs = [output.numpy() for output in network(to_network(picture[np.newaxis]))]
        pairs = same_faces(decode(outputs), decode(int8.outputs(picture)))
        differences += [np.abs(in_pixels(first) - in_pixels(second)).mean() for first, second in pairs]
    assert len(differences) >= len(pictures) - 1
    assert np.mean(differences) < 1


def test_bytes_are_deterministic_and_in_order(model: QuantizedBlazePoser, int8_path: Path) -> None:
    again = write_tflite(int8_layers(model), activation_quantization(model), model.operations)
    assert again == int8_path.read_bytes()
    assert again[4:8] == b"TFL3"


def test_quantizer_has_the_integers_of_tflite() -> None:
    quantizer = Quantizer()
    quantizer.set_range(-1.0, 3.0)
    values = torch.tensor([-5.0, -1.0, 0.0, 3.0, 9.0])
    assert quantizer.levels(values).tolist() == [-128, -128, -64, 127, 127]
    assert quantizer(values)[2] == 0
    positive = Quantizer(unsigned=True)
    positive.set_range(-1.0, 2.55)
    assert positive.levels(torch.tensor([-1.0, 0.0, 0.01, 2.55])).tolist() == [-128, -128, -127, 127]


def test_weights_that_nothing_reads_are_clipped() -> None:
    """One huge weight on a channel that is always 0 must not make the steps of the others coarse."""
    weight = torch.tensor([[0.5, -0.3, 40.0], [0.5, -0.3, 0.2]])
    power = torch.tensor([1.0, 1.0, 0.0])
    limits = _quietest_limit(weight, power, per_tensor=False)
    assert 0.4 < limits[0] < 1
    assert 0.4 < limits[1] <= 0.5
    heard = _quietest_limit(weight, torch.ones(3), per_tensor=False)
    assert heard[0] == 40
    assert _quietest_limit(weight, torch.ones(3), per_tensor=True).tolist() == [40, 40]


def test_ranges_of_the_contract_are_fixed(model: QuantizedBlazePoser) -> None:
    """Steps are the range over its levels: 127 from 0 to the end of a symmetric one, 255 in all from 0 to ln 60."""
    quantization = activation_quantization(model)
    expected = {"image": (1 / 127.5, 0)}
    for side in (16, 8):
        expected |= {f"scores_{side}": (8 / 127, 0), f"rotation_{side}": (1.6 / 127, 0)}
        expected |= {f"error_{side}": (np.log(60) / 255, -128)}
    for name, values in expected.items():
        assert np.allclose(quantization[name], values), name
    assert all(values[1] == -128 for name, values in quantization.items() if name in relu_outputs(model))


def relu_outputs(model: QuantizedBlazePoser) -> set[str]:
    return {operation.output for operation in model.operations if operation.activation != "none"}


def test_weights_and_free_scales_learn_through_rounding(model: QuantizedBlazePoser, pictures: Pictures) -> None:
    """A range set too narrow widens again by descent; what the contract fixes gets no gradient."""
    model = copy.deepcopy(model)
    image = to_network(pictures[:1])
    with torch.no_grad():
        target = model(image)
    quantizer = model.quantizer("backbone.blocks.3.depthwise")
    highest = ((HIGHEST - quantizer.zero_point) * quantizer.scale).item()
    quantizer.set_range(-highest / 8, highest / 8)
    narrow = quantizer.scale.item()

    def loss() -> torch.Tensor:
        terms = [(ours - theirs).square().mean() for ours, theirs in zip(model(image), target, strict=True)]
        return torch.stack(terms).sum()

    before = loss()
    before.backward()
    for parameter in (quantizer.growth, quantizer.offset, model.network.backbone.stem.weight):
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 0
    for name in ("image", "scores_16", "rotation_8", "error_8"):
        assert model.quantizer(name).growth.grad is None
    assert model.quantizer("backbone.stem").offset.grad is None  # -128 after a ReLU
    optimizer = torch.optim.Adam([quantizer.growth], lr=0.2)
    for _ in range(5):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert quantizer.scale.item() > 1.5 * narrow
    assert loss() < 0.8 * before


def test_command_without_weights_says_what_to_do(blazeposer_command: CommandLine, tmp_path: Path) -> None:
    run = blazeposer_command("quantize", "--weights", tmp_path / "none.safetensors", "--output", tmp_path)
    assert run.status == 1
    assert len(run.err.strip().splitlines()) == 1
    assert "blazeposer train" in run.err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.data
def test_command_writes_files_that_fit_their_manifests(
    blazeposer_command: CommandLine, data_dir: Path, tmp_path: Path
) -> None:
    weights = models_dir() / "blazeposer.safetensors"
    run = blazeposer_command(
        "quantize", "--weights", weights, "--data", data_dir, "--images", 20, "--plain", "--output", tmp_path
    )
    assert run.status == 0, run.err
    for name in ("blazeposer.tflite", "blazeposer_float.tflite"):
        assert name in run.out
        manifest = read_manifest(tmp_path / name)
        assert 100_000 < manifest.arena_bytes < 2_000_000
    assert open_network(tmp_path / "blazeposer.tflite").is_int8
