"""Sets the ranges of all quantizers from pictures: post-training quantization.

A plain minimum and maximum is a trap: one dim picture in a hundred drives late activations to twenty times their usual
range, and every other picture pays for it in coarse steps. So a range is a percentile over pictures of each picture's
extremes, and the regressors' range is what anchors on faces need, not what background anchors invent.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blazeposer.contract import GRIDS, INPUT_SCALE

from .quantized import QuantizedBlazePoser

PERCENTILE = 95.0
"""Of the pictures' extremes. Lower clips faces in rare light, higher makes every step coarser."""
FACE_PERCENTILE = 99.9
"""Of the regressors of anchors that fire."""
BATCH = 25


def to_network(pictures: NDArray[np.uint8]) -> Tensor:
    """(N, 128, 128, 3) uint8 RGB to (N, 3, 128, 128) as INT8 networks see it: (pixel - 128) / 127.5."""
    return (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 128) * INPUT_SCALE


@torch.no_grad()
def calibrate(
    model: QuantizedBlazePoser, pictures: NDArray[np.uint8], advance: Callable[[int], None] = lambda _: None
) -> None:
    """Set the range of every quantizer that the contract does not fix. `advance` is told of each batch's size."""
    free = [op.output for op in model.operations if model.source[op.output] == op.output]
    free = [name for name in free if not model.quantizer(name).frozen]
    lows: dict[str, list[Tensor]] = {name: [] for name in free}
    highs: dict[str, list[Tensor]] = {name: [] for name in free}
    on_faces: dict[str, list[Tensor]] = {f"regressors.{index}": [] for index in range(len(GRIDS))}
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH]
        tensors = model.trace(to_network(batch), quantized=False)
        for name in free:
            flat = tensors[name].flatten(1)
            lows[name].append(flat.amin(1))
            highs[name].append(flat.amax(1))
        for index, grid in enumerate(GRIDS):
            fires = tensors[f"scores_{grid.side}"][..., 0] >= 0
            on_faces[f"regressors.{index}"].append(tensors[f"regressors_{grid.side}"][fires].flatten())
        advance(len(batch))
    for name in free:
        if name in on_faces:
            values = torch.cat(on_faces[name]).numpy()
            low, high = np.percentile(values, [100 - FACE_PERCENTILE, FACE_PERCENTILE])
        else:
            low = np.percentile(torch.cat(lows[name]).numpy(), 100 - PERCENTILE)
            high = np.percentile(torch.cat(highs[name]).numpy(), PERCENTILE)
        model.quantizer(name).set_range(float(low), float(high))
