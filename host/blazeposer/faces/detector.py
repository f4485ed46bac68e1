"""Find the faces in an image: prepare, run, decode, and back to the image's pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import numpy as np

from blazeposer.core.contract import SCORE_THRESHOLD
from blazeposer.core.decode import MAX_FACES, check_threshold
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image, Order, as_rgb, camera_input, clean_input, square_crop, square_pad
from blazeposer.core.resources import default_model
from blazeposer.faces import looks
from blazeposer.tflite.interpreter import Runtime, open_network

InputPath = Literal["clean", "camera"]
Region = tuple[int, int, int]
"""A square inside an image: x, y, side in pixels."""


class Detector:
    """Calls with an image return its faces in pixels of it, best first.

    An image is an array (h, w, 3) uint8, RGB unless `order` is "bgr"; grey, alpha and floats from 0 to 1 are taken too
    (`prepare.as_rgb`), anything else raises InputError. With the input `clean` the whole image is seen, padded to a
    square; with `camera` only its centred square, sampled as a camera does it. `model` is a tflite file, by default the
    INT8 one that comes with the package. The runtime `xnnpack` is fast, `reference` equals a camera's. A face counts
    from the score `threshold` on. `careful` takes the mean of two looks, the second at the mirror image: nearer to the
    truth, for twice the time.
    """

    def __init__(
        self,
        model: Path | str | None = None,
        runtime: Runtime = "xnnpack",
        input: InputPath = "clean",
        threshold: float = SCORE_THRESHOLD,
        max_faces: int = MAX_FACES,
        order: Order = "rgb",
        careful: bool = False,
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

    def __call__(self, image: object) -> list[Face]:
        """Return the faces of an image."""
        return self.look(as_rgb(image, self.order), None, self.threshold)

    def look(self, image: Image, region: Region | None, threshold: float, *, mirror: bool = False) -> list[Face]:
        """Return the faces of another threshold that are seen in a region only; None is what a call sees.

        The image is (h, w, 3) uint8 RGB, whatever `order` says. `mirror` looks at its mirror image; the faces are those
        of the image itself.
        """
        if region:
            x, y, side = region
            square = image[y : y + side, x : x + side]
        else:
            square, (x, y, side) = square_crop(image) if self.input == "camera" else square_pad(image)
        tensor = camera_input(square) if self.input == "camera" else clean_input(square)
        if mirror:
            tensor = np.ascontiguousarray(tensor[:, ::-1])
        faces = looks.look(self.network, tensor, threshold, self.max_faces, twice=self.careful)
        faces = [looks.mirrored(face, 1.0) for face in faces] if mirror else faces
        return [face.moved(x, y, side, side) for face in faces]
