"""Made-up pools in the published layout: drawn faces, or an image given."""

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

COLUMNS = ["file", "width", "height", "x0", "y0", "x1", "y1", "yaw", "pitch", "roll", "geodesic_spread", "split"]
DRAWN = {"width": 96, "height": 96, "x0": 22, "y0": 26, "x1": 74, "y1": 82}


def write_pool(
    folder: Path, name: str, rows: Sequence[Mapping[str, object]], picture: NDArray[np.uint8] | None = None
) -> None:
    """Write pool `name`: each row is a face with an image of its own, a drawn one unless an RGB `picture` is given."""
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        for number, row in enumerate(rows):
            image = drawn_face(number) if picture is None else picture
            archive.writestr(str(row["file"]), cv2.imencode(".png", image[..., ::-1])[1].tobytes())
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows([{**DRAWN, **row} for row in rows])
    (folder / f"{name}.csv").write_text(text.getvalue())
    corners = np.array([[DRAWN["x0"], DRAWN["y0"]], [DRAWN["x1"], DRAWN["y1"]]] * 34, np.float16)
    np.save(folder / f"{name}_landmarks68.npy", np.broadcast_to(corners, (len(rows), 68, 2)))


def write_backgrounds(folder: Path, name: str = "faceless") -> None:
    """Write `faceless.zip`, or another: four plain images, of which the even ones are for training."""
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        for number in range(4):
            picture = np.full((140, 160, 3), 40 * number, np.uint8)
            archive.writestr(f"{number:06d}.png", cv2.imencode(".png", picture)[1].tobytes())


def drawn_face(seed: int) -> NDArray[np.uint8]:
    """(96, 96, 3) RGB: a disc with eyes and mouth on noise."""
    image = np.random.default_rng(seed).integers(60, 90, (96, 96, 3)).astype(np.uint8)
    cv2.ellipse(image, (48, 48), (26, 34), 0, 0, 360, (210, 170, 140), -1)
    for x in (38, 58):
        cv2.circle(image, (x, 40), 4, (30, 30, 30), -1)
    cv2.ellipse(image, (48, 64), (10, 4), 0, 0, 360, (160, 60, 60), -1)
    return image
