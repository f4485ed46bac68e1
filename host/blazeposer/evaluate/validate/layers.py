"""Compare the constants and the outputs of every layer in two runtimes, and find the first layer that differs.

To get the outputs of all layers, a copy of the network file is made in which every layer's tensor is an output.
TensorFlow's converter and this project write the operations of a network in different orders. Therefore, two layers of
two files match if their operations have the same kind, the same output shape, and the same index among the operations
of this kind and shape.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeposer.core.contract import OUTPUTS
from blazeposer.core.errors import ModelError
from blazeposer.core.prepare import Image, to_float, to_int8
from blazeposer.tflite.graph import Graph, Operator, read_graph
from blazeposer.tflite.interpreter import litert, micro
from blazeposer.tflite.manifest import Manifest, read_manifest
from blazeposer.tflite.rewrite import with_all_outputs

Key = tuple[str, tuple[int, ...], int]
"""Kind of an operation, shape of its output, and the index among the operations of this kind and shape."""
Trace = dict[str, NDArray[Any]]
"""Output (1, height, width, channels) of each layer, in the order of execution."""
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D")


class Layers:
    """The layers of a tflite file that was made by this project. The layers' names come from the file's manifest, and
    are the same as in the training code. Without a matching manifest, a name consists of the index and the kind of the
    operation. Reshape operations are left out, because they compute nothing."""

    def __init__(self, model: Path) -> None:
        self.data = model.read_bytes()
        self.graph = read_graph(self.data, str(model))
        try:
            known = list(read_manifest(model).quantization)[1:]  # without the network's input
        except ModelError:
            known = []
        if len(known) != len(self.graph.operations):
            known = [f"operation {number} ({item.name})" for number, item in enumerate(self.graph.operations)]
        self.names: dict[Key, str] = {}
        self.operations: dict[str, Operator] = {}
        for key, name, item in zip(_keys(self.graph), known, self.graph.operations, strict=True):
            if item.name != "RESHAPE":
                self.names[key] = name
                self.operations[name] = item

    @property
    def steps(self) -> dict[str, float]:
        """Scale of each layer's int8 output, which is the real value of one step."""
        return {name: self.graph.tensors[item.outputs[0]].scale for name, item in self.operations.items()}

    @property
    def rescaled(self) -> set[str]:
        """Layers in which quantization changes the values by more than the rounding error, because it rescales the
        channels of depthwise convolutions."""
        return {name for name, item in self.operations.items() if item.name == "DEPTHWISE_CONV_2D"}

    def unlike(self, manifest: Manifest) -> list[str]:
        """Return the layers whose scale, zero point or weight scales differ from the manifest."""
        found = []
        for name, item in self.operations.items():
            tensor = self.graph.tensors[item.outputs[0]]
            said = manifest.quantization.get(name, {"scale": 0.0, "zero_point": 0})
            good = np.float32(said["scale"]) == np.float32(tensor.scale) and said["zero_point"] == tensor.zero_point
            if item.name in WEIGHTED:
                steps = np.array(self.graph.tensors[item.inputs[1]].scales, np.float32)
                good = good and np.array_equal(steps, np.array(manifest.weight_scales.get(name, []), np.float32))
            if not good:
                found.append(name)
        return found

    def constants(self) -> dict[str, list[NDArray[Any]]]:
        """Return the weights and biases of each convolution, with the axes in the order of the tflite file."""
        return {
            name: [self.graph.constants[index] for index in item.inputs[1:]]
            for name, item in self.operations.items()
            if item.name in WEIGHTED
        }

    def tracer(self, runtime: str, data: bytes | None = None, *, real: bool = True) -> Callable[[Image], Trace]:
        """Return a function that computes the outputs of all layers for an image. `data` contains the bytes of a
        network file, by default this object's file. If `real` is False, the outputs of an INT8 network are int8
        values."""
        data = data or self.data
        graph = read_graph(data, "the network")
        keys = _keys(graph)
        with_all = with_all_outputs(data)
        if runtime == "micro":
            infer = micro(with_all, "the network", len(OUTPUTS) + len(keys))
        else:
            infer = litert(with_all, reference=runtime == "reference")
        is_float = graph.input_tensors[0].dtype == "float32"
        tensors = {key: graph.tensors[item.outputs[0]] for key, item in zip(keys, graph.operations, strict=True)}

        def trace(picture: Image) -> Trace:
            tensor = to_float(picture) if is_float else to_int8(picture)
            written = dict(zip(keys, infer(tensor[np.newaxis])[len(OUTPUTS) :], strict=True))
            found = {name: (written[key], tensors[key]) for key, name in self.names.items() if key in written}
            return {
                name: values if is_float or not real
                else (values.astype(np.float32) - tensor.zero_point) * np.float32(tensor.scale)
                for name, (values, tensor) in found.items()
            }  # fmt: skip

        return trace


def _keys(graph: Graph) -> list[Key]:
    seen: Counter[tuple[str, tuple[int, ...]]] = Counter()
    keys = []
    for operation in graph.operations:
        kind = (operation.name, graph.tensors[operation.outputs[0]].shape)
        keys.append((*kind, seen[kind]))
        seen[kind] += 1
    return keys
