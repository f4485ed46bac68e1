"""From a labelled face to a training picture: placed, turned, mirrored and lit anew, its label turned with it.

Everything geometric is one similarity transform, so that picture, box and rotation matrix always agree: mirroring takes
R to F R F, turning the picture clockwise by t takes R to Rz(t) R (`blazeposer.rotation`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeposer.contract import INPUT_SIZE
from blazeposer.prepare import Image, rgb565
from blazeposer.rotation import mirror_rotation, turn_rotation

CENTRE = INPUT_SIZE / 2


@dataclass(frozen=True)
class Placement:
    """How a face lies in the training picture."""

    size: float
    """Longer side of the landmark box, as a fraction of the picture's side."""
    x: float
    y: float
    """Centre of the landmark box, fractions of the picture's side."""
    clockwise: float
    """Turn on the screen, degrees."""
    mirrored: bool


def random_placement(rng: np.random.Generator) -> Placement:
    """Three in four as a face in front of a camera lies (the sizes of AFLW2000's protocol), the rest anywhere."""
    usual = rng.random() < 0.75
    size = float(np.exp(rng.uniform(np.log(0.25), np.log(0.55)) if usual else rng.uniform(np.log(0.16), np.log(0.75))))
    reach = max(0.5 - 0.55 * size, 0.0)  # the face stays within the picture
    spread = 0.35 if usual else 1.0
    turn = float(np.clip(rng.normal(0, 14), -45, 45))
    x, y = 0.5 + spread * reach * rng.uniform(-1, 1, 2)
    return Placement(size, float(x), float(y), turn, bool(rng.random() < 0.5))


def validation_placement(rng: np.random.Generator) -> Placement:
    """Placed as AFLW2000's faces are: 0.26 to 0.50 of the side, near the middle, upright."""
    x, y = 0.5 + rng.uniform(-0.06, 0.06, 2)
    return Placement(float(rng.uniform(0.26, 0.50)), float(x), float(y), 0.0, False)


def transform(box: NDArray[np.float64], placement: Placement) -> NDArray[np.float64]:
    """(2, 3) affine map from pixels of the photo to pixels of the 128x128 picture."""
    x0, y0, x1, y1 = box
    scale = placement.size * INPUT_SIZE / max(x1 - x0, y1 - y0)
    turn = np.radians(placement.clockwise)
    flip = -1.0 if placement.mirrored else 1.0
    # y points down, so this matrix turns clockwise on the screen; the mirror comes first
    linear = scale * np.array([[np.cos(turn) * flip, -np.sin(turn)], [np.sin(turn) * flip, np.cos(turn)]])
    target = np.array([placement.x, placement.y]) * INPUT_SIZE
    return np.column_stack([linear, target - linear @ np.array([(x0 + x1) / 2, (y0 + y1) / 2])])


def moved_rotation(rotation: NDArray[np.float64], placement: Placement) -> NDArray[np.float64]:
    """The head's rotation as the placed picture shows it."""
    mirrored = mirror_rotation(rotation) if placement.mirrored else rotation
    return turn_rotation(mirrored, placement.clockwise)


def moved_points(points: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 2) of the photo in pixels of the picture."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def place(image: Image, matrix: NDArray[np.float64], background: Image | None, rng: np.random.Generator) -> Image:
    """The photo in a 128x128 RGB picture, shrunk sharp (as a camera's bilinear does) or smooth.

    What lies beyond its edges is black, replicated, reflected, or (where a background is given) another photo.
    """
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.75 and rng.random() < 0.6:
        sigma = 0.45 * (1 / scale - 0.6)
        image = cv2.GaussianBlur(image, (0, 0), sigma)  # type: ignore[assignment]
    size = (INPUT_SIZE, INPUT_SIZE)
    border = rng.choice([cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101], p=[0.4, 0.35, 0.25])
    picture = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=int(border))
    if background is not None:
        inside = cv2.warpAffine(np.full(image.shape[:2], 255, np.uint8), matrix, size, flags=cv2.INTER_LINEAR)
        picture = np.where(inside[..., None] > 127, picture, random_crop(background, rng))
    return np.asarray(picture, np.uint8)


def random_crop(image: Image, rng: np.random.Generator) -> Image:
    """A random square of a photo as a 128x128 picture."""
    height, width = image.shape[:2]
    side = int(rng.uniform(0.5, 1.0) * min(height, width))
    y, x = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    square = cv2.resize(image[y : y + side, x : x + side], (INPUT_SIZE, INPUT_SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray(square[:, ::-1] if rng.random() < 0.5 else square, np.uint8)


def relight(picture: Image, rng: np.random.Generator) -> Image:
    """Light, colour, focus, noise, compression and the camera's RGB565, each in a part of the pictures."""
    values = picture.astype(np.float32)
    if rng.random() < 0.7:
        values = (values - 128) * rng.uniform(0.6, 1.35) + 128 + rng.uniform(-40, 40)
    if rng.random() < 0.3:
        values = 255 * np.power(np.clip(values, 0, 255) / 255, np.exp(rng.uniform(-0.5, 0.5)))
    if rng.random() < 0.4:
        values *= rng.uniform(0.85, 1.15, 3).astype(np.float32)
    if rng.random() < 0.12:
        values[:] = values @ np.array([0.299, 0.587, 0.114], np.float32)[:, None]
    if rng.random() < 0.15:
        values = cv2.GaussianBlur(values, (0, 0), rng.uniform(0.4, 1.1))  # type: ignore[assignment]
    if rng.random() < 0.3:
        values += rng.normal(0, rng.uniform(1, 9), values.shape).astype(np.float32)
    result = np.clip(values, 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        quality = int(rng.integers(30, 85))
        packed = cv2.imencode(".jpg", result, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        result = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    if rng.random() < 0.1:
        hide(result, rng)
    return rgb565(result) if rng.random() < 0.5 else result


def hide(picture: Image, rng: np.random.Generator) -> None:
    """Cover a random rectangle with one colour, in place: hands, hair and masks hide faces."""
    width, height = rng.integers(10, 36, 2)
    x, y = rng.integers(0, INPUT_SIZE - width), rng.integers(0, INPUT_SIZE - height)
    picture[y : y + height, x : x + width] = rng.integers(0, 256, 3)
