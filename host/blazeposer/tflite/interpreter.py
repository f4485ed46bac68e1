"""Run a network on a PC in one of three runtimes. LiteRT's reference kernels (`reference`) give exactly the same
results as TFLite Micro (`micro`), which is the runtime on a camera. XNNPACK (`xnnpack`) is several times faster than
LiteRT's reference kernels, but rounds differently."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from blazeposer.core.contract import OUTPUTS
from blazeposer.core.errors import BlazePoserError, MissingExtraError, ModelError, needs
from blazeposer.core.prepare import Image, to_float, to_int8
from blazeposer.core.streams import quiet_stderr
from blazeposer.tflite.arena import can_measure
from blazeposer.tflite.check import breach
from blazeposer.tflite.firmware import OPERATIONS
from blazeposer.tflite.graph import read_graph, read_model
from blazeposer.tflite.rewrite import with_bias_scales
from blazeposer.tflite.trial import is_known, try_apart

Runtime = Literal["reference", "xnnpack", "micro"]
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)

Infer = Callable[[NDArray[Any]], list[NDArray[Any]]]
"""Function that runs a network. The first axis of all arrays has the length 1."""

_LARGE_ARENA = 16 << 20

clock = time.perf_counter if sys.platform == "win32" else time.process_time
"""Clock for the processor time of this process with all its threads, in seconds. On Windows, the system's clock for
processor time is too coarse, so this clock returns the elapsed time."""


class Timed:
    """A function that runs a network and sums up the time of all runs."""

    def __init__(self, infer: Infer) -> None:
        self._infer = infer
        self.seconds = 0.0

    def __call__(self, tensor: NDArray[Any]) -> list[NDArray[Any]]:
        started = clock()
        outputs = self._infer(tensor)
        self.seconds += clock() - started
        return outputs


class Network:
    """A network that agrees with the model contract (`core/contract.py`)."""

    def __init__(self, infer: Infer, quantization: tuple[tuple[float, int], ...]) -> None:
        self._infer = Timed(infer)
        self.quantization = quantization
        """Scale and zero point of each output, or (0.0, 0) for a float file."""

    @property
    def seconds(self) -> float:
        return self._infer.seconds

    @property
    def is_int8(self) -> bool:
        return self.quantization[0][0] != 0

    def run(self, image: Image) -> list[NDArray[Any]]:
        """Run the network on a uint8 RGB image (128, 128, 3), and return the raw outputs in the order of the model
        contract: int8 arrays of an INT8 network, or float32 arrays of a float network."""
        tensor = to_int8(image) if self.is_int8 else to_float(image)
        return self._infer(tensor[np.newaxis])

    def outputs(self, image: Image) -> list[NDArray[np.float32]]:
        """Run the network on an image as `run` does, and return the outputs as real values (float32)."""
        raw = self.run(image)
        return dequantized(raw, self.quantization) if self.is_int8 else raw


def dequantized(
    raw: Sequence[NDArray[np.int8]], quantization: Sequence[tuple[float, int]]
) -> list[NDArray[np.float32]]:
    """Return the real values of raw int8 tensors. `quantization` has the scale and zero point of each tensor."""
    return [
        (tensor.astype(np.float32) - zero_point) * np.float32(scale)
        for tensor, (scale, zero_point) in zip(raw, quantization, strict=True)
    ]


def open_network(path: Path | str, runtime: Runtime = "reference", *, is_tried: bool = False) -> Network:
    """Return the network of a tflite file. Raises ModelError if the file is not a BlazePoser network or does not run.
    If the file has no valid manifest, the network first runs once in a separate process, because a damaged file could
    crash the program. If `is_tried` is true, this first run is skipped."""
    path = Path(path)
    if runtime not in RUNTIMES:
        raise BlazePoserError(f"there is no runtime {runtime!r}: choose one of {', '.join(RUNTIMES)}")
    if runtime == "micro" and not can_measure():
        raise MissingExtraError("tflite-micro", "demo")
    data = read_model(path)
    graph = read_graph(data, str(path))
    found = breach(graph)
    if missing := sorted({operation.name for operation in graph.operations} - OPERATIONS):
        found = found or f"a camera does not have the operation {missing[0]}"
    if found:
        raise ModelError(f"{path}: not a BlazePoser network ({found}): make one with `blazeposer quantize`")
    if not (is_tried or is_known(path, data)):
        try_apart(path, data, runtime)
    try:
        infer = micro(data, str(path)) if runtime == "micro" else litert(data, reference=runtime == "reference")
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"{path}: LiteRT cannot load it ({reason}): use a file from `blazeposer quantize`") from error
    return Network(infer, tuple((tensor.scale, tensor.zero_point) for tensor in graph.output_tensors))


def litert(data: bytes, *, reference: bool = False) -> Infer:
    """Return a function that runs a tflite file on one thread with the reference kernels or XNNPACK. The file must have
    one input, but the function does not check this."""
    with quiet_stderr():
        kind = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
        content = data if reference else with_bias_scales(data)
        # One thread, so that the measured time does not depend on the number of cores.
        interpreter = Interpreter(model_content=content, experimental_op_resolver_type=kind, num_threads=1)
        interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    sinks = [detail["index"] for detail in interpreter.get_output_details()]

    def infer(tensor: NDArray[Any]) -> list[NDArray[Any]]:
        interpreter.set_tensor(source, tensor)
        interpreter.invoke()
        return [interpreter.get_tensor(sink) for sink in sinks]

    return infer


def micro(data: bytes, name: str, outputs: int = len(OUTPUTS)) -> Infer:
    """Return a function that runs a tflite file in TensorFlow Lite Micro. If `outputs` differs from the number of
    outputs in the model contract, the arena (working memory) is larger than TFLite Micro's default. Raises
    MissingExtraError and ModelError."""
    with needs("demo"):
        from tflite_micro import runtime
    try:
        with quiet_stderr():
            arena = None if outputs == len(OUTPUTS) else _LARGE_ARENA
            interpreter = runtime.Interpreter.from_bytes(data, arena_size=arena)
    except RuntimeError as error:
        raise ModelError(
            f"{name}: TFLite Micro cannot load it: use another --runtime, or a file from `blazeposer quantize`"
        ) from error

    def infer(tensor: NDArray[Any]) -> list[NDArray[Any]]:
        interpreter.set_input(tensor, 0)
        interpreter.invoke()
        return [interpreter.get_output(index) for index in range(outputs)]

    return infer
