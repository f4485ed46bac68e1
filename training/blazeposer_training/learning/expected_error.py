"""Calibrate the network's expected errors (in degrees) with faces that were not used for training."""

import numpy as np
import torch
from numpy.typing import NDArray

from blazeposer.evaluate.metrics import Scores

from ..network.model import BlazePoser
from .losses import LABEL_ERROR


def calibrate_error(model: BlazePoser, scores: Scores, spread: NDArray[np.floating]) -> tuple[float, float]:
    """Fit the expected errors of `model` to the measured errors on labelled faces. Return the slope and the offset of
    the fit. The fit maps the logarithm x of each expected error to slope * x + offset.

    `scores` are the results of `model` on n labelled faces. `spread` (n,) is the uncertainty of each label in degrees
    (see `images.bank.Bank`). The fit minimises `losses.error_likelihood`, as training does. The function changes the
    layers that compute the expected errors. A decoder averages the logarithms of a face's expected errors over several
    anchors. The fit is linear, so the fit is also correct for this average. If `model` found no face, the function
    changes nothing.
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
