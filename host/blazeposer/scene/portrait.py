"""Draw a portrait of a person whose head can turn. The head is a textured mesh in front of an image of the body."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from blazeposer.core.prepare import Image
from blazeposer.core.rotation import Floats, rotation_from_angles

FACE_POINTS = 468
"""Number of points of MediaPipe's face mesh. These points come first in the portrait's mesh. The other points are on
the hair, the ears and the back of the head."""
HEAD_MIDDLE = np.array([226.0, 108.0])
"""Middle of the head in the portrait, in pixels."""
CAMERA_DISTANCE = 410.0
"""Distance from the camera to the face, in pixels of the portrait. The distance corresponds to about 60 cm. The
perspective is important: MediaPipe's face mesh measures 0.83 of the true yaw with perspective, and only 0.76 without
perspective."""
OVERSAMPLING = 2
"""Factor by which the head is drawn larger than needed and then scaled down, so that its edges become smooth."""


@dataclass(frozen=True)
class Portrait:
    """The images (512 x 512 pixels) and the mesh of the portrait (see `assets/SOURCE.txt`). The mesh's points (n, 3)
    are in pixels, relative to the joint of head and neck."""

    picture: Image
    body: Image  # RGBA
    points: Floats
    texture: NDArray[np.float32]
    triangles: NDArray[np.int32]
    rotation: Floats
    joint: Floats
    """Position in the image where head and neck meet."""

    def turned(self, angles: ArrayLike) -> Floats:
        """Return the mesh (n, 3) of the head that is turned to yaw, pitch and roll, in pixels of the portrait. In the
        returned mesh, x points to the right, y points DOWN, and z points to the viewer."""
        turned = self.points @ rotation_from_angles(angles).T
        return turned * [1, -1, 1] + [*self.joint, 0]

    def placed(self, angles: ArrayLike, scale: float, middle: tuple[float, float]) -> Floats:
        """Return the mesh (n, 3) of the turned head in pixels of the camera's image. The argument `scale` is the head's
        size in the image, divided by the head's size in the portrait. The argument `middle` (x, y) is the position of
        the portrait's point `HEAD_MIDDLE` in the image. The angles are relative to the line from the camera to the
        face, because the face is drawn as if the camera pointed at the face."""
        mesh = self.turned(angles)
        face = mesh[:FACE_POINTS].mean(0)
        near = CAMERA_DISTANCE / (CAMERA_DISTANCE - (mesh - face)[:, 2:])
        seen = face[:2] + (mesh - face)[:, :2] * near + np.array(middle) / scale - HEAD_MIDDLE
        return np.hstack([seen, mesh[:, 2:]]) * scale

    def paste(self, scene: Image, angles: ArrayLike, scale: float, middle: tuple[float, float]) -> None:
        """Draw the person into the array `scene` (h, w, 3). For the other arguments, see `placed`."""
        mesh = self.placed(angles, scale, middle)
        height, width = scene.shape[:2]
        place = np.column_stack([np.eye(2) * scale, np.array(middle) - scale * HEAD_MIDDLE])
        layer = self.body.astype(np.float32)
        layer[..., :3] *= layer[..., 3:] / 255
        _over(scene, np.asarray(cv2.warpAffine(layer, place, (width, height), flags=cv2.INTER_LINEAR), np.float32))

        low = np.floor(mesh[:, :2].min(0)).astype(int) - 1
        high = np.ceil(mesh[:, :2].max(0)).astype(int) + 2
        w, h = (high - low).tolist()
        head = self._head((mesh - [*low, 0]) * OVERSAMPLING, (w * OVERSAMPLING, h * OVERSAMPLING))
        head = np.asarray(cv2.resize(head, (w, h), interpolation=cv2.INTER_AREA), np.float32)
        (left, top), (right, bottom) = (np.clip(corner, 0, [width, height]) for corner in (low, high))
        _over(scene[top:bottom, left:right], head[top - low[1] : bottom - low[1], left - low[0] : right - low[0]])

    def _head(self, mesh: Floats, size: tuple[int, int]) -> NDArray[np.float32]:
        """Draw a mesh, and return an RGBA image of `size` (width, height) with premultiplied alpha. The points of
        `mesh` (n, 3) are in pixels of the returned image."""
        position, seen = rasterize(mesh, self.texture, self.triangles, size)
        colour = cv2.remap(
            self.picture, position[..., 0], position[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        layer = np.dstack([colour, np.full(colour.shape[:2], 255, np.uint8)]).astype(np.float32)
        return layer * seen[..., None]


def rasterize(
    mesh: Floats, texture: NDArray[np.float32], triangles: NDArray[np.int32], size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Find the texture position for each pixel in an image of a mesh. If several triangles cover a pixel, the triangle
    nearest to the viewer counts. The points of `mesh` (n, 3) are in pixels of the image, in a parallel projection. In
    the mesh, x points to the right, y points down, and z points to the viewer. Triangles with anticlockwise corners on
    the screen are not drawn, because they are turned away from the viewer. Return the texture positions (height, width,
    2), and an array (height, width) that is True where the image shows the mesh."""
    width, height = size
    corners = mesh[triangles]
    (ax, ay), (bx, by), (cx, cy) = corners[..., :2].transpose(1, 2, 0)
    facing = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) > 1e-6
    triangles, corners = triangles[facing], corners[facing]
    homogeneous = np.concatenate([corners[..., :2], np.ones_like(corners[..., :1])], axis=2).transpose(0, 2, 1)
    to_weights = np.linalg.inv(homogeneous).astype(np.float32)  # from (x, y, 1) to barycentric weights

    low = np.ceil(corners[..., :2].min(1)).astype(int).clip(0)
    high = np.floor(corners[..., :2].max(1)).astype(int).clip(None, [width - 1, height - 1])
    extent = (high - low + 1).clip(0)
    count = extent.prod(1)
    owner = np.repeat(np.arange(len(count)), count)  # the triangle of each candidate pixel
    step = np.arange(len(owner)) - np.repeat(count.cumsum() - count, count)
    row, column = np.divmod(step, extent[owner, 0])
    x, y = low[owner, 0] + column, low[owner, 1] + row
    x32, y32 = x.astype(np.float32), y.astype(np.float32)
    weights = [
        to_weights[owner, k, 0] * x32 + to_weights[owner, k, 1] * y32 + to_weights[owner, k, 2] for k in range(3)
    ]
    inside = np.flatnonzero(np.minimum(np.minimum(weights[0], weights[1]), weights[2]) > -1e-4)

    owner, pixel = owner[inside], (y * width + x)[inside]
    weight = np.stack([w[inside] for w in weights], axis=1)
    depth = np.einsum("nk,nk->n", weight, corners[..., 2].astype(np.float32)[owner])
    order = np.argsort(depth, kind="stable")  # the nearest pixel is last, so that it overwrites the others
    position = np.zeros((height * width, 2), np.float32)
    position[pixel[order]] = np.einsum("nk,nkj->nj", weight, texture[triangles[owner]])[order]
    seen = np.zeros(height * width, np.bool_)
    seen[pixel] = True
    return position.reshape(height, width, 2), seen.reshape(height, width)


@cache
def load_portrait() -> Portrait:
    with as_file(files("blazeposer.scene") / "assets") as folder:
        picture, body = (
            np.asarray(cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED), np.uint8)
            for name in ("head.webp", "body.webp")
        )
        with np.load(folder / "head.npz") as head:
            arrays = {name: head[name] for name in head.files}
    return Portrait(picture=picture[..., ::-1].copy(), body=body[..., [2, 1, 0, 3]], **arrays)


def _over(scene: Image, layer: NDArray[np.float32]) -> None:
    """Draw an RGBA image, whose colours are premultiplied with alpha, over `scene`."""
    scene[:] = (layer[..., :3] + scene * (1 - layer[..., 3:] / 255)).round().clip(0, 255).astype(np.uint8)
