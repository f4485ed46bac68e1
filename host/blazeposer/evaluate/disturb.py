"""Disturb labelled images, which are first scaled so that their longer side has `SIDE` pixels. In this way, blur, noise
and compression have the same strength in all images."""

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
"""Length of the longer side of the images in pixels, as on a camera (`WINDOW`)."""
GAMMA = 2.2
"""Exponent that converts a pixel's value to an amount of light, an approximation of sRGB."""
MASK = (176, 205, 222)
"""Colour of a surgical mask."""
MASK_TOP = 0.3
"""Height of the mask's upper edge. The tip of the nose has the height 0, and the root of the nose has the height
0.6."""


@dataclass(frozen=True)
class Scene:
    """An image (h, w, 3) with the boxes (n, 4) and rotations (n, 3, 3) of its faces. A box is x0, y0, x1, y1."""

    picture: Image
    boxes: Floats
    rotations: Floats

    def with_pixels(self, values: NDArray[np.floating]) -> "Scene":
        return replace(self, picture=np.round(values).clip(0, 255).astype(np.uint8))


def scene_of(sample: Sample) -> Scene:
    """Convert an image of a data set to a scene whose longer side has `SIDE` pixels."""
    picture = sample.load()
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    size = round(width * scale), round(height * scale)
    resized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return Scene(np.asarray(resized, np.uint8), sample.boxes * scale, rotation_from_angles(sample.angles))


Change = Callable[[Scene, float, np.random.Generator], Scene]


@dataclass(frozen=True)
class Condition:
    name: str
    unit: str
    levels: Sequence[float]
    """Levels of the disturbance, from the weakest to the strongest."""
    change: Change
    from_plain: bool = True
    """True if the plot of `sheet.py` also shows the errors on undisturbed images, before the first level."""


def smaller(scene: Scene, pixels: float, rng: np.random.Generator) -> Scene:
    """Scale the image so that the longer side of the largest face has `pixels` pixels in the network's input."""
    return nearer(scene, pixels / INPUT_SIZE, rng)


def nearer(scene: Scene, share: float, rng: np.random.Generator) -> Scene:
    """Scale the image so that the longer side of the largest face is `share` times as long as the image's side. Scaling
    does not imitate the strong perspective of a face close to a camera."""
    scale = share * SIDE / (_largest(scene)[2:] - _largest(scene)[:2]).max()
    if scale < 1:  # without this, sampling would skip details
        scene = replace(scene, picture=np.asarray(cv2.GaussianBlur(scene.picture, (0, 0), 0.5 / scale), np.uint8))
    return _moved(scene, np.eye(2) * scale)


def cut(scene: Scene, share: float, rng: np.random.Generator) -> Scene:
    """Shift the image to a random side, so that the fraction `share` of the largest face's box is outside the image."""
    box, middle = _largest(scene), np.full(2, SIDE / 2)
    axis, is_far = rng.integers(2), rng.integers(2)
    inside = (0.5 - share) * (box[2:] - box[:2])[axis]
    middle[axis] = SIDE - inside if is_far else inside
    return _moved(scene, np.eye(2), middle)


def blurred(scene: Scene, sigma: float, rng: np.random.Generator) -> Scene:
    """Blur the image with a Gaussian filter that has a standard deviation of `sigma` pixels."""
    return scene.with_pixels(np.asarray(cv2.GaussianBlur(scene.picture.astype(np.float32), (0, 0), sigma), np.float32))


def noisy(scene: Scene, sigma: float, rng: np.random.Generator) -> Scene:
    """Add Gaussian noise with the standard deviation `sigma` to each colour of every pixel (0 to 255)."""
    return scene.with_pixels(scene.picture + rng.normal(0, sigma, scene.picture.shape))


def darker(scene: Scene, stops: float, rng: np.random.Generator) -> Scene:
    """Divide the amount of light by 2 to the power of `stops`. Rounding leaves fewer different pixel values."""
    return scene.with_pixels(scene.picture * 2 ** (-stops / GAMMA))


def flatter(scene: Scene, contrast: float, rng: np.random.Generator) -> Scene:
    """Multiply the difference between each pixel and the image's mean colour by `contrast`."""
    mean = scene.picture.mean((0, 1))
    return scene.with_pixels(mean + contrast * (scene.picture - mean))


def compressed(scene: Scene, quality: float, rng: np.random.Generator) -> Scene:
    _, data = cv2.imencode(".jpg", scene.picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
    return replace(scene, picture=np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8))


def turned(scene: Scene, degrees: float, rng: np.random.Generator) -> Scene:
    """Rotate the image by `degrees` around the middle of the largest face, in a random direction."""
    clockwise = degrees * rng.choice([-1, 1])
    cos, sin = np.cos(np.radians(clockwise)), np.sin(np.radians(clockwise))
    moved = _moved(scene, np.array([[cos, -sin], [sin, cos]]))  # y points down: clockwise on the screen
    return replace(moved, rotations=turn_rotation(scene.rotations, clockwise))


def patched(scene: Scene, share: float, rng: np.random.Generator) -> Scene:
    """Cover the fraction `share` of each face's box with an ellipse at a random place in the box. The ellipse has the
    colour of the face, and imitates a hand in front of the face."""
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
    """Draw a surgical mask over the nose, the mouth and the chin of each face. The outline of the mask comes from the
    canonical face (an average face mesh), which is rotated by the labelled rotation."""
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
    """Convert the image to shades of grey, as from a camera without colour."""
    shades = cv2.cvtColor(scene.picture, cv2.COLOR_RGB2GRAY)
    return replace(scene, picture=np.repeat(shades[..., None], 3, axis=2))


def _largest(scene: Scene) -> Floats:
    return np.asarray(scene.boxes[np.prod(scene.boxes[:, 2:] - scene.boxes[:, :2], axis=1).argmax()])


def _moved(scene: Scene, linear: Floats, middle: Floats | float = SIDE / 2) -> Scene:
    """Transform the image with the matrix `linear` (2, 2), and shift the middle of the largest face to `middle`. Pixels
    outside the original image get its mean colour. The new box of a face encloses the transformed ellipse that fits
    into its old box."""
    box = _largest(scene)
    shift = middle - linear @ (box[:2] + box[2:]) / 2
    plain = scene.picture.mean((0, 1)).tolist()
    picture = cv2.warpAffine(scene.picture, np.column_stack([linear, shift]), (SIDE, SIDE), borderValue=plain)
    middles = (scene.boxes[:, :2] + scene.boxes[:, 2:]) / 2 @ linear.T + shift
    halves = np.sqrt(((scene.boxes[:, 2:] - scene.boxes[:, :2]) / 2) ** 2 @ np.square(linear).T)
    return Scene(np.asarray(picture, np.uint8), np.hstack([middles - halves, middles + halves]), scene.rotations)


CONDITIONS = (
    Condition("face size", "longer side, pixels of the 128x128 input", (48, 40, 32, 24, 20, 16, 12), smaller, False),
    Condition("near", "longer side, fraction of the image side", (0.6, 0.75, 0.9, 1.0), nearer),
    Condition("blur", f"standard deviation, pixels of {SIDE}x{SIDE}", (1, 2, 3, 4, 6), blurred),
    Condition("noise", "standard deviation, grey levels", (5, 10, 20, 30, 45), noisy),
    Condition("darkness", "stops (each stop halves the light)", (1, 2, 3, 4, 5), darker),
    Condition("contrast", "fraction of the original contrast", (0.5, 0.3, 0.2, 0.1, 0.05), flatter),
    Condition("JPEG", "quality", (50, 25, 15, 8, 4), compressed),
    Condition("turned image", "degrees, clockwise or anticlockwise", (15, 30, 45, 60, 90, 135, 180), turned),
    Condition("covered", "covered fraction of the face's box", (0.1, 0.2, 0.3, 0.4, 0.5), patched),
    Condition("cut by the edge", "fraction of the face's box", (0.1, 0.2, 0.3, 0.4), cut),
    Condition("mask", "worn", (1,), masked),
    Condition("grey sensor", "used", (1,), grey),
)
