"""Find the faces in an image."""

from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from blazeposer.core.contract import SCORE_THRESHOLD
from blazeposer.core.decode import MAX_FACES, check_threshold
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.face import Face
from blazeposer.core.prepare import (
    Image,
    Order,
    as_rgb,
    camera_input,
    clean_input,
    square_at,
    square_crop,
    square_pad,
)
from blazeposer.core.resources import default_model
from blazeposer.faces import looks
from blazeposer.faces.search import Region, search, smallest_face
from blazeposer.tflite.interpreter import Runtime, open_network

InputPath = Literal["clean", "camera"]


class Detector:
    """A detector of faces. A detector that is called with an image returns the faces in the image, with the highest
    score first. Lengths are in pixels.

    The detector expects an image as an array (h, w, 3) of uint8. The channels are RGB, or BGR if `order` is "bgr". The
    detector also accepts grey images, images with alpha, and images with floats from 0 to 1 (see `prepare.as_rgb`).
    Other arrays raise InputError. By default, the detector runs the network on many parts of the image to find small
    faces. If `fast` is true, the network runs only once, on the whole image, which is padded to a square. If `input` is
    "camera", the network runs only once, on the centred square of the image, in the lower image quality of a camera.
    `model` is a tflite file, by default the INT8 file of the package. The runtime `xnnpack` is fast, and the runtime
    `reference` gives the same results as a camera. Faces with a score below `threshold` are left out. `max_faces` is
    the largest number of returned faces. If `max_faces` is None, one run of the network finds at most 4 faces, and a
    search for small faces can return any number of faces. If `careful` is true, the detector returns the mean of the
    results for the image and its mirror image. The mean is more exact, but takes twice the time.
    """

    def __init__(
        self,
        model: Path | str | None = None,
        runtime: Runtime = "xnnpack",
        input: InputPath = "clean",
        threshold: float = SCORE_THRESHOLD,
        max_faces: int | None = None,
        order: Order = "rgb",
        careful: bool = False,
        fast: bool = False,
    ) -> None:
        check_threshold(threshold)
        if input not in get_args(InputPath):
            raise BlazePoserError(f"there is no input {input!r}: give {' or '.join(get_args(InputPath))}")
        self.network = open_network(model or default_model(), runtime)
        self.input = input
        self.threshold = threshold
        self.max_faces = max_faces
        self.order: Order = order
        self.careful = careful
        self.fast = fast or input == "camera"

    def __call__(self, image: object) -> list[Face]:
        rgb = as_rgb(image, self.order)
        if self.fast:
            return self.look(rgb, None, self.threshold)
        height, width = rgb.shape[:2]
        return search(partial(self.look, rgb), width, height, self.threshold)[: self.max_faces]

    def smallest_face(self, width: int, height: int) -> int:
        """Return the size in pixels of the smallest face that the detector finds in an image of `width` x `height`
        pixels."""
        if self.input == "camera":
            width = height = min(width, height)
        return smallest_face(width, height, fast=self.fast)

    def look(self, image: Image, region: Region | None, threshold: float, *, mirror: bool = False) -> list[Face]:
        """Run the network on a region of an RGB image (h, w, 3), and return the faces with a score of at least
        `threshold`. If `region` is None and `input` is "clean", the region is the whole image, padded to a square. If
        `region` is None and `input` is "camera", the region is the largest square in the middle of the image. If
        `mirror` is true, the network processes the mirror image of the region, but the faces have their positions and
        angles in the original image."""
        if region:
            x, y, side = region
            square = square_at(image, x, y, side)
        else:
            square, (x, y, side) = square_crop(image) if self.input == "camera" else square_pad(image)
        tensor = camera_input(square) if self.input == "camera" else clean_input(square)
        if mirror:
            tensor = np.ascontiguousarray(tensor[:, ::-1])
        faces = looks.look(self.network, tensor, threshold, self.max_faces or MAX_FACES, twice=self.careful)
        faces = [looks.mirrored(face, 1.0) for face in faces] if mirror else faces
        return [face.moved(x, y, side, side) for face in faces]
