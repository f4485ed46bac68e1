"""Calibrate the error in degrees that a network predicts, on faces that it was not trained on."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from blazeposer.evaluate.metrics import Scores

from ..network.model import BlazePoser
from .losses import LABEL_ERROR


def calibrate_error(model: BlazePoser, scores: Scores, spread: NDArray[np.floating]) -> tuple[float, float]:
    """Rescale the error outputs so that they fit the validation scores best, and return the slope and offset of their
    logarithm.

    `scores` are the scores of `model` on labels with the teachers' disagreement `spread` (n,) in degrees. If no face
    was found, nothing changes. The slope and the offset maximise the same likelihood as the training
    (`losses.error_likelihood`). The weights of the error outputs are changed by this slope and offset. The change is
    exact, because decoders average logarithms.
    """
    found = scores.found
    if not found.any():
        return 1.0, 0.0
    logarithm = torch.from_numpy(np.log(scores.expected[found]))
    actual = torch.from_numpy(np.hypot(scores.geodesic[found], LABEL_ERROR * spread[found]))
    line = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([line], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        fitted = line[0] * logarithm + line[1]
        value = (actual * (-fitted).exp() + fitted).mean()
        value.backward()
        return value

    optimizer.step(loss)
    slope, offset = line.tolist()
    with torch.no_grad():
        for head in model.pose_heads:
            assert head.error.bias is not None
            head.error.weight *= slope
            head.error.bias.mul_(slope).add_(offset)
    return slope, offset
