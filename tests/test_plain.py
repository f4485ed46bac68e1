"""Plain networks: shortcuts fold away exactly, and each path to a tflite file takes the folded network."""

import copy
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
import torch
from numpy.typing import NDArray

from blazeposer.core.contract import GRIDS, MAX_FILE_BYTES, OUTPUTS
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.prepare import camera_input, to_float
from blazeposer.scene.sequence import frames
from blazeposer.tflite.interpreter import open_network
from blazeposer.tflite.rewrite import with_all_outputs
from blazeposer_training.int8.calibrate import quantize, to_network
from blazeposer_training.int8.export import activation_quantization, float_layers, int8_layers
from blazeposer_training.int8.flatbuffer import write_tflite
from blazeposer_training.int8.quantized import QuantizedBlazePoser
from blazeposer_training.int8.readback import ReadBack
from blazeposer_training.learning import distil
from blazeposer_training.network import weights
from blazeposer_training.network.architecture import ARCHITECTURES, Architecture, architecture, plain
from blazeposer_training.network.branches import SCALE, Shortcut, fold, unfold
from blazeposer_training.network.graph import block_output, operations
from blazeposer_training.network.model import CEILING, BlazePoser
from blazeposer_training.network.weights import load_blazeface
from kernels import litert

OTHERS = {
    "wider than the original": plain(24, (28,), (40, 48), (56, 88), (112, 104)),
}
PLAIN = {**ARCHITECTURES, **OTHERS}


@pytest.fixture(scope="module", params=list(PLAIN.values()), ids=list(PLAIN))
def plain_architecture(request: pytest.FixtureRequest) -> Architecture:
    found: Architecture = request.param
    return found


@pytest.fixture(scope="module")
def network(plain_architecture: Architecture) -> BlazePoser:
    """A network to run, shaken so that no value is special."""
    torch.manual_seed(0)
    network = load_blazeface(BlazePoser(plain_architecture)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1 + 0.1 * torch.randn_like(parameter))
    fire_everywhere(network)
    return network


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    return np.stack([camera_input(frame.picture) for frame in frames()[::30]])


@pytest.fixture(scope="module")
def quantized(network: BlazePoser, pictures: NDArray[np.uint8]) -> QuantizedBlazePoser:
    model = QuantizedBlazePoser(copy.deepcopy(network)).eval()
    quantize(model, pictures)
    return model


def fire_everywhere(network: BlazePoser) -> None:
    """The ranges of regressors are set by anchors that fire, of which an untrained network may have none."""
    for name, parameter in network.scores.named_parameters():
        torch.nn.init.constant_(parameter, float(name.endswith("bias")))


def near(first: torch.Tensor, second: torch.Tensor, share: float) -> bool:
    """Return whether no value differs by more than a share of 1 or, where it is larger, of the largest value."""
    return bool((first - second).abs().max() <= share * max(1.0, second.abs().max().item()))


def shaken(network: BlazePoser) -> BlazePoser:
    """Return a network as it is during training."""
    network = unfold(network)
    with torch.no_grad():
        for parameter in network.backbone.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.02)
    return network


def test_a_folded_network_computes_what_the_trained_one_does(network: BlazePoser, pictures: NDArray[np.uint8]) -> None:
    torch.manual_seed(1)
    trained = shaken(network)
    folded = fold(trained)
    image = to_network(np.concatenate([pictures, np.zeros_like(pictures[:1]), np.full_like(pictures[:1], 255)]))
    with torch.no_grad():
        for before, after in zip(trained(image), folded(image), strict=True):
            assert near(after, before, 1e-4)
        blocks = range(len(network.architecture.blocks))
        for before, after in zip(*(n.backbone.maps(image, blocks) for n in (trained, folded)), strict=True):
            assert near(SCALE * after, before, 1e-4)
    assert not any(isinstance(module, Shortcut) for module in folded.modules())
    assert folded.state_dict().keys() == network.state_dict().keys()


def test_the_clamp_is_the_same_before_and_after(network: BlazePoser) -> None:
    """Folding is exact also where maps reach the ceiling, which made-up weights force here."""
    trained = unfold(network)
    with torch.no_grad():
        trained.backbone.stem.weight *= 400
    image = torch.rand(1, 3, 128, 128) * 2 - 1
    last = len(network.architecture.blocks) - 1
    with torch.no_grad():
        before, after = (n.backbone.maps(image, [0, last]) for n in (trained, fold(trained)))
    assert before[0].max() == SCALE * CEILING
    assert after[0].max() == CEILING
    for ours, theirs in zip(after, before, strict=True):
        assert near(SCALE * ours, theirs, 1e-4)


def test_unfolding_is_the_inverse(network: BlazePoser) -> None:
    again = fold(unfold(network)).state_dict()
    for name, value in network.state_dict().items():
        assert near(again[name], value, 1e-5), name


def test_a_shortcut_passes_its_input_on() -> None:
    x = torch.rand(1, 6, 8, 8)
    for convolution in (
        torch.nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False),
        torch.nn.Conv2d(6, 9, 1, bias=False),
        torch.nn.Conv2d(6, 4, 3, padding=1, bias=False),
    ):
        shortcut = Shortcut(convolution)
        torch.nn.init.zeros_(convolution.weight)
        y, same = shortcut(x), min(6, convolution.out_channels)
        torch.testing.assert_close(y[:, :same], x[:, :same])
        assert not y[:, same:].any()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_those_that_a_recipe_may_name_are_small_enough(name: str) -> None:
    network = BlazePoser(ARCHITECTURES[name])
    assert sum(parameter.numel() for parameter in network.parameters()) <= 104_100
    quantized = QuantizedBlazePoser(network)
    file = write_tflite(int8_layers(quantized), activation_quantization(quantized), quantized.operations)
    assert len(file) <= MAX_FILE_BYTES


def test_operations_are_convolutions_alone(plain_architecture: Architecture) -> None:
    graph = operations(plain_architecture)
    assert {operation.kind for operation in graph} == {"conv", "depthwise", "reshape"}
    for tap, grid in zip(plain_architecture.taps, GRIDS, strict=True):
        output = next(item for item in graph if item.output == block_output(plain_architecture, tap))
        assert output.shape[1] == grid.side


def test_float_file_and_graph_are_the_torch_network(
    network: BlazePoser, pictures: NDArray[np.uint8], tmp_path: Path
) -> None:
    path = tmp_path / "float.tflite"
    path.write_bytes(write_tflite(float_layers(network), {}, operations(network.architecture)))
    for picture in (pictures[0], np.zeros_like(pictures[0])):
        image = torch.from_numpy(to_float(picture)).permute(2, 0, 1)[None]
        with torch.no_grad():
            expected = network(image)
            traced = QuantizedBlazePoser(network).trace(image, quantized=False)
        for output, written, theirs in zip(OUTPUTS, open_network(path).outputs(picture), expected, strict=True):
            assert near(torch.from_numpy(written), theirs, 1e-4)
            assert near(traced[output.name], theirs, 1e-4)


@pytest.mark.slow
def test_torch_mirrors_the_reference_kernels(quantized: QuantizedBlazePoser, pictures: NDArray[np.uint8]) -> None:
    """Each layer by itself, fed with what the kernels computed before it: at most one level apart, and seldom."""
    quantization = activation_quantization(quantized)
    data = with_all_outputs(write_tflite(int8_layers(quantized), quantization, quantized.operations))
    pixels = (pictures[0].astype(np.int16) - 128).astype(np.int8)
    inner = [operation for operation in quantized.operations if operation.kind != "reshape"]
    kernels = zip(quantized.operations, litert(data, pixels)[len(OUTPUTS) :], strict=True)
    levels = {"image": pixels[None], **{item.output: level for item, level in kernels if item in inner}}
    values = {}
    for name, level in levels.items():
        scale, zero_point = quantization[name]
        real = (level.astype(np.float32) - zero_point) * np.float32(scale)
        values[name] = torch.from_numpy(real).permute(0, 3, 1, 2)
    off_by_one = total = 0
    for operation in inner:
        with torch.no_grad():
            real = quantized.run(operation, values[operation.inputs[0]])
            ours = quantized.quantizer(operation.output).levels(real).permute(0, 2, 3, 1).numpy()
        difference = np.abs(ours - levels[operation.output])
        assert difference.max() <= 1, operation.output
        off_by_one += int((difference == 1).sum())
        total += difference.size
    assert off_by_one / total < 0.005


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")  # the ranges are in the graph
def test_a_file_is_read_back_and_converted(pictures: NDArray[np.uint8]) -> None:
    pytest.importorskip("tensorflow", reason="needs the extra `train`")
    from blazeposer_training.int8.converter import convert

    torch.manual_seed(0)
    network = load_blazeface(BlazePoser(ARCHITECTURES["plain-65"]))
    fire_everywhere(network)
    model = QuantizedBlazePoser(network).eval()
    quantize(model, pictures[:2])
    data = write_tflite(int8_layers(model), activation_quantization(model), model.operations)
    back = ReadBack(data, "ours")
    assert back.network.architecture == ARCHITECTURES["plain-65"]
    again = write_tflite(int8_layers(back), activation_quantization(back), back.operations)
    assert again == data
    pixels = (pictures[0].astype(np.int16) - 128).astype(np.int8)
    for ours, theirs in zip(litert(data, pixels), litert(convert(back), pixels), strict=True):
        assert np.mean(np.abs(ours.astype(int) - theirs) <= 1) > 0.95


def test_distilling_trains_the_whole_backbone_once(plain_architecture: Architecture) -> None:
    network = unfold(BlazePoser(plain_architecture))
    trained = [id(p) for part in distil.parts(plain_architecture) for p in distil.parameters(part, network)]
    assert sorted(trained) == sorted(id(parameter) for parameter in network.backbone.parameters())


def test_wider_channels_start_fresh_and_feed_no_copied_one(pictures: NDArray[np.uint8]) -> None:
    """The first channels compute the same with more channels at 8x8 than the original has."""
    wide, narrow = (
        load_blazeface(BlazePoser(plain(16, (16,), (32, 36, 42), (48, 56, 64, 72, 80, 88), (last,) * 5)))
        for last in (112, 96)
    )
    image = to_network(pictures[:1])
    with torch.no_grad():
        first, second = (model.backbone(image)[1] for model in (wide, narrow))
    torch.testing.assert_close(first[:, :96], second)
    assert first[:, 96:].abs().max() > 0


def test_weights_name_their_architecture(tmp_path: Path) -> None:
    path, model = tmp_path / "plain.safetensors", BlazePoser(ARCHITECTURES["plain-65"])
    weights.save(model, path, {"architecture": "plain-65"})
    assert weights.load(path).architecture == ARCHITECTURES["plain-65"]
    with pytest.raises(BlazePoserError, match="no architecture none"):
        architecture("none")
