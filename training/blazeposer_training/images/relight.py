"""Disturb training images: covered faces, changed light and colours, blur, noise, JPEG compression and the colour
format RGB565.

The settings of the disturbances are random numbers from numpy. The noise comes from one fixed array of random numbers.
For the same settings, a disturbed image is the same on every device, except for rounding errors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from blazeposer.core.contract import INPUT_SIZE

NOISE_FIELD = 1 << 20
"""Length of the fixed array of Gaussian noise. The noise of one image consists of 49,152 successive numbers of the
array."""
BLUR_REACH = 8
"""Largest distance, in pixels, between two pixels that the blur mixes."""
MASK_SHARE = 0.04
JAW, NOSE = slice(2, 15), 28
"""Numbers of the landmarks (iBUG-68) along the edge of a face mask. These landmarks are the jaw without its upper ends,
and the bridge of the nose."""
LUMINANCE = (16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
             14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
             49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99)  # fmt: skip
"""JPEG's quantization table K.1 (8x8) for luminance, row by row. The top left 4x4 values of JPEG's table K.2 for
chrominance are in `CHROMINANCE`. All other values of K.2 are 99."""
CHROMINANCE = ((17, 18, 24, 47), (18, 21, 26, 66), (24, 26, 56, 99), (47, 66, 99, 99))
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]
Array = TypeVar("Array", Floats, Integers)


@dataclass(frozen=True)
class Light:
    """The disturbances of N images. Each field has a shape (N, ...). An image does not change if contrast, gamma and
    gains are 1 and all other fields are 0 or False."""

    mask: Bools
    rectangle: Integers
    """Rectangles (N, 4) that cover a part of each image, in pixels. A row contains x0, y0, x1 and y1."""
    colour: Floats
    """Colours (N, 3) of the drawn face masks and of the rectangles, 0 to 255."""
    contrast: Floats
    brightness: Floats
    gamma: Floats
    gains: Floats
    """Factors (N, 3) on the colour channels."""
    grey: Bools
    blur: Floats
    """Standard deviation of the blur, in pixels."""
    noise: Floats
    """Standard deviation of the noise. The pixel values are from 0 to 255."""
    noise_start: Integers
    quality: Integers
    """Quality of JPEG compression, 1 to 100."""
    rgb565: Bools

    @staticmethod
    def random(rng: np.random.Generator, count: int, strength: float, most_blur: float) -> "Light":
        """Choose random disturbances. For each disturbance, a fixed share of the images gets the disturbance.
        `strength` multiplies these shares, except the share of RGB565. `most_blur` is the largest standard deviation of
        the blur in pixels."""

        def some(share: float, values: Array, otherwise: int = 0) -> Array:
            values[rng.random(count) >= strength * share] = otherwise
            return values

        lit = rng.random(count) < strength * 0.7
        corner, size = rng.random((count, 2)), rng.integers(10, 36, (count, 2))
        corner = (corner * (INPUT_SIZE - size)).astype(np.int64)
        return Light(
            mask=rng.random(count) < strength * MASK_SHARE,
            rectangle=some(0.1, np.concatenate([corner, corner + size], axis=1)),
            colour=rng.uniform(0, 255, (count, 3)),
            contrast=np.where(lit, rng.uniform(0.6, 1.35, count), 1),
            brightness=np.where(lit, rng.uniform(-40, 40, count), 0),
            gamma=some(0.3, np.exp(rng.uniform(-0.5, 0.5, count)), 1),
            gains=some(0.4, rng.uniform(0.85, 1.15, (count, 3)), 1),
            grey=rng.random(count) < strength * 0.12,
            blur=some(0.15, rng.uniform(0.4, most_blur, count)),
            noise=some(0.3, rng.uniform(1, 9, count)),
            noise_start=rng.integers(0, NOISE_FIELD - 3 * INPUT_SIZE**2, count),
            quality=some(0.15, rng.integers(30, 85, count)),
            rgb565=rng.random(count) < 0.5,
        )


def relight(pictures: Tensor, light: Light, landmarks: Floats) -> Tensor:
    """Return disturbed images as uint8. `pictures` (N, 3, 128, 128) contains float images with values from 0 to 255.
    The function overwrites `pictures`. `landmarks` (N, 68, 2), in pixels, give the positions of the drawn face
    masks."""

    def some(chosen: Bools, change: Callable[..., Tensor], *settings: NDArray[np.generic]) -> None:
        if chosen.any():
            rows = torch.from_numpy(np.flatnonzero(chosen)).to(pictures.device)
            given = (torch.from_numpy(setting[chosen]).to(pictures.device) for setting in settings)
            pictures[rows] = change(pictures[rows], *given)

    some(light.mask, cover_face, landmarks, light.colour)
    some(np.any(light.rectangle, axis=1), cover_rectangle, light.rectangle, light.colour)
    contrast = torch.from_numpy(light.contrast).to(pictures)[:, None, None, None]
    shift = torch.from_numpy(128 - 128 * light.contrast + light.brightness).to(pictures)[:, None, None, None]
    pictures.mul_(contrast).add_(shift)
    some(light.gamma != 1, bend, light.gamma)
    some(np.any(light.gains != 1, axis=1), lambda values, gains: values * gains[..., None, None].float(), light.gains)
    some(light.grey, lambda values: (values * values.new_tensor(TO_YCC[0])[:, None, None]).sum(1, keepdim=True))
    some(light.blur > 0, blur, light.blur)
    some(light.noise > 0, add_noise, light.noise, light.noise_start)
    some(light.quality > 0, compress, light.quality)
    result = pictures.round_().clamp_(0, 255).to(torch.uint8)
    rows = torch.from_numpy(np.flatnonzero(light.rgb565)).to(result.device)
    result[rows] = rgb565(result[rows])
    return result


def cover_face(pictures: Tensor, landmarks: Tensor, colour: Tensor) -> Tensor:
    """Cover the lower face, from the bridge of the nose to the chin, with a mask of one colour."""
    corners = torch.cat([landmarks[:, JAW], landmarks[:, NOSE, None]], dim=1)
    at = torch.arange(INPUT_SIZE, device=pictures.device, dtype=landmarks.dtype)
    x0, y0 = corners[:, None, None].unbind(-1)
    x1, y1 = corners.roll(-1, 1)[:, None, None].unbind(-1)
    x, y = at[:, None], at[:, None, None]
    # If an edge of the mask crosses the row of a pixel to the right of the pixel, the edge counts 1 or -1, depending on
    # the edge's direction. For a pixel outside of the mask, the sum is 0.
    crossed = (y0 <= y).int() - (y1 <= y).int()
    left_of = x < x0 + (y - y0) / torch.where(y1 == y0, 1, y1 - y0) * (x1 - x0)
    inside = (crossed * left_of).sum(-1) != 0
    return torch.where(inside[:, None], colour[..., None, None].float(), pictures)


def cover_rectangle(pictures: Tensor, rectangle: Tensor, colour: Tensor) -> Tensor:
    """Cover a rectangle of each image with one colour, to imitate hands or hair in front of a face."""
    at = torch.arange(INPUT_SIZE, device=pictures.device)
    x0, y0, x1, y1 = rectangle[..., None].unbind(1)
    inside = ((at >= y0) & (at < y1))[:, :, None] & ((at >= x0) & (at < x1))[:, None]
    return torch.where(inside[:, None], colour[..., None, None].float(), pictures)


def bend(pictures: Tensor, gamma: Tensor) -> Tensor:
    """Change the brightness of each image by a gamma curve with the exponent `gamma` (n,)."""
    return pictures.clamp(0, 255).div_(255).pow_(gamma.float()[:, None, None, None]).mul_(255)


def blur(pictures: Tensor, sigma: Tensor) -> Tensor:
    """Blur images with Gaussian filters. `sigma` (n,) is the standard deviation of each filter in pixels."""
    offsets = torch.arange(-BLUR_REACH, BLUR_REACH + 1, device=sigma.device)
    taps = torch.exp(-0.5 * (offsets / sigma[:, None]).square()).float()
    taps = (taps / taps.sum(1, keepdim=True))[:, :, None, None, None]
    for dimension, rim in ((-1, (BLUR_REACH, BLUR_REACH, 0, 0)), (-2, (0, 0, BLUR_REACH, BLUR_REACH))):
        padded = F.pad(pictures, rim, mode="replicate")
        shifted = (padded.narrow(dimension, i, INPUT_SIZE) for i in range(len(offsets)))
        pictures = sum((taps[:, i] * image for i, image in enumerate(shifted)), pictures.new_zeros(()))
    return pictures


def add_noise(pictures: Tensor, deviation: Tensor, start: Tensor) -> Tensor:
    """Add Gaussian noise with the standard deviations `deviation` (n,). The noise of image i begins at the index
    `start[i]` of the fixed array of random numbers."""
    length = pictures[0].numel()
    noise = _noise_field(pictures.device)[start[:, None] + torch.arange(length, device=start.device)]
    return pictures + noise.view_as(pictures) * deviation.float()[:, None, None, None]


@cache
def _noise_field(device: torch.device) -> Tensor:
    return torch.randn(NOISE_FIELD, generator=torch.Generator().manual_seed(0)).to(device)


def compress(pictures: Tensor, quality: Tensor) -> Tensor:
    """Imitate JPEG compression (ITU-T T.81) with the qualities `quality` (n,). The function rounds the coefficients of
    an 8x8 cosine transform. The colour channels have half the resolution of the brightness."""
    pixels = pictures.clamp(0, 255) - 128
    ycc = torch.einsum("cd,ndhw->nchw", pixels.new_tensor(TO_YCC), pixels)
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).float()[:, None, None] / 100
    luminance, chrominance = (table.to(pixels) for table in _tables())
    grey = _quantize(ycc[:, :1], (luminance * scale).round().clamp(1, 255))
    colour = _quantize(F.avg_pool2d(ycc[:, 1:], 2), (chrominance * scale).round().clamp(1, 255))
    ycc = torch.cat([grey, F.interpolate(colour, scale_factor=2.0)], dim=1)
    return torch.einsum("cd,ndhw->nchw", torch.linalg.inv(ycc.new_tensor(TO_YCC)), ycc) + 128


def _quantize(planes: Tensor, table: Tensor) -> Tensor:
    """Round the cosine coefficients of all 8x8 blocks in `planes` (n, c, h, w) to multiples of `table` (n, 8, 8)."""
    count, channels, height, width = planes.shape
    blocks = planes.reshape(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    at = torch.arange(8, device=planes.device)
    cosines = torch.cos((2 * at + 1) * at[:, None] * (torch.pi / 16)) / 2
    cosines[0] /= 2**0.5
    steps = table[:, None, None, None]
    kept = (cosines @ blocks @ cosines.T / steps).round() * steps
    return (cosines.T @ kept @ cosines).transpose(3, 4).reshape(planes.shape)


@cache
def _tables() -> tuple[Tensor, Tensor]:
    chrominance = torch.full((8, 8), 99.0)
    chrominance[:4, :4] = torch.tensor(CHROMINANCE)
    return torch.tensor(LUMINANCE, dtype=torch.float32).reshape(8, 8), chrominance


def rgb565(pictures: Tensor) -> Tensor:
    """Reduce the red, green and blue values of uint8 images (N, 3, ...) to 5, 6 and 5 bits. For numpy arrays,
    `blazeposer.core.prepare.rgb565` does the same."""
    bits = torch.tensor([5, 6, 5], dtype=torch.uint8, device=pictures.device)[:, None, None]
    high = pictures >> (8 - bits) << (8 - bits)
    return high | (high >> bits)
