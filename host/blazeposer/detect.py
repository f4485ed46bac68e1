"""Find the faces in a picture: prepare, run, decode, and back to the picture's pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from blazeposer.contract import SCORE_THRESHOLD
from blazeposer.decode import MAX_FACES, Face, decode
from blazeposer.interpreter import Runtime, open_network
from blazeposer.prepare import Image, camera_input, clean_input, square_crop, square_pad
from blazeposer.resources import default_model

InputPath = Literal["clean", "camera"]


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
        if self.input == "camera":
            square, (x, y, side) = square_crop(image)
            tensor = camera_input(square)
        else:
            square, (x, y, side) = square_pad(image)
            tensor = clean_input(square)
        faces = decode(self.network.outputs(tensor), self.threshold, self.max_faces)
        return [face.moved(x, y, side, side) for face in faces]
