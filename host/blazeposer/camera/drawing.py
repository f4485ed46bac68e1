"""Imitate OpenMV's draw functions and a camera's screen. The pixels are only approximately those of a real camera. All
images in this module have the shape (h, w, 3) and are uint8 RGB."""

from collections.abc import Sequence

import cv2
import numpy as np

from blazeposer.core.prepare import Image

_LETTER = (8, 10)
"""Width and height in pixels of one letter of `draw_string` at scale 1 (docs.openmv.io, image)."""
_CAPITAL = 12  # height in pixels of capital letters in OpenCV's font at scale 1, including the width of the pen


def draw(
    picture: Image,
    shape: str,
    numbers: Sequence[int],
    color: Sequence[int],
    thickness: int = 1,
    text: str = "",
    scale: float = 1,
) -> None:
    """Draw a "rectangle", "line", "circle" or "string" on an image. `numbers` are the first arguments of OpenMV's draw
    function for the shape, for example x, y, width and height of a rectangle."""
    x, y, *rest = numbers
    if shape == "rectangle":
        cv2.rectangle(picture, (x, y, rest[0], rest[1]), color, thickness)
    elif shape == "line":
        cv2.line(picture, (x, y), rest, color, thickness)
    elif shape == "circle":
        cv2.circle(picture, (x, y), rest[0], color, thickness)
    else:
        width, height = (scale * length for length in _LETTER)
        size, pen = 0.8 * height / _CAPITAL, max(1, round(scale))
        for number, letter in enumerate(text):
            at = (round(x + number * width), round(y + 0.9 * height))
            cv2.putText(picture, letter, at, cv2.FONT_HERSHEY_PLAIN, size, color, pen)


def fitted(picture: Image, width: int, height: int) -> Image:
    """Return a black screen of `width` x `height` pixels, with the scaled image in the middle."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    w, h = round(scale * picture.shape[1]), round(scale * picture.shape[0])
    screen = np.zeros((height, width, 3), np.uint8)
    left, top = (width - w) // 2, (height - h) // 2
    screen[top : top + h, left : left + w] = cv2.resize(picture, (w, h), interpolation=cv2.INTER_NEAREST)
    return screen
