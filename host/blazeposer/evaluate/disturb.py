"""Disturb labelled images, so that faces are harder to find and to measure. Only one condition changes at a time, in
several levels. Every image is first scaled to `SIDE` pixels, the side of a camera's window. Blur, noise and compression
therefore have the same strength in all images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeposer.camera.sensor import WINDOW
from blazeposer.core.contract import INPUT_SIZE
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import Floats, rotation_from_angles, turn_rotation
from blazeposer.evaluate.datasets import Sample
from blazeposer.evaluate.peers.canonical import NOSE_TIP, load_canonical

SIDE = WINDOW[2]
"""Length of the longer side of the images in pixels. The side of a camera's window has the same length."""
GAMMA = 2.2
"""Exponent that converts a pixel's value to an amount of light. The exponent is an approximation of sRGB."""
MASK = (176, 205, 222)
"""Colour of the surgical mask that is drawn on faces."""
MASK_TOP = 0.3
"""Height of the mask's upper edge on the canonical face. The tip of the nose has the height 0, and the root of the nose
has the height 0.6."""


@dataclass(frozen=True)
class Scene:
    """An image (h, w, 3) and its n faces. `boxes` (n, 4) contains x0, y0, x1, y1 in pixels, and `rotations` has the
    shape (n, 3, 3)."""

    picture: Image
    boxes: Floats
    rotations: Floats

    def with_pixels(self, values: NDArray[np.floating]) -> Scene:
        """Return the same scene with other pixel values, rounded and clipped."""
        return replace(self, picture=np.round(values).clip(0, 255).astype(np.uint8))


def scene_of(sample: Sample) -> Scene:
    """Convert a sample with poses to a scene, and return the scene. The longer side of the scene's image has `SIDE`
    pixels."""
    picture = sample.load()
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    size = round(width * scale), round(height * scale)
    resized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return Scene(np.asarray(resized, np.uint8), sample.boxes * scale, rotation_from_angles(sample.angles))


Change = Callable[[Scene, float, np.random.Generator], Scene]


@dataclass(frozen=True)
class Condition:
    """A disturbance of an image, and its strength."""

    name: str
    unit: str
    """Unit of `levels`."""
    levels: Sequence[float]
    """Levels of the condition. The easiest level is first."""
    change: Change
    from_plain: bool = True
    """True if undisturbed images are measured before the first level."""


def smaller(scene: Scene, pixels: float, rng: np.random.Generator) -> Scene:
    """Scale the image. After scaling, the largest face has `pixels` pixels in the network's input."""
    return nearer(scene, pixels / INPUT_SIZE, rng)


def nearer(scene: Scene, share: float, rng: np.random.Generator) -> Scene:
    """Scale the image. After scaling, the longer side of the largest face's box is the fraction `share` of the image's
    side. Scaling a photo does not add the perspective of a near face."""
    scale = share * SIDE / (_largest(scene)[2:] - _largest(scene)[:2]).max()
    if scale < 1:  # without this, sampling would skip details
        scene = replace(scene, picture=np.asarray(cv2.GaussianBlur(scene.picture, (0, 0), 0.5 / scale), np.uint8))
    return _moved(scene, np.eye(2) * scale)


def cut(scene: Scene, share: float, rng: np.random.Generator) -> Scene:
    """Shift the image towards one of its four edges. After the shift, the fraction `share` of the largest face's box is
    outside the image."""
    box, middle = _largest(scene), np.full(2, SIDE / 2)
    axis, is_far = rng.integers(2), rng.integers(2)
    inside = (0.5 - share) * (box[2:] - box[:2])[axis]
    middle[axis] = SIDE - inside if is_far else inside
    return _moved(scene, np.eye(2), middle)


def blurred(scene: Scene, sigma: float, rng: np.random.Generator) -> Scene:
    """Blur the image with a Gaussian of `sigma` pixels. The image looks as if it were out of focus."""
    return scene.with_pixels(np.asarray(cv2.GaussianBlur(scene.picture.astype(np.float32), (0, 0), sigma), np.float32))


def noisy(scene: Scene, sigma: float, rng: np.random.Generator) -> Scene:
    """Add Gaussian noise to each colour of every pixel. The noise has a standard deviation of `sigma` levels."""
    return scene.with_pixels(scene.picture + rng.normal(0, sigma, scene.picture.shape))


def darker(scene: Scene, stops: float, rng: np.random.Generator) -> Scene:
    """Divide the light in the image by 2 to the power of `stops`. The result has 8 bits for each colour."""
    return scene.with_pixels(scene.picture * 2 ** (-stops / GAMMA))


def flatter(scene: Scene, contrast: float, rng: np.random.Generator) -> Scene:
    """Multiply the difference between each pixel and the mean colour by `contrast`."""
    mean = scene.picture.mean((0, 1))
    return scene.with_pixels(mean + contrast * (scene.picture - mean))


def compressed(scene: Scene, quality: float, rng: np.random.Generator) -> Scene:
    """Compress the image as JPEG with a quality from 1 to 100."""
    _, data = cv2.imencode(".jpg", scene.picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
    return replace(scene, picture=np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8))


def turned(scene: Scene, degrees: float, rng: np.random.Generator) -> Scene:
    """Turn the image around the largest face, clockwise or anticlockwise."""
    clockwise = degrees * rng.choice([-1, 1])
    cos, sin = np.cos(np.radians(clockwise)), np.sin(np.radians(clockwise))
    moved = _moved(scene, np.array([[cos, -sin], [sin, cos]]))  # y points down: clockwise on the screen
    return replace(moved, rotations=turn_rotation(scene.rotations, clockwise))


def patched(scene: Scene, share: float, rng: np.random.Generator) -> Scene:
    """Cover the fraction `share` of each face's box with an ellipse at a random place. The ellipse has the colour of
    skin and imitates a hand."""
    picture = scene.picture.copy()
    for box in scene.boxes:
        middle, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        halves = size * np.sqrt(share / np.pi)  # half axes of an ellipse with the proportions of the box
        (x0, y0), (x1, y1) = np.clip(np.round([box[:2], box[2:]]).astype(int), 0, picture.shape[1::-1])
        skin = np.median(scene.picture[y0:y1, x0:x1], axis=(0, 1)).tolist()
        middle += rng.uniform(-1, 1, 2) * np.maximum(size / 2 - halves, 0)
        cv2.ellipse(picture, (middle.tolist(), (2 * halves).tolist(), 0.0), skin, cv2.FILLED, cv2.LINE_AA)
    return replace(scene, picture=picture)


def masked(scene: Scene, level: float, rng: np.random.Generator) -> Scene:
    """Draw a surgical mask over nose, mouth and chin of each face. To find the place of the mask, the canonical face is
    turned by the rotation of the label."""
    face, picture = load_canonical(), scene.picture.copy()
    for box, rotation in zip(scene.boxes, scene.rotations, strict=True):
        points = (face.points @ rotation.T)[:, :2] * [1, -1]
        seen = points[face.landmarks]
        points = box[:2] + (points - seen.min(0)) / np.ptp(seen, axis=0) * (box[2:] - box[:2])
        below = points[face.points[:, 1] < face.points[NOSE_TIP, 1] + MASK_TOP]
        outline = cv2.convexHull(np.round(below).astype(np.int32))
        cv2.fillConvexPoly(picture, outline, MASK, cv2.LINE_AA)
    return replace(scene, picture=picture)


def grey(scene: Scene, level: float, rng: np.random.Generator) -> Scene:
    """Convert the image to shades of grey. A camera without colour gives images like this."""
    shades = cv2.cvtColor(scene.picture, cv2.COLOR_RGB2GRAY)
    return replace(scene, picture=np.repeat(shades[..., None], 3, axis=2))


def _largest(scene: Scene) -> Floats:
    """Return the box (4,) of the largest face."""
    return np.asarray(scene.boxes[np.prod(scene.boxes[:, 2:] - scene.boxes[:, :2], axis=1).argmax()])


def _moved(scene: Scene, linear: Floats, middle: Floats | float = SIDE / 2) -> Scene:
    """Transform the image with a matrix (2, 2), and move the middle of the largest face to `middle`. Pixels outside the
    original image get the mean colour of the image. A new box surrounds the ellipse of the old box after the
    transformation."""
    box = _largest(scene)
    shift = middle - linear @ (box[:2] + box[2:]) / 2
    plain = scene.picture.mean((0, 1)).tolist()
    picture = cv2.warpAffine(scene.picture, np.column_stack([linear, shift]), (SIDE, SIDE), borderValue=plain)
    middles = (scene.boxes[:, :2] + scene.boxes[:, 2:]) / 2 @ linear.T + shift
    halves = np.sqrt(((scene.boxes[:, 2:] - scene.boxes[:, :2]) / 2) ** 2 @ np.square(linear).T)
    return Scene(np.asarray(picture, np.uint8), np.hstack([middles - halves, middles + halves]), scene.rotations)


CONDITIONS = (
    Condition("face size", "longer side, pixels of the network's 128", (48, 40, 32, 24, 20, 16, 12), smaller, False),
    Condition("near", "longer side, share of the image's", (0.6, 0.75, 0.9, 1.0), nearer),
    Condition("blur", f"standard deviation, pixels of {SIDE}", (1, 2, 3, 4, 6), blurred),
    Condition("noise", "standard deviation, grey levels", (5, 10, 20, 30, 45), noisy),
    Condition("darkness", "stops, half the light each", (1, 2, 3, 4, 5), darker),
    Condition("contrast", "of the original", (0.5, 0.3, 0.2, 0.1, 0.05), flatter),
    Condition("JPEG", "quality", (50, 25, 15, 8, 4), compressed),
    Condition("turned image", "degrees, either way", (15, 30, 45, 60, 90, 135, 180), turned),
    Condition("covered", "share of the face's box under a patch", (0.1, 0.2, 0.3, 0.4, 0.5), patched),
    Condition("cut by the edge", "share of the face's box beyond it", (0.1, 0.2, 0.3, 0.4), cut),
    Condition("mask", "worn", (1,), masked),
    Condition("grey sensor", "used", (1,), grey),
)
