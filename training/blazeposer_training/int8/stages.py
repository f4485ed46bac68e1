"""Define two stages of `blazeposer validate`: the float network in torch, and the INT8 network in a file from
TensorFlow's converter. A stage is one of the forms of the network that `blazeposer validate` compares. `blazeposer
validate` finds the functions of this module through entry points in `pyproject.toml`."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from blazeposer.core.contract import OUTPUTS
from blazeposer.core.prepare import Image, to_float
from blazeposer.core.streams import quiet_stderr
from blazeposer.evaluate.validate.stages import Stage, Stages, companion, seeing
from blazeposer.tflite.interpreter import Network, open_network

from ..network.model import BlazePoser
from ..network.weights import load
from .quantized import QuantizedBlazePoser
from .readback import ReadBack


def torch_stage(stages: Stages) -> Stage:
    """Return the stage that runs the float weights in torch. Raises BlazePoserError."""
    network = load(companion(stages.model, ".safetensors"))
    return Stage("torch", "float weights, torch", False, seeing(_running(network)), _tracer(network))


def converter_stage(stages: Stages) -> Stage:
    """Return the stage that runs the INT8 network in a file from TensorFlow's converter. Raises BlazePoserError."""
    network = ReadBack(stages.model.read_bytes(), str(stages.model))
    with quiet_stderr(), warnings.catch_warnings(action="ignore"):  # hide start messages and a warning about ranges
        from .converter import convert  # this imports TensorFlow

        data = convert(network)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, stages.model.name)
        path.write_bytes(data)
        see = seeing(open_network(path))
    trace = stages.layers.tracer("reference", data)
    return Stage("converter", "INT8 through TensorFlow's converter", True, see, trace)


def _running(network: BlazePoser) -> Network:
    @torch.no_grad()
    def infer(tensor: NDArray[Any]) -> list[NDArray[Any]]:
        # Use one thread, as LiteRT does. On a busy PC, an image takes seconds if a second thread has to wait.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        outputs = network(torch.from_numpy(tensor).permute(0, 3, 1, 2))
        torch.set_num_threads(threads)
        return [output.numpy() for output in outputs]

    return Network(infer, ((0.0, 0),) * len(OUTPUTS))


def _tracer(network: BlazePoser) -> Callable[[Image], dict[str, NDArray[Any]]]:
    """Return a function that computes the output (NHWC) of each layer for an image (128, 128, 3)."""
    model = QuantizedBlazePoser(network)
    names = [operation.output for operation in model.operations if operation.kind != "reshape"]

    @torch.no_grad()
    def trace(picture: Image) -> dict[str, NDArray[Any]]:
        image = torch.from_numpy(to_float(picture)).permute(2, 0, 1)[None]
        tensors = model.trace(image, quantized=False)
        return {name: tensors[name].permute(0, 2, 3, 1).numpy() for name in names}

    return trace
