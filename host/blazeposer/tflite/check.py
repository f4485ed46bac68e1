"""Predict whether a camera loads a model, and whether it is a BlazePoser network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from blazeposer.core.boards import KB, Board, Npu
from blazeposer.core.errors import ModelError
from blazeposer.tflite import firmware
from blazeposer.tflite.arena import Arena, can_measure, measure_arena, plan, planned_bytes
from blazeposer.tflite.conformance import breach, is_float
from blazeposer.tflite.cost import DECODING, Estimate, camera_arena, estimate, unknown
from blazeposer.tflite.graph import Graph, Tensor, read_graph, read_model
from blazeposer.tflite.manifest import manifest_path, read_manifest

Store = Literal["/rom", "/sdcard", "/flash"]

ROMFS_BYTES = 128
"""At most what a ROMFS image of one file adds to it: headers, the name, alignment."""
FLASH_SCRIPT_BYTES = 64 * KB
"""What /flash keeps for its file system, the scripts and the self-test."""
STEDGEAI_MAGIC = b"NBIN"
"""How the relocatable networks of ST's stedgeai begin (`AI_RELOC_MAGIC`, ll_aton_reloc_network.h)."""


@dataclass(frozen=True)
class Model:
    """A model file, examined once for all boards. Made by `examine`."""

    path: Path
    file_bytes: int
    compiled_for: Npu
    graph: Graph | None
    """None of a file that only its NPU understands."""
    arena: int | None
    """Upper bound for a board, bytes; None if it was not measured."""
    arena_note: str
    """Where the arena's figure comes from, or why there is none."""
    refusal: str
    """Why no board loads it; empty if some may."""
    breach: str
    """Why it is not a BlazePoser network; empty if it is one."""
    manifest: str
    """What is to be said of its manifest; empty if it has one that describes it."""

    @property
    def camera_arena(self) -> int | None:
        """Arena on a camera, bytes, estimated; None if it was not measured on a PC."""
        if self.arena is None or self.graph is None:
            return None
        planned = planned_bytes(plan(self.graph))
        return camera_arena(Arena(planned, self.arena - planned))

    @property
    def uncounted(self) -> list[str]:
        """Operations whose time on a camera's CPU nobody can estimate."""
        return unknown(self.graph) if self.graph and not self.compiled_for else []


@dataclass(frozen=True)
class Verdict:
    """The prediction for a model on one board."""

    model: Model
    board: Board
    reason: str
    """Why it does not load there, and what to do; empty if nothing was found that keeps it from loading."""
    stores: tuple[Store, ...]
    """From where it loads."""
    notes: tuple[str, ...]

    @property
    def loads(self) -> bool:
        """False if it does not; where the arena was not measured, True means only that nothing else is in the way."""
        return not self.reason

    @property
    def is_blazeposer(self) -> bool:
        return not self.model.breach

    @property
    def estimate(self) -> Estimate | None:
        """Time on the board's CPU; None where it does not load or nothing is known. Another network is not decoded."""
        model, arena = self.model, self.model.camera_arena
        if not self.loads or arena is None or model.graph is None or model.compiled_for:
            return None
        return estimate(model.graph, self.board, arena, decoding=DECODING if self.is_blazeposer else 0)


def check_model(path: Path, board: Board) -> Verdict:
    """Examine one file for one board. A ModelError where it cannot be read at all."""
    return judge(examine(path), board)


def examine(path: Path) -> Model:
    """Read a file and measure its arena, if TFLite Micro is here. A ModelError where it is not a model at all."""
    data = read_model(path)
    if data.startswith(STEDGEAI_MAGIC):
        note = "not measured: no PC can read a file compiled by stedgeai"
        return Model(path, len(data), "neural-art", None, None, note, "", "a compiled file does not show it", "")
    graph = read_graph(data, str(path))
    compiled_for: Npu = "ethos-u55" if _customs(graph) == {firmware.ETHOS_U} else ""
    refusal = _refusal(graph)
    arena, note = None, "not measured"
    manifest, described = _manifest(path)
    if compiled_for:
        note = "not measured: TFLite Micro on a PC has no NPU"
    elif not refusal and can_measure():
        try:
            arena, note = measure_arena(path).total, "as TFLite Micro counts it on this PC, an upper bound"
        except ModelError as error:
            refusal = str(error).removeprefix(f"{path}: ")
    elif described is not None:
        arena, note = described, "as its manifest says, an upper bound"
    elif not can_measure():
        note = "not measured: TFLite Micro is not installed (`pip install 'blazeposer[demo]'`, Linux on x86-64)"
    return Model(path, len(data), compiled_for, graph, arena, note, refusal, _breach(graph, manifest), manifest)


def judge(model: Model, board: Board) -> Verdict:
    """Return the prediction for an examined model on a board."""
    reason = model.refusal or _npu_reason(model, board)
    stores: tuple[Store, ...] = ()
    if not reason:
        reason, stores = _memory(model, board)
    return Verdict(model, board, reason, stores, () if reason else _notes(model, board))


def _refusal(graph: Graph) -> str:
    """Return the reason why no board loads a graph; empty if there is none."""
    for operation in graph.operations:
        known = firmware.CUSTOM_OPERATIONS | {firmware.ETHOS_U} if operation.is_custom else firmware.OPERATIONS
        if operation.name not in known:
            kind = "custom operation" if operation.is_custom else "operation"
            return f"the firmware lacks the {kind} {operation.name}: build the network without it"
    for kind, tensors in (("input", graph.input_tensors), ("output", graph.output_tensors)):
        for index, tensor in enumerate(tensors):
            if complaint := _tensor_complaint(tensor):
                return f"{kind} {index} {complaint}"
    return ""


def _tensor_complaint(tensor: Tensor) -> str:
    if tensor.dtype not in firmware.TYPES:
        return f"is {tensor.dtype}, and scripts read {', '.join(firmware.TYPES)}: convert the network to one of these"
    if len(tensor.shape) > firmware.MAX_RANK:
        return f"has {len(tensor.shape)} dimensions, and scripts read at most {firmware.MAX_RANK}: reshape it"
    return ""


def _npu_reason(model: Model, board: Board) -> str:
    if board.npu == "neural-art" and model.compiled_for != "neural-art":
        return "its NPU runs only files that ST's stedgeai compiled: see `blazeposer compile --board n6`"
    if model.compiled_for and model.compiled_for != board.npu:
        owner = {"ethos-u55": "the AE3", "neural-art": "the N6"}[model.compiled_for]
        return f"it was compiled for the NPU of {owner}: use the file that it was made of"
    return ""


def _memory(model: Model, board: Board) -> tuple[str, tuple[Store, ...]]:
    """Return why a model does not fit into a board, and the stores from which it loads."""
    arena = model.arena or _least_arena(model)
    if arena > board.arena:
        bound = "" if model.arena else "at least "
        return (
            f"its arena of {bound}{arena:,} bytes is over the {board.arena:,} that the heap's largest block "
            f"({board.heap:,}) has beside scripts: use a network with smaller tensors, INT8 if it is float"
        ), ()
    stores: list[Store] = []
    if model.file_bytes + ROMFS_BYTES <= board.romfs:
        stores.append("/rom")
    # From a file system a model is first copied to the heap (openmv issue 3272: on the N6 that fails).
    if board.npu != "neural-art" and arena + model.file_bytes <= board.arena:
        if board.sd:
            stores.append("/sdcard")
        if model.file_bytes + FLASH_SCRIPT_BYTES <= board.flash:
            stores.append("/flash")
    if stores:
        return "", tuple(stores)
    return f"its {model.file_bytes:,} bytes are over the {board.romfs:,} that it has for models: use a smaller one", ()


def _least_arena(model: Model) -> int:
    """Return the least arena in bytes without a measurement: that of the planned tensors, or the largest tensor where
    an NPU's compiler has planned them."""
    if model.graph is None:
        return 0
    if model.compiled_for:
        return max(tensor.bytes for tensor in model.graph.tensors if not tensor.is_constant)
    return planned_bytes(plan(model.graph))


def _notes(model: Model, board: Board) -> tuple[str, ...]:
    notes = []
    if model.arena is None:
        notes.append(f"arena {model.arena_note}")
    if model.compiled_for:
        notes.append("not verified without a camera")
    elif board.npu:
        notes.append(f"runs on its CPU: for its NPU see `blazeposer compile --board {board.key}`")
    return tuple(notes)


def _manifest(path: Path) -> tuple[str, int | None]:
    """Return a remark on the manifest beside a file, and the arena in it if it describes this file."""
    if not manifest_path(path).is_file():
        return f"no manifest ({manifest_path(path).name}) beside it", None
    try:
        return "", read_manifest(path).arena_bytes
    except ModelError as error:
        return str(error), None


def _breach(graph: Graph, manifest: str) -> str:
    if found := breach(graph):
        return found
    if is_float(graph):
        return "it is the float network, which is for PCs: cameras take the INT8 one"
    return "" if manifest.startswith("no manifest") else manifest


def _customs(graph: Graph) -> set[str]:
    return {operation.name for operation in graph.operations if operation.is_custom}
