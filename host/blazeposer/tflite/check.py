"""Predict whether a camera loads a model, and check whether the model is a BlazePoser network."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from blazeposer.core.boards import KB, Board, Npu
from blazeposer.core.contract import INPUT_SCALE, INPUT_SIZE, INPUT_ZERO_POINT, OUTPUTS
from blazeposer.core.errors import ModelError
from blazeposer.tflite import firmware
from blazeposer.tflite.arena import Arena, can_measure, measure_arena, plan, planned_bytes
from blazeposer.tflite.cost import DECODING, Estimate, camera_arena, estimate, unknown
from blazeposer.tflite.graph import Graph, read_graph, read_model
from blazeposer.tflite.manifest import manifest_path, read_manifest

Store = Literal["/rom", "/sdcard", "/flash"]

ROMFS_BYTES = 128
"""Largest number of bytes that a ROMFS image needs in addition to a file: headers, name and alignment."""
FLASH_SCRIPT_BYTES = 64 * KB
"""Bytes of /flash that the file system, the scripts and the self-test need."""
STEDGEAI_MAGIC = b"NBIN"
"""First bytes of the relocatable networks of ST's stedgeai (`AI_RELOC_MAGIC`, ll_aton_reloc_network.h)."""
_INTEGERS = ("int8", "uint8", "int32")  # int32 for biases and shapes, uint8 for an NPU's inputs and outputs


@dataclass(frozen=True)
class Model:
    path: Path
    file_bytes: int
    compiled_for: Npu
    graph: Graph | None
    """Graph of the file, or None if a PC cannot read the file."""
    arena: int | None
    """Upper bound in bytes of the arena (the model's working memory) on a board, or None if the bound is not known."""
    arena_note: str
    """Source of the arena's size, or the reason why the size is not known."""
    refusal: str
    """Reason why no board loads the model, or ""."""
    breach: str
    """Reason why the model is not a BlazePoser network, or ""."""
    manifest: str
    """Remark about the manifest beside the model file, or "" if the manifest describes the file."""

    @property
    def camera_arena(self) -> int | None:
        """Return the estimated size of the arena on a camera in bytes, or None if the size is not known."""
        if self.arena is None or self.graph is None:
            return None
        planned = planned_bytes(plan(self.graph))
        return camera_arena(Arena(planned, self.arena - planned))

    @property
    def uncounted(self) -> list[str]:
        return unknown(self.graph) if self.graph and not self.compiled_for else []


@dataclass(frozen=True)
class Verdict:
    model: Model
    board: Board
    reason: str
    """Reason why the model does not load, and a way to change this. The text is empty if the model loads."""
    stores: tuple[Store, ...]
    """Places from which the model loads."""
    notes: tuple[str, ...]

    @property
    def loads(self) -> bool:
        """Return True if the board is expected to load the model. If the arena's size is not known, the value True may
        be wrong, because the model may need too much memory."""
        return not self.reason

    @property
    def estimate(self) -> Estimate | None:
        """Return the estimated times on the board's CPU, or None if the model does not load or the times cannot be
        estimated. The time of a frame includes the decoder only if the model is a BlazePoser network."""
        model, arena = self.model, self.model.camera_arena
        if not self.loads or arena is None or model.graph is None or model.compiled_for:
            return None
        return estimate(model.graph, self.board, arena, decoding=0 if model.breach else DECODING)


def check_model(path: Path, board: Board) -> Verdict:
    return judge(examine(path), board)


def examine(path: Path) -> Model:
    """Read a model file, and measure its arena if TFLite Micro is installed. Raises ModelError."""
    data = read_model(path)
    if data.startswith(STEDGEAI_MAGIC):
        note = "not measured: this file is compiled by stedgeai, and a PC cannot read it"
        return Model(
            path, len(data), "neural-art", None, None, note, "", "a compiled file does not show whether it is one", ""
        )
    graph = read_graph(data, str(path))
    customs = {operation.name for operation in graph.operations if operation.is_custom}
    compiled_for: Npu = "ethos-u55" if customs == {firmware.ETHOS_U} else ""
    refusal, manifest = _refusal(graph), ""
    arena, note, described = None, "not measured", None
    if not manifest_path(path).is_file():
        manifest = f"no manifest ({manifest_path(path).name}) is beside the file"
    else:
        try:
            described = read_manifest(path).arena_bytes
        except ModelError as error:
            manifest = str(error)
    if compiled_for:
        note = "not measured: TFLite Micro on a PC cannot run NPU files"
    elif not refusal and can_measure():
        try:
            arena, note = measure_arena(path).total, "counted by TFLite Micro on this PC (a board needs at most this)"
        except ModelError as error:
            refusal = str(error).removeprefix(f"{path}: ")
    elif described is not None:
        arena, note = described, "read from the manifest (a board needs at most this)"
    elif not can_measure():
        note = "not measured: TFLite Micro is not installed (`pip install 'blazeposer[demo]'`, Linux on x86-64)"
    found = breach(graph)
    if not found and graph.input_tensors[0].dtype == "float32":
        found = "it is the float network, which is only for PCs: use the INT8 network on a camera"
    if not manifest.startswith("no manifest"):
        found = found or manifest
    return Model(path, len(data), compiled_for, graph, arena, note, refusal, found, manifest)


def judge(model: Model, board: Board) -> Verdict:
    reason = model.refusal
    if board.npu == "neural-art" and model.compiled_for != "neural-art":
        reason = reason or "its NPU needs a file that ST's stedgeai has compiled: see `blazeposer package --board n6`"
    elif model.compiled_for and model.compiled_for != board.npu:
        owner = {"ethos-u55": "the AE3", "neural-art": "the N6"}[model.compiled_for]
        reason = reason or f"the file was compiled for the NPU of {owner}: use the file before compilation"
    stores: tuple[Store, ...] = ()
    if not reason:
        reason, stores = _memory(model, board)
    notes = []
    if not reason and model.arena is None:
        notes.append(f"arena {model.arena_note}")
    if not reason and model.compiled_for:
        notes.append("not verified without a camera")
    elif not reason and board.npu:
        notes.append(f"runs on the CPU: to use the NPU, see `blazeposer package --board {board.key}`")
    return Verdict(model, board, reason, stores, tuple(notes))


def breach(graph: Graph) -> str:
    """Return the first reason why a graph is not a BlazePoser network, or "". A BlazePoser network is either completely
    INT8 or completely float."""
    inputs, outputs = graph.input_tensors, graph.output_tensors
    if len(inputs) != 1 or len(outputs) != len(OUTPUTS):
        return f"it has {len(inputs)} inputs and {len(outputs)} outputs, not 1 and {len(OUTPUTS)}"
    (image,) = inputs
    if image.dtype not in ("int8", "float32"):
        return f"the input is {image.dtype}, not int8 or float32"
    if image.shape != (expected := (1, INPUT_SIZE, INPUT_SIZE, 3)):
        return f"the input has the shape {image.shape}, not {expected}"
    for index, (tensor, output) in enumerate(zip(outputs, OUTPUTS, strict=True)):
        if tensor.dtype != image.dtype:
            return f"output {index} is {tensor.dtype}, not {image.dtype}"
        if tensor.shape != output.shape:
            return f"output {index} ({output.name}) has the shape {tensor.shape}, not {output.shape}"
    if image.dtype == "float32":
        return ""
    if not math.isclose(image.scale, INPUT_SCALE, rel_tol=1e-4) or image.zero_point != INPUT_ZERO_POINT:
        return f"the input has scale {image.scale:g} and zero point {image.zero_point}, not 1/127.5 and 0"
    for number, tensor in enumerate(graph.tensors):
        if tensor.dtype not in _INTEGERS:
            return f"the tensor {tensor.name or number!r} is {tensor.dtype}, not an integer type"
    for index, tensor in enumerate(outputs):
        if not tensor.scale > 0:
            return f"output {index} has no scale"
    return ""


def _refusal(graph: Graph) -> str:
    """Return the reason why OpenMV's firmware cannot load a graph, or ""."""
    for operation in graph.operations:
        known = firmware.CUSTOM_OPERATIONS | {firmware.ETHOS_U} if operation.is_custom else firmware.OPERATIONS
        if operation.name not in known:
            kind = "custom operation" if operation.is_custom else "operation"
            return f"the firmware lacks the {kind} {operation.name}: build the network without it"
    types = ", ".join(firmware.TYPES)
    for kind, tensors in (("input", graph.input_tensors), ("output", graph.output_tensors)):
        for index, tensor in enumerate(tensors):
            rank = len(tensor.shape)
            if tensor.dtype not in firmware.TYPES:
                return (
                    f"{kind} {index} is {tensor.dtype}, but scripts can read only {types}: convert it to one of these"
                )
            if rank > firmware.MAX_RANK:
                return f"{kind} {index} has {rank} dimensions, but scripts can read {firmware.MAX_RANK}: reshape it"
    return ""


def _memory(model: Model, board: Board) -> tuple[str, tuple[Store, ...]]:
    """Return two values: the reason why a model does not fit into a board's memory (or ""), and the places from which
    the model loads."""
    arena = model.arena or _least_arena(model)
    if arena > board.arena:
        bound = "" if model.arena else "at least "
        return (
            f"its arena needs {bound}{arena:,} bytes, but the board has only {board.arena:,} (the heap's largest block "
            f"of {board.heap:,} bytes also holds scripts): use a network with smaller tensors, or INT8 instead of float"
        ), ()
    stores: list[Store] = []
    if model.file_bytes + ROMFS_BYTES <= board.romfs:
        stores.append("/rom")
    # A model on /sdcard or /flash is first copied to the heap. This copy fails on the N6 (openmv issue 3272).
    if board.npu != "neural-art" and arena + model.file_bytes <= board.arena:
        if board.sd:
            stores.append("/sdcard")
        if model.file_bytes + FLASH_SCRIPT_BYTES <= board.flash:
            stores.append("/flash")
    if stores:
        return "", tuple(stores)
    return (
        f"its file has {model.file_bytes:,} bytes, but the board has {board.romfs:,} for models: use a smaller file",
        (),
    )


def _least_arena(model: Model) -> int:
    """Return a lower bound of the arena's size in bytes, without TFLite Micro's own data."""
    if model.graph is None:
        return 0
    if model.compiled_for:
        return max(tensor.bytes for tensor in model.graph.tensors if not tensor.is_constant)
    return planned_bytes(plan(model.graph))
