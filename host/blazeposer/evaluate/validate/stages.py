"""Define the stages, which are the forms of one network that `blazeposer validate` compares.

- `torch` runs the float weights in PyTorch (extra `train`).
- `float` runs the float tflite file with LiteRT's reference kernels.
- `reference` runs the INT8 tflite file with LiteRT's reference kernels.
- `xnnpack` runs the INT8 tflite file with LiteRT's XNNPACK kernels.
- `micro` runs the INT8 tflite file in TensorFlow Lite Micro (extra `demo`).
- `converter` runs the INT8 tflite file of TensorFlow's converter (extra `train`) with LiteRT's reference kernels.
- `board` runs the scripts for the camera in MicroPython on a virtual camera (extra `demo`).
- `camera` runs the scripts on a real camera (option `--port`).

The folder of the INT8 file NAME.tflite also contains the manifest NAME.json, the float network NAME_float.tflite and
the weights NAME.safetensors.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

from blazeposer.camera.micropython import check_platform
from blazeposer.core.decode import decode
from blazeposer.core.errors import BlazePoserError, MissingExtraError, ModelError, needs
from blazeposer.core.prepare import Image
from blazeposer.core.resources import default_model
from blazeposer.deploy import deployment
from blazeposer.deploy.backup import default_folder
from blazeposer.deploy.camera import Camera
from blazeposer.evaluate.validate import board
from blazeposer.evaluate.validate.compare import Limits, Seen
from blazeposer.evaluate.validate.layers import Layers, Trace
from blazeposer.tflite.interpreter import Network, Runtime, dequantized, open_network
from blazeposer.tflite.manifest import read_manifest

Advance = Callable[[], None]
See = Callable[[Sequence[Image], Advance], Seen]
RUNTIMES: dict[Runtime, str] = {
    "reference": "LiteRT reference", "xnnpack": "LiteRT XNNPACK", "micro": "TensorFlow Lite Micro",
}  # fmt: skip
"""Stages that need only the INT8 file, and their runtimes."""
ENTRY_POINTS = "blazeposer.stages"
"""Group of entry points. The training package uses it to add the stages that need torch or TensorFlow."""


class NotRun(BlazePoserError):
    """Error for a stage that cannot run on this PC. The message says what the user can do."""


@dataclass
class Stage:
    """One form of the network. The function `see` runs the stage on images (128, 128, 3) and returns the results. After
    each image, `see` calls its second argument."""

    key: str
    title: str
    is_int8: bool
    see: See
    trace: Callable[[Image], Trace] | None = None
    """Function that returns the outputs of all layers for an image, or None if these outputs are not available."""


@dataclass(frozen=True)
class Pair:
    """Two stages that are compared, and the largest allowed differences."""

    first: str
    second: str
    limits: Limits


COARSE_PIXELS, COARSE_DEGREES = (1.5, 4.0, np.inf), (3.0, 8.0, np.inf)
"""Tolerances for stages that round differently, in the order of `Limits`. They are three times the differences that
were measured between stages of the shipped network on the shipped images. Faces near the threshold or in profile may
differ more, so the worst difference is shown but not checked."""
PAIRS = (
    Pair("torch", "float", Limits(
        "Both use the same float32 weights. Only the order of additions differs.",
        largest=1e-3, pixels=(0.01, 0.05, 0.5), degrees=(0.01, 0.05, 0.5))),
    Pair("float", "reference", Limits(
        "INT8 has 256 levels for each tensor. `blazeposer evaluate` measures the loss of accuracy. These limits are "
        "three times the differences of the shipped network.",
        pixels=COARSE_PIXELS, degrees=COARSE_DEGREES, alone=0.05)),
    Pair("reference", "micro", Limits(
        "Both calculate in integers, like TensorFlow's reference kernels.", equal=True)),
    Pair("reference", "xnnpack", Limits(
        "XNNPACK rounds each layer's sums in another way. The difference is one level, and later layers amplify it.",
        pixels=COARSE_PIXELS, degrees=COARSE_DEGREES, alone=0.05)),
    Pair("reference", "converter", Limits(
        "The converter calculates weights and scales from ranges. A scale may differ in its last bit. Then a few "
        "values differ by one level.", pixels=(0.1, 1, np.inf), degrees=(0.1, 1, np.inf), alone=0.02)),
    Pair("micro", "board", Limits(
        "The virtual camera's network is TensorFlow Lite Micro. The board's decoder calculates boxes in whole numbers "
        "of 2^-20 pixels.", equal=True, pixels=board.PIXELS, degrees=board.DEGREES)),
    Pair("reference", "camera", Limits(
        "A camera's kernels (CMSIS-NN, NPUs) round in another way, like XNNPACK's kernels.",
        pixels=COARSE_PIXELS, degrees=COARSE_DEGREES, alone=0.05)),
)  # fmt: skip


class Stages:
    """The stages of an INT8 file. A real camera is used only if `port` is given."""

    def __init__(self, model: Path, port: str | None = None) -> None:
        self.model, self.port = model, port
        self.network = open_network(model)
        self.layers = Layers(model)
        if not self.network.is_int8:
            raise BlazePoserError(f"{model} is a float file: name the INT8 file from the same folder")

    def open(self, key: str) -> Stage:
        """Open a stage. Raises NotRun if the stage cannot run on this PC, and BlazePoserError if the stage fails."""
        try:
            with needs("train"):
                return self._open(key)
        except MissingExtraError as error:
            raise NotRun(str(error)) from error

    def _open(self, key: str) -> Stage:
        for runtime, title in RUNTIMES.items():
            if key == runtime:
                see = seeing(open_network(self.model, runtime))
                return Stage(key, f"INT8 tflite, {title}", True, see, self.layers.tracer(runtime))
        own: Callable[[], Stage] | None = getattr(self, f"_{key}", None)
        if own:
            return own()
        found = entry_points(group=ENTRY_POINTS, name=key)
        if not found:
            raise NotRun(f"the stage {key!r} is not installed: install BlazePoser again with `pip install -e .`")
        (point,) = found
        stage: Stage = point.load()(self)
        return stage

    def _float(self) -> Stage:
        path = companion(self.model, "_float.tflite")
        trace = self.layers.tracer("reference", path.read_bytes())
        return Stage("float", "float tflite, LiteRT reference", False, seeing(open_network(path)), trace)

    def _board(self) -> Stage:
        try:
            check_platform()
        except BlazePoserError as error:
            raise NotRun(str(error)) from error
        return Stage("board", "board/blazeposer.py in MicroPython", True, _at(lambda: board.virtual_camera(self.model)))

    def _camera(self) -> Stage:
        if self.port is None:
            raise NotRun("no port of a camera is given: run `blazeposer deploy`, then add --port")
        see = _at(lambda: deployment.connected(self.port, default_folder()))
        return Stage("camera", f"the camera at {self.port}", True, see)


def _at(connected: Callable[[], AbstractContextManager[Camera]]) -> See:
    def see(pictures: Sequence[Image], advance: Advance) -> Seen:
        with connected() as camera:
            return board.see(camera, pictures, advance)

    return see


def companion(model: Path, suffix: str) -> Path:
    """Return the path with the INT8 file's name and the suffix `suffix`. If there is no file with this path, but the
    manifests of the INT8 file and of the shipped network describe the same training and quantization, return the path
    of the shipped network's file with this suffix. Raises NotRun."""
    if (path := model.with_name(model.stem + suffix)).exists():
        return path
    try:
        ours, shipped = read_manifest(model), read_manifest(default_model())
        same = (ours.training, ours.quantization) == (shipped.training, shipped.quantization)
    except ModelError:
        same = False
    if not same:
        raise NotRun(f"there is no {path}: put the file that belongs to the INT8 file there")
    return default_model().with_name(default_model().stem + suffix)


def seeing(network: Network) -> See:
    def see(pictures: Sequence[Image], advance: Advance) -> Seen:
        seen = Seen([], [])
        for picture in pictures:
            raw = network.run(picture)
            seen.raw.append(raw)
            seen.faces.append(decode(dequantized(raw, network.quantization) if network.is_int8 else raw))
            advance()
        return seen

    return see
