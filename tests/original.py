"""MediaPipe's BlazeFace, as operations. Needs torch."""

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


def branch_first(graph: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Return operations in TensorFlow's order: in each block depthwise and pointwise before pool and pad."""
    order = {"depthwise": 0, "pointwise": 1, "pool": 2, "pad": 3}
    blocks: dict[str, int] = {}
    keys = []
    for position, operation in enumerate(graph):
        block, _, part = operation.output.rpartition(".")
        inner = block.startswith("backbone.blocks") and part in order
        keys.append((blocks.setdefault(block, position) if inner else position, order.get(part, 0) if inner else 0))
    return tuple(graph[i] for i in sorted(range(len(graph)), key=keys.__getitem__))
