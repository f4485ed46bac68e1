"""Imitate OpenMV's draw calls and screen approximately: images (h, w, 3) uint8 RGB."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from blazeposer.core.prepare import Image

_LETTER = (8, 10)
"""Pixels that one letter of `draw_string` takes at scale 1 (docs.openmv.io, image)."""
_FONT = cv2.FONT_HERSHEY_PLAIN
_CAPITAL = 12  # pixels of that font's capitals at scale 1, with what the pen adds


def rectangle(picture: Image, numbers: list[int], color: list[int], thickness: int) -> None:
    """An outline; `numbers` are x, y, w, h."""
    x, y, w, h = numbers
    cv2.rectangle(picture, (x, y), (x + w - 1, y + h - 1), color, thickness)


def line(picture: Image, numbers: list[int], color: list[int], thickness: int) -> None:
    """`numbers` are x0, y0, x1, y1."""
    x0, y0, x1, y1 = numbers
    cv2.line(picture, (x0, y0), (x1, y1), color, thickness)


def circle(picture: Image, numbers: list[int], color: list[int], thickness: int) -> None:
    """An outline; `numbers` are x, y, radius."""
    x, y, radius = numbers
    cv2.circle(picture, (x, y), radius, color, thickness)


def string(picture: Image, numbers: list[int], text: str, color: list[int], scale: float) -> None:
    """Letters side by side from x, y on, the top left corner."""
    x, y = numbers
    width, height = (scale * length for length in _LETTER)
    for number, letter in enumerate(text):
        at = (round(x + number * width), round(y + 0.9 * height))
        cv2.putText(picture, letter, at, _FONT, 0.8 * height / _CAPITAL, color, max(1, round(scale)))


SHAPES: dict[str, Callable[..., None]] = {"rectangle": rectangle, "line": line, "circle": circle, "string": string}
"""By the names of OpenMV's draw calls."""


def fitted(picture: Image, width: int, height: int) -> Image:
    """The image as a screen of that size shows it: scaled to fit, in the middle, the rest black."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    w, h = round(scale * picture.shape[1]), round(scale * picture.shape[0])
    screen = np.zeros((height, width, 3), np.uint8)
    left, top = (width - w) // 2, (height - h) // 2
    screen[top : top + h, left : left + w] = cv2.resize(picture, (w, h), interpolation=cv2.INTER_NEAREST)
    return screen
