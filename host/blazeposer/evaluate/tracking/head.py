"""Where the network sees a head's keypoints:  python -m blazeposer.evaluate.tracking.head [--data DIR]

Prints `HEAD` of `blazeposer.faces.position`. The network's keypoints are not quite the points of MediaPipe's
canonical face: its ears, for one, lie nearer to each other. The six points are those whose turned, scaled and shifted
pictures (parallel projection) best fit what the network finds on faces of the pools' `train` split, turned as labelled;
least squares, symmetric. Their size comes from the distance of the canonical face's eyes, their middle from its points.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from rich.progress import track

from blazeposer.core.console import Console
from blazeposer.core.contract import KEYPOINTS, MIRRORED_KEYPOINTS
from blazeposer.core.rotation import Floats
from blazeposer.evaluate.datasets.pool import data_folder, read_pool
from blazeposer.evaluate.metrics import match
from blazeposer.evaluate.peers.pnp import FACE_POINTS
from blazeposer.faces.detector import Detector

POOLS = ("human", "mtfl", "aflw", "udacity", "utk")
"""Whose photos show more than the face."""
SAMPLED = 600
"""Faces of each."""
CERTAIN = 4.0
"""Largest spread of a label, degrees."""
FARTHEST = 60.0
"""Largest |angle|, degrees."""
ROUNDS = 50


def collect(folder: Path) -> tuple[Floats, Floats]:
    """Keypoints (n, 6, 2), y up, and labelled rotations (n, 3, 3). Raises BlazePoserError when a pool is missing."""
    detector = Detector(runtime="xnnpack")
    points, rotations = [], []
    for name in POOLS:
        pool = read_pool(folder, name, "train")
        usable = np.flatnonzero((pool.spread < CERTAIN) & (np.abs(pool.angles).max(axis=1) < FARTHEST))
        for i in track(usable[:: max(1, len(usable) // SAMPLED)], description=name, console=Console(stderr=True)):
            photo = pool.images[pool.image_of[i]]
            height, width = photo.shape[:2]
            faces = [face.moved(0, 0, 1 / width, 1 / height) for face in detector(photo)]
            if face := match(faces, pool.boxes[i] / (width, height, width, height)):
                points.append(face.points * (width, -height))
                rotations.append(pool.rotations[i])
    return np.array(points), np.array(rotations)


def fit(points: Floats, rotations: Floats) -> Floats:
    """(6, 3) centimetres: the head whose pictures the keypoints (n, 6, 2) are."""
    assumed = np.array([FACE_POINTS[name] for name in KEYPOINTS])
    seen = points - points.mean(axis=1, keepdims=True)
    axes = rotations[:, :2]
    head = assumed - assumed.mean(0)
    for _ in range(ROUNDS):
        drawn = np.einsum("nij,kj->nki", axes, head)
        scale = (seen * drawn).sum((1, 2)) / np.square(drawn).sum((1, 2))
        rows = (axes * scale[:, None, None]).reshape(-1, 3)
        head = np.linalg.lstsq(rows, seen.transpose(0, 2, 1).reshape(-1, len(KEYPOINTS)), rcond=None)[0].T
        head = (head + head[list(MIRRORED_KEYPOINTS)] * [-1, 1, 1]) / 2
        head *= np.linalg.norm(assumed[1] - assumed[0]) / np.linalg.norm(head[1] - head[0])
    return np.asarray(head - head.mean(0) + assumed.mean(0))


@click.command()
@click.option("--data", help="Folder of the pools (default: BLAZEPOSER_DATA).")
def main(data: str | None) -> None:
    """Print the points."""
    points, rotations = collect(data_folder(data))
    print(len(points), "faces")
    for name, point in zip(KEYPOINTS, fit(points, rotations).round(2).tolist(), strict=True):
        print(f"    {tuple(point)},  # {name}")


if __name__ == "__main__":
    main()
