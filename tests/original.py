"""MediaPipe's BlazeFace, as operations. Needs torch."""

from __future__ import annotations

from blazeposer.core.contract import OUTPUTS
from blazeposer.evaluate.peers.blazeface import DETECTION
from blazeposer_training.network.architecture import ORIGINAL
from blazeposer_training.network.graph import Operation, operations


def blazeface_operations() -> tuple[Operation, ...]:
    """Return the operations that the first four outputs of the contract need."""
    needed, graph = {output.name for output in OUTPUTS[:DETECTION]}, operations(ORIGINAL)
    for operation in reversed(graph):
        if operation.output in needed:
            needed.update(operation.inputs)
    return tuple(operation for operation in graph if operation.output in needed)
