"""Measure the working memory (arena) that TensorFlow Lite Micro needs, and compute the place of each tensor."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blazeposer.core.errors import MissingExtraError, ModelError
from blazeposer.tflite.graph import Graph

_ALIGNMENT = 16  # of tensors in the arena (`MicroArenaBufferAlignment`, TFLite Micro)
_LARGEST = 64 << 20
"""Memory in bytes that the PC offers to a model. No board has so much memory."""
_REPORT = """
import sys
from tflite_micro import runtime
runtime.Interpreter.from_file(sys.argv[1], arena_size=int(sys.argv[2])).print_allocations()
"""


@dataclass(frozen=True)
class Arena:
    """The size of an arena in bytes, counted by TFLite Micro with its reference kernels on a 64-bit PC. The data in
    `persistent` contain pointers, which are half as large on a camera. For this reason, the arena is smaller on a
    camera, although the camera's kernels need a few KB more scratch memory."""

    planned: int
    """Memory for all tensors. Tensors that are never needed at the same time share memory."""
    persistent: int
    """TFLite Micro's data about operations, tensors and channels."""

    @property
    def total(self) -> int:
        return self.planned + self.persistent


def can_measure() -> bool:
    return importlib.util.find_spec("tflite_micro") is not None


def measure_arena(path: Path) -> Arena:
    """Return the size of the arena that a model needs. TFLite Micro runs in a separate process, because a damaged file
    can crash TFLite Micro. Raises MissingExtraError and ModelError."""
    if not can_measure():
        raise MissingExtraError("tflite-micro", "demo")
    command = [sys.executable, "-c", _REPORT, str(path), str(_LARGEST)]
    report = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    found = dict(re.findall(r"Arena allocation (head|tail) (\d+) bytes", report.stderr))
    if report.returncode or set(found) != {"head", "tail"}:
        raise ModelError(f"{path}: TFLite Micro cannot load it ({_complaint(report)}): convert the network again")
    return Arena(int(found["head"]), int(found["tail"]))


def _complaint(report: subprocess.CompletedProcess[str]) -> str:
    if report.returncode < 0:
        return f"it crashed with signal {-report.returncode}, because the file is damaged"
    own, _, traceback = report.stderr.partition("Traceback (most recent call last):")
    lines = own.split("\n") if own.strip() else [line.partition(": ")[2] for line in traceback.strip().split("\n")[-1:]]
    return next((line.strip().rstrip(".") for line in lines if line.strip()), "no reason given")


@dataclass(frozen=True)
class Placement:
    """The place of a tensor, and the first and last step at which the tensor is needed. An operation's step is its
    number in the order of execution, from 0. Step -1 is the time before the first operation."""

    tensor: int
    offset: int
    bytes: int
    first: int
    last: int

    @property
    def end(self) -> int:
        return self.offset + self.bytes


def plan(graph: Graph) -> tuple[Placement, ...]:
    """Return the place of each tensor in TFLite Micro's arena.

    As in TFLite Micro's `GreedyMemoryPlanner`, the largest tensor gets its place first. Each tensor gets the lowest
    place that is free from the first to the last step at which the tensor is needed. Among tensors of the same size,
    the highest index comes first.
    """
    lives = {index: (-1, len(graph.operations)) for index in graph.inputs}
    for step, operation in enumerate(graph.operations):
        for index in operation.inputs + operation.outputs:
            if not graph.tensors[index].is_constant:
                lives[index] = (lives.get(index, (step, step))[0], step)
    for index in graph.outputs:
        lives[index] = (lives[index][0], len(graph.operations))
    placed: list[Placement] = []
    for index in sorted(sorted(lives, reverse=True), key=lambda index: -_aligned(graph.tensors[index].bytes)):
        first, last = lives[index]
        needed = _aligned(graph.tensors[index].bytes)
        others = [other for other in placed if other.first <= last and first <= other.last]
        placed.append(Placement(index, _lowest_gap(others, needed), needed, first, last))
    return tuple(sorted(placed, key=lambda place: place.tensor))


def planned_bytes(placements: Sequence[Placement]) -> int:
    return max((place.end for place in placements), default=0)


def live_bytes(placements: Sequence[Placement], step: int) -> int:
    """Return the size in bytes of all tensors that must be in memory during the operation `step`."""
    return sum(place.bytes for place in placements if place.first <= step <= place.last)


def _lowest_gap(others: Sequence[Placement], needed: int) -> int:
    offset = 0
    for other in sorted(others, key=lambda other: other.offset):
        if other.offset - offset >= needed:
            break
        offset = max(offset, other.end)
    return offset


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
