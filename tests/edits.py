"""Copies of a tflite file with something wrong in them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from blazeposer.tflite.rewrite import rewritten

Edit = Callable[[Any], None]


def edited(source: Path, folder: Path, edit: Edit) -> Path:
    """A copy of a tflite file after `edit(model)`, a schema_py_generated.ModelT."""
    path = folder / "edited.tflite"
    path.write_bytes(rewritten(source.read_bytes(), edit))
    return path


def swap_scores(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.outputs = graph.outputs[[0, 2, 1, 3, 4, 5, 6, 7]]


def drop_output(model: Any) -> None:
    model.subgraphs[0].outputs = model.subgraphs[0].outputs[:7]


def shrink_input(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shape = [1, 96, 96, 3]


def unsigned_input(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].type = schema.TensorType.UINT8


def float_output(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.outputs[4]].type = schema.TensorType.FLOAT32


def shift_input(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].quantization.zeroPoint = [-1]


def float_tensor(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.operators[0].outputs[0]].type = schema.TensorType.FLOAT32


def no_scale(model: Any) -> None:
    """An INT8 tensor between two operations without a step: every runtime ends its process on it."""
    graph = model.subgraphs[0]
    graph.tensors[graph.operators[2].outputs[0]].quantization.scale = None


def flat_weights(model: Any) -> None:
    """Weights of a depthwise convolution in one dimension."""
    graph = model.subgraphs[0]
    graph.tensors[graph.operators[1].inputs[1]].shape = [144]


def strange_operation(model: Any) -> None:
    """One that the firmware lacks."""
    _replace_reshape(model, schema.BuiltinOperator.POW)


def uncounted_operation(model: Any) -> None:
    """One that the firmware has, and whose instructions were not counted."""
    _replace_reshape(model, schema.BuiltinOperator.RELU)


def _replace_reshape(model: Any, operator: int, custom: str | None = None) -> None:
    """Put another operator in place of RESHAPE, which every one of our networks has."""
    for code in model.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.RESHAPE:
            code.builtinCode = code.deprecatedBuiltinCode = operator
            code.customCode = custom


def custom_operation(model: Any) -> None:
    _replace_reshape(model, schema.BuiltinOperator.CUSTOM, "ethos-u")


def five_dimensions(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.outputs[0]].shape = [1, 1, 512, 1, 16]


def own_operation(model: Any) -> None:
    _replace_reshape(model, schema.BuiltinOperator.CUSTOM, "MyReshape")


def integer_input(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].type = schema.TensorType.INT32


def padding(model: Any) -> None:
    """200 KB that nothing reads."""
    model.buffers.append(schema.BufferT(data=[1] * 200_000))
