"""Run a network file on a PC, after holding it against the contract.

Three runtimes, because they differ: LiteRT's reference kernels (`reference`) equal TFLite Micro (`micro`, what a camera
runs) bit for bit, while XNNPACK (`xnnpack`) is several times faster and rounds otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from blazeposer.contract import INPUT_SCALE, INPUT_SIZE, INPUT_ZERO_POINT, OUTPUTS
from blazeposer.errors import BlazePoserError, MissingExtraError, ModelError
from blazeposer.prepare import Image, to_float, to_int8
from blazeposer.quiet import quiet_stderr

Runtime = Literal["reference", "xnnpack", "micro"]
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)

FIRMWARE_OPS = frozenset(
    """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEQUANTIZE FULLY_CONNECTED GATHER HARD_SWISH LEAKY_RELU
    LOGISTIC MAX_POOL_2D MEAN MUL PAD PADV2 PRELU QUANTIZE REDUCE_MAX RELU RELU6 RESHAPE RESIZE_BILINEAR
    RESIZE_NEAREST_NEIGHBOR SOFTMAX SPLIT SQUEEZE STRIDED_SLICE SUB TANH TRANSPOSE TRANSPOSE_CONV
    """.split()  # noqa: SIM905 - a list of 32 quoted names is harder to read
)
"""Those of the operations registered by OpenMV's firmware 5.0 that a network of this kind may use."""

_INT8_TENSORS = (np.int8, np.int32)  # int32: biases and shapes
_Infer = Callable[[NDArray[Any]], list[NDArray[Any]]]


class Network:
    """A network file that keeps the contract, ready to run. Made by `open_network`."""

    def __init__(self, infer: _Infer, quantization: tuple[tuple[float, int], ...]) -> None:
        self._infer = infer
        self.quantization = quantization
        """(scale, zero point) of each output; (0.0, 0) in a float file."""

    @property
    def is_int8(self) -> bool:
        """Whether this is the INT8 file, not the float one."""
        return self.quantization[0][0] != 0

    def run(self, image: Image) -> list[NDArray[Any]]:
        """Raw outputs in contract order of an image (128, 128, 3) uint8 RGB: int8, or float32 from a float file."""
        tensor = to_int8(image) if self.is_int8 else to_float(image)
        return self._infer(tensor[np.newaxis])

    def outputs(self, image: Image) -> list[NDArray[np.float32]]:
        """Outputs in contract order and in real units, float32, of an image (128, 128, 3) uint8 RGB."""
        raw = self.run(image)
        if not self.is_int8:
            return raw
        return [
            (tensor.astype(np.float32) - zero_point) * np.float32(scale)
            for tensor, (scale, zero_point) in zip(raw, self.quantization, strict=True)
        ]


def open_network(path: Path | str, runtime: Runtime = "reference") -> Network:
    """Load a tflite file; a ModelError says in which point it is not a BlazePoser network."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model ({error.strerror}): check --model") from error
    quantization = _check(data, str(path))
    if runtime == "micro":
        return Network(_micro(data, str(path)), quantization)
    if runtime not in RUNTIMES:
        raise BlazePoserError(f"there is no runtime {runtime!r}: choose one of {', '.join(RUNTIMES)}")
    return Network(_litert(data, reference=runtime == "reference"), quantization)


def _litert(data: bytes, *, reference: bool) -> _Infer:
    with quiet_stderr():
        interpreter = _interpreter(data, reference=reference)
        interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    sinks = [detail["index"] for detail in interpreter.get_output_details()]

    def infer(tensor: NDArray[Any]) -> list[NDArray[Any]]:
        interpreter.set_tensor(source, tensor)
        interpreter.invoke()
        return [interpreter.get_tensor(sink) for sink in sinks]

    return infer


def _micro(data: bytes, name: str) -> _Infer:
    try:
        from tflite_micro import runtime
    except ImportError as error:
        raise MissingExtraError("tflite-micro", "demo") from error
    try:
        with quiet_stderr():
            interpreter = runtime.Interpreter.from_bytes(data)
    except RuntimeError as error:
        raise ModelError(f"{name}: TFLite Micro cannot load it: use another --runtime or a file of `make`") from error

    def infer(tensor: NDArray[Any]) -> list[NDArray[Any]]:
        interpreter.set_input(tensor, 0)
        interpreter.invoke()
        return [interpreter.get_output(index) for index in range(len(OUTPUTS))]

    return infer


def _interpreter(data: bytes, *, reference: bool) -> Interpreter:
    # One thread: the figures of a run must not depend on the number of cores.
    kind = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    return Interpreter(model_content=data, experimental_op_resolver_type=kind, num_threads=1)


def _check(data: bytes, name: str) -> tuple[tuple[float, int], ...]:
    """Quantization of the outputs of a file that keeps the contract; a ModelError names the first point that does not.

    A file is all INT8, or all float (the one that training writes beside it).
    """
    try:
        with quiet_stderr():
            model = _interpreter(data, reference=True)
        inputs, outputs = model.get_input_details(), model.get_output_details()
        tensors, operations = model.get_tensor_details(), model._get_ops_details()
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"{name}: not a tflite model that LiteRT loads ({reason}): check --model") from error

    def refuse(found: str) -> ModelError:
        return ModelError(f"{name}: not a BlazePoser network: {found}; make one with `blazeposer quantize`")

    if len(inputs) != 1 or len(outputs) != len(OUTPUTS):
        raise refuse(f"{len(inputs)} inputs and {len(outputs)} outputs, 1 and {len(OUTPUTS)} expected")
    dtype = inputs[0]["dtype"]
    if dtype not in (np.int8, np.float32):
        raise refuse(f"the input is {np.dtype(dtype).name}, int8 or float32 expected")
    if (shape := _shape(inputs[0])) != (expected := (1, INPUT_SIZE, INPUT_SIZE, 3)):
        raise refuse(f"the input is {shape}, {expected} expected")
    for index, (detail, output) in enumerate(zip(outputs, OUTPUTS, strict=True)):
        if detail["dtype"] != dtype:
            raise refuse(f"output {index} is {np.dtype(detail['dtype']).name}, {np.dtype(dtype).name} expected")
        if (shape := _shape(detail)) != output.shape:
            raise refuse(f"output {index} is {shape}, {output.shape} expected ({output.name})")
    if unknown := sorted({operation["op_name"] for operation in operations} - FIRMWARE_OPS):
        raise refuse(f"a camera lacks the operation {unknown[0]}")
    if dtype == np.int8:
        scale, zero_point = inputs[0]["quantization"]
        if not np.isclose(scale, INPUT_SCALE, rtol=1e-4) or zero_point != INPUT_ZERO_POINT:
            raise refuse(f"the input's scale is {scale:g} and its zero point {zero_point}, 1/127.5 and 0 expected")
        if strange := [tensor["name"] for tensor in tensors if tensor["dtype"] not in _INT8_TENSORS]:
            raise refuse(f"the tensor {strange[0]!r} is not an integer one")
        if flat := [index for index, detail in enumerate(outputs) if not detail["quantization"][0] > 0]:
            raise refuse(f"output {flat[0]} names no scale")
    return tuple((float(detail["quantization"][0]), int(detail["quantization"][1])) for detail in outputs)


def _shape(detail: dict[str, Any]) -> tuple[int, ...]:
    return tuple(detail["shape"].tolist())
