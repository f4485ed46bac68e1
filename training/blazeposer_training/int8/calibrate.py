"""Quantize a trained network in three steps: equalize its channels, clip its weights, and set the ranges of its
activations.

In one of twenty images, flat dark regions raise the activations of late layers to twenty times the usual range. The
quantization steps for such a range would be too coarse for normal images. Therefore, the limits of a range are
percentiles over images. The range of the boxes and keypoints comes only from anchors on faces, because these outputs
have no meaning at anchors on the background.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blazeposer.core.contract import GRIDS, INPUT_SCALE

from .quantized import HIGHEST, LOWEST, WEIGHT_LIMIT, QuantizedBlazePoser

PERCENTILE = 0.99
"""Percentile that sets the limits of a tensor's range. It is computed over the images, from the tensor's smallest and
largest value in each image. On images that were not used for calibration, percentiles from 0.95 to 0.998 are equally
good. The percentile 0.85 makes the error 0.2 degree larger."""
FACE_PERCENTILE = 0.999
"""Percentile of the regressors (the values for box and keypoints) at anchors that find a face."""
BATCH = 25
CLIP_OCTAVES = 6
"""Number of times that the largest weight is halved to get the smallest clipping limit that `clip_weights` tries."""
EQUALIZE_STEPS, EQUALIZE_RATE = 300, 0.03

Advance = Callable[[int], None]


def to_network(pictures: NDArray[np.uint8]) -> Tensor:
    """Convert uint8 images (N, 128, 128, 3) to the network's input (N, 3, 128, 128). The function subtracts 128 from
    each pixel value, and divides the result by 127.5."""
    return (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 128) * INPUT_SCALE


def quantize(model: QuantizedBlazePoser, pictures: NDArray[np.uint8], advance: Advance = lambda _: None) -> None:
    """Equalize the channels, clip the weights, and set the ranges. The network processes all images three times. After
    each batch, the function calls `advance` with the number of images in the batch."""
    equalize(model, pictures, advance)
    clip_weights(model, pictures, advance)
    set_ranges(model, pictures, advance)


def equalize(model: QuantizedBlazePoser, pictures: NDArray[np.uint8], advance: Advance = lambda _: None) -> None:
    """Rescale the channels between each depthwise convolution and the following 1x1 convolution.

    This method is cross-layer equalization (Nagel et al., 2019). It does not change the results of the float network,
    because no nonlinear operation lies between the two convolutions. Each channel's scale is chosen so that the
    rounding of activations and weights causes the smallest noise.
    """
    pairs = [pair for pair in pairwise(model.operations) if pair[0].kind == "depthwise"]
    seen: dict[str, list[Tensor]] = {first.output: [] for first, _ in pairs}
    for tensors in _float_tensors(model, pictures, advance):
        for name, rows in seen.items():
            x = tensors[name]
            rows.append(torch.stack([x.amin((2, 3)), x.amax((2, 3)), x.square().mean((2, 3))], dim=1))
    for first, second in pairs:
        low, high, power = torch.cat(seen[first.output]).unbind(1)
        depthwise, pointwise = model.layer(first), model.layer(second)
        scale = _quietest_scale(
            low.quantile(1 - PERCENTILE, dim=0).clamp(max=0),
            high.quantile(PERCENTILE, dim=0).clamp(min=0),
            power.median(dim=0).values,
            pointwise.weight.detach()[:, :, 0, 0],
        )
        with torch.no_grad():
            depthwise.weight /= scale[:, None, None, None]
            pointwise.weight *= scale[None, :, None, None]


def _quietest_scale(low: Tensor, high: Tensor, power: Tensor, weight: Tensor) -> Tensor:
    """Return the channels' scales with the smallest expected quantization noise. `low` and `high` are the limits of
    each channel's range, and `power` is the mean square of each channel's values. All three have the shape (channels,).
    `weight` (out, channels) has the weights of the 1x1 convolution."""
    log_scale = torch.zeros_like(high, requires_grad=True)
    optimizer = torch.optim.Adam([log_scale], lr=EQUALIZE_RATE)
    for _ in range(EQUALIZE_STEPS):
        scale = log_scale.exp()
        columns = weight * scale
        activation_step = ((high / scale).amax() - (low / scale).amin()) / (HIGHEST - LOWEST)
        weight_step = columns.abs().amax(dim=1) / WEIGHT_LIMIT
        noise = activation_step**2 * columns.square().sum() + weight_step.square().sum() * (power / scale**2).sum()
        optimizer.zero_grad()
        noise.log().backward()
        optimizer.step()
    return log_scale.detach().exp()


def clip_weights(model: QuantizedBlazePoser, pictures: NDArray[np.uint8], advance: Advance) -> None:
    """Clip the weights of each output channel of a 1x1 convolution, if clipping makes the output channel more exact.

    Some weights are a hundred times larger than all other weights, but the input channels of these weights are nearly
    always 0. Without clipping, such weights would make the quantization steps of all other weights coarse.
    """
    pointwise = [operation for operation in model.operations if operation.kind == "conv" and operation.kernel == 1]
    seen: dict[str, list[Tensor]] = {operation.inputs[0]: [] for operation in pointwise}
    for tensors in _float_tensors(model, pictures, advance):
        for name, rows in seen.items():
            rows.append(tensors[name].square().mean((0, 2, 3)))
    for operation in pointwise:
        power = torch.stack(seen[operation.inputs[0]]).mean(0)
        layer = model.layer(operation)
        with torch.no_grad():
            weight = layer.weight[:, :, 0, 0]
            limit = _quietest_limit(weight, power, operation.per_tensor)
            layer.weight[:, :, 0, 0] = weight.clamp(-limit[:, None], limit[:, None])


def _quietest_limit(weight: Tensor, power: Tensor, per_tensor: bool) -> Tensor:
    """Return the clipping limits (out,) of the output channels. These limits cause the least noise. `weight` has the
    shape (out, channels), and `power` (channels,) is the mean square of each input channel."""
    largest = weight.abs().amax(dim=1)
    if per_tensor:
        largest = largest.amax().expand_as(largest)
    limits = largest * torch.logspace(0, -CLIP_OCTAVES, 8 * CLIP_OCTAVES + 1, 2)[:, None]  # (limits, out)
    limits = limits.clamp(min=1e-9)
    step = (limits / WEIGHT_LIMIT)[..., None]
    rounded = (weight / step).round().clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT) * step
    noise = ((rounded - weight).square() * power).sum(-1)
    if per_tensor:
        noise = noise.sum(1, keepdim=True).expand_as(noise)
    return limits.gather(0, noise.argmin(0, keepdim=True))[0]


def set_ranges(model: QuantizedBlazePoser, pictures: NDArray[np.uint8], advance: Advance = lambda _: None) -> None:
    """Set the range of every activation whose range is not fixed."""
    free = [name for name, source in model.source.items() if name == source and not model.quantizer(name).frozen]
    lows: dict[str, list[Tensor]] = {name: [] for name in free}
    highs: dict[str, list[Tensor]] = {name: [] for name in free}
    heads = {op.output: op.inputs[0] for op in model.operations if op.kind == "reshape"}
    on_faces: dict[str, list[Tensor]] = {heads[f"regressors_{grid.side}"]: [] for grid in GRIDS}
    for tensors in _float_tensors(model, pictures, advance):
        for name in free:
            values = tensors[name].flatten(1)
            lows[name].append(values.amin(1))
            highs[name].append(values.amax(1))
        for grid in GRIDS:
            fires = tensors[f"scores_{grid.side}"][..., 0] >= 0
            name = f"regressors_{grid.side}"
            on_faces[heads[name]].append(tensors[name][fires].flatten())
    for name in free:
        if name in on_faces:
            low, high = np.quantile(torch.cat(on_faces[name]).numpy(), [1 - FACE_PERCENTILE, FACE_PERCENTILE])
        else:
            low = torch.cat(lows[name]).quantile(1 - PERCENTILE)
            high = torch.cat(highs[name]).quantile(PERCENTILE)
        model.quantizer(name).set_range(float(low), float(high))


def _float_tensors(
    model: QuantizedBlazePoser, pictures: NDArray[np.uint8], advance: Advance
) -> Iterator[dict[str, Tensor]]:
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH]
        with torch.no_grad():
            tensors = model.trace(to_network(batch), quantized=False)
        yield tensors
        advance(len(batch))
