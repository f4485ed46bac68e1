"""Find the faces in a picture: prepare, run, decode, and back to the picture's pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from blazeposer.core.contract import SCORE_THRESHOLD
from blazeposer.core.decode import MAX_FACES, decode
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image, camera_input, clean_input, square_crop, square_pad
from blazeposer.core.resources import default_model
from blazeposer.tflite.interpreter import Runtime, open_network

InputPath = Literal["clean", "camera"]
Region = tuple[int, int, int]
"""A square inside a picture: x, y, side in pixels."""


class Detector:
    """Calls with a picture (h, w, 3) uint8 RGB return its faces in pixels of it, best first.

    With the input `clean` the whole picture is seen, padded to a square; with `camera` only its centred square, sampled
    as a camera does it. `model` is a tflite file, by default the INT8 one that comes with the package.
    """

    def __init__(
        self,
        model: Path | str | None = None,
        runtime: Runtime = "reference",
        input: InputPath = "clean",
        threshold: float = SCORE_THRESHOLD,
        max_faces: int = MAX_FACES,
    ) -> None:
        self.network = open_network(model or default_model(), runtime)
        self.input = input
        self.threshold = threshold
        self.max_faces = max_faces

    def __call__(self, image: Image) -> list[Face]:
        return self.look(image, None, self.threshold)

    def look(self, image: Image, region: Region | None, threshold: float) -> list[Face]:
        """Faces of another threshold, seen in a region only; None is what a call sees."""
        if region:
            x, y, side = region
            square = image[y : y + side, x : x + side]
        else:
            square, (x, y, side) = square_crop(image) if self.input == "camera" else square_pad(image)
        tensor = camera_input(square) if self.input == "camera" else clean_input(square)
        faces = decode(self.network.outputs(tensor), threshold, self.max_faces)
        return [face.moved(x, y, side, side) for face in faces]
