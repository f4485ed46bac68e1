"""Convert an image to the network's input, with full quality or with the lower quality of images on a camera."""

from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeposer.core.contract import INPUT_SIZE
from blazeposer.core.errors import InputError

Image = NDArray[np.uint8]
Order = Literal["rgb", "bgr"]
"""Order of an image's channels. OpenCV's images are "bgr"."""
LARGEST_SQUARE = 4096
"""Largest side, in pixels, of a square that `square_at` returns."""


def as_rgb(image: object, order: Order = "rgb") -> Image:
    """Return an image as an RGB array (h, w, 3) of uint8 values, without alpha. The argument `image` is an array
    (h, w), or an array (h, w, channels) with one, three or four channels. Its values are of type uint8, or floats from
    0 to 1. Raises InputError for any other `image`."""
    if order not in get_args(Order):
        raise InputError(f'there is no order {order!r}: give "rgb", or "bgr" for images of OpenCV')
    if image is None:
        raise InputError("the image is None (OpenCV's imread returns None if it cannot read a file): check the path")
    if not isinstance(image, np.ndarray):
        raise InputError(f"the image is a {type(image).__name__}: give a numpy array, for example np.asarray(image)")
    shape = image.shape
    if len(shape) == 2:
        image = image[..., None]
    if not (image.ndim == 3 and image.shape[2] in (1, 3, 4) and image.size):
        hint = "image.transpose(1, 2, 0)" if len(shape) == 3 and shape[0] in (1, 3, 4) else "only one image"
        raise InputError(f"the image has the shape {shape}: give (height, width, 3 channels), for example {hint}")
    if np.issubdtype(image.dtype, np.floating):
        low, high = float(image.min()), float(image.max())
        if not (low >= 0 and high <= 1):  # False for NaN
            raise InputError(f"the image has float values from {low:g} to {high:g}: give floats from 0 to 1, or uint8")
        image = (255 * image).round().astype(np.uint8)
    if image.dtype != np.uint8:
        raise InputError(f"the image has values of type {image.dtype}: give uint8 from 0 to 255, or floats from 0 to 1")
    if image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)
    channels = image[..., :3] if order == "rgb" else image[..., 2::-1]
    return np.ascontiguousarray(channels)


def square_crop(image: Image) -> tuple[Image, tuple[int, int, int]]:
    """Return a view of the largest centred square of an image, and the square's place (x, y, side) in pixels."""
    height, width = image.shape[:2]
    side = min(height, width)
    x, y = (width - side) // 2, (height - side) // 2
    return image[y : y + side, x : x + side], (x, y, side)


def square_pad(image: Image) -> tuple[Image, tuple[int, int, int]]:
    """Return the smallest square around an image, and the square's place (x, y, side) in pixels. The values x and y are
    0 or negative."""
    height, width = image.shape[:2]
    side = max(height, width)
    x, y = -((side - width) // 2), -((side - height) // 2)
    return square_at(image, x, y, side), (x, y, side)


def square_at(image: Image, x: int, y: int, side: int) -> Image:
    """Return a square of an image. Pixels outside the image are black. The square may be a NumPy view of the image. If
    `side` is above `LARGEST_SQUARE`, the function scales the image down before adding black pixels. Without this
    scaling, a square around an image of 200,000 x 20 pixels would take 120 GB of memory."""
    height, width = image.shape[:2]
    part = image[max(y, 0) : y + side, max(x, 0) : x + side]
    left, top = max(-x, 0), max(-y, 0)
    if side > LARGEST_SQUARE:
        scale, side = LARGEST_SQUARE / side, LARGEST_SQUARE
        size = [max(1, round(length * scale)) for length in part.shape[1::-1]]
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        left, top = (min(round(gap * scale), side - length) for gap, length in zip((left, top), size, strict=True))
    height, width = part.shape[:2]
    if height == width == side:
        return part
    padded = np.zeros((side, side, 3), np.uint8)
    padded[top : top + height, left : left + width] = part
    return padded


def clean_input(image: Image) -> Image:
    """Return the network's input (128, 128, 3) in full quality. As on a camera, the image is stretched to a square. A
    large image is scaled down by averaging its pixels, because the network works best on images that were scaled down
    in this way."""
    shrinks = min(image.shape[:2]) >= INPUT_SIZE
    return _resize(image, cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def camera_input(image: Image) -> Image:
    """Return the network's input (128, 128, 3) with the lower image quality of a camera. In firmware 5.0,
    `ml.preprocessing.Normalization` stretches an image to a square by bilinear sampling, without averaging, and draws
    the square into an RGB565 buffer."""
    return rgb565(_resize(image, cv2.INTER_LINEAR))


def rgb565(image: Image) -> Image:
    """Reduce an image to the precision of RGB565 (5 bits for red, 6 for green and 5 for blue). In each colour value,
    the lowest bits become a copy of the highest bits."""
    bits = np.array([5, 6, 5], np.uint8)
    high = image >> (8 - bits) << (8 - bits)
    return high | (high >> bits)


def to_rgb565(image: Image) -> bytes:
    """Return the bytes of an image in RGB565, the pixel format of a camera (see imlib.h in OpenMV's firmware). A pixel
    has two bytes, and the low byte comes first. Red is in the highest bits of a pixel. OpenCV calls this format
    BGR565."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2BGR565).tobytes()


def from_rgb565(data: bytes, width: int, height: int) -> Image:
    """Convert the bytes from `to_rgb565` back to an image (height, width, 3), with the lower precision of RGB565."""
    pixels = np.frombuffer(data, np.uint8).reshape(height, width, 2)
    return rgb565(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR5652RGB), np.uint8))


def to_int8(image: Image) -> NDArray[np.int8]:
    """Return the input of the INT8 network. The function subtracts 128 from each pixel value. The firmware computes the
    same bytes with the exclusive or of each pixel value and 0x80."""
    return (image ^ 0x80).view(np.int8)


def to_float(image: Image) -> NDArray[np.float32]:
    """Return the input of a float network, with values from -1 to 1."""
    return image.astype(np.float32) / np.float32(127.5) - np.float32(1)


def _resize(image: Image, interpolation: int) -> Image:
    resized = cv2.resize(image, (INPUT_SIZE, INPUT_SIZE), interpolation=interpolation)
    return np.asarray(resized, np.uint8)
