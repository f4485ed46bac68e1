"""Convert an image of any size into the pixels of the virtual camera's frame buffer, as a sensor does."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from blazeposer.core.prepare import Image, as_rgb, rgb565

Frames = Sequence[Image] | Callable[[int], Image]
"""Images for the sensor. The value is a sequence that is shown repeatedly, or a function that returns the image for a
frame number. Each image is uint8 RGB, (h, w, 3)."""
WINDOW = (40, 0, 240, 240)
"""Square in the middle of a QVGA frame, as (x, y, w, h). board/main.py sets the same window."""


def view(
    picture: Image,
    size: tuple[int, int] = (320, 240),
    window: tuple[int, int, int, int] = WINDOW,
    *,
    gray: bool = False,
) -> Image:
    """Return the pixels (h, w, 3) of a snapshot of `picture`. `size` is the (width, height) of the sensor's frame, and
    `window` is the part (x, y, w, h) of the frame that the snapshot shows.

    The largest centred square of `picture` is scaled to fill the largest centred square of the frame. The colours of a
    snapshot are reduced to RGB565, or to three equal channels of grey if `gray` is true.
    """
    width, height = size
    side = min(size)
    scale = side / min(picture.shape[:2])
    if scale != 1:
        scaled = (max(side, round(picture.shape[1] * scale)), max(side, round(picture.shape[0] * scale)))
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        picture = np.asarray(cv2.resize(picture, scaled, interpolation=interpolation), np.uint8)
    frame = np.zeros((height, width, 3), np.uint8)
    rows, cut_rows = _centred(picture.shape[0], height)
    columns, cut_columns = _centred(picture.shape[1], width)
    frame[rows, columns] = picture[cut_rows, cut_columns]
    x, y, w, h = window
    pixels = frame[y : y + h, x : x + w]
    if gray:
        return as_rgb(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
    return rgb565(pixels)


def _centred(length: int, room: int) -> tuple[slice, slice]:
    """Return two slices of equal length. The first slice is centred in a row of `room` pixels, and the second slice is
    centred in a row of `length` pixels."""
    seen = min(length, room)
    start, cut = (room - seen) // 2, (length - seen) // 2
    return slice(start, start + seen), slice(cut, cut + seen)
