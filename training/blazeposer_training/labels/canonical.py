"""Make the teacher's canonical face:  python -m blazeposer_training.labels.canonical [--data DIR]

Run once; the file that it writes, `canonical_face.npz` of the peers, is committed. It is made of figures from
the `train` split of the pools, so that the teacher's zero is that of their labels, which is 300W-LP's:

    points      the mean mesh of faces whose labelled angles are all within 25 degrees and certain, each turned back by
                its label, made symmetric
    landmarks   for each iBUG landmark the mesh point that is on average nearest to it in the picture, over certain
                faces within 60 degrees: turned ones too, so that the depth fits as well. An approximation: the jaw's
                landmarks have no fixed place on a face
    yaw_gain    the median ratio of labelled yaw to the yaw that the mesh shows, over certain faces turned by 15 to 60
                degrees: the crop's perspective and the flat depth of the mesh hide a part of every turn
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import track

from blazeposer.core.rotation import angles_from_rotation, rotation_from_angles
from blazeposer.evaluate.datasets.pool import data_folder, read_pool
from blazeposer.evaluate.metrics import match
from blazeposer.evaluate.peers.canonical import CANONICAL_PATH, Canonical
from blazeposer.evaluate.peers.mediapipe import MESH_POINTS, FaceMesh

from .teacher import LOOKS, MOST_FACES, Floats, meshes, partners

POOLS = ("human", "mtfl", "aflw", "udacity", "utk")
"""Pools whose photos show more than the face, at 120 pixels or more."""
SAMPLED = 1500
"""Taken from each pool, evenly over it."""
CERTAIN = 4.0
"""Largest spread, degrees, among the label's own teachers."""
NEAR = 25.0
"""Largest |angle|, degrees, of the faces that `points` is made of."""
TURNED = (15.0, 60.0)
UNMIRRORED = [index for index, look in enumerate(LOOKS) if not look[3]]


@dataclass(frozen=True)
class Samples:
    """Certain faces and what the mesh network sees of them: a row a face and unmirrored look."""

    meshes: Floats
    """(n, 468, 3), axes of `Canonical.points`, middle at 0, mean square distance from it 1."""
    landmarks: Floats
    """(n, 68, 2), the label's, in the same unit and place."""
    angles: Floats
    """(n, 3), the label's."""


def collect(folder: Path) -> Samples:
    """What the mesh network sees of the certain faces of `POOLS`. Raises BlazePoserError when a pool is missing."""
    networks = FaceMesh()
    points, landmarks, angles = [], [], []
    for name in POOLS:
        pool = read_pool(folder, name, "train")
        chosen = np.unique(np.linspace(0, len(pool) - 1, SAMPLED).astype(int))
        for i in track(chosen, description=name, console=Console(stderr=True)):
            photo = pool.images[pool.image_of[i]]
            face = match(networks.faces(photo, MOST_FACES), pool.boxes[i]) if pool.spread[i] < CERTAIN else None
            found = None if face is None else meshes(networks, photo, face)
            if found is None:
                continue
            for mesh in found[UNMIRRORED] * [1, -1, 1]:
                middle = mesh.mean(0)
                unit = np.sqrt(np.square(mesh - middle).sum(1).mean())
                points.append((mesh - middle) / unit)
                landmarks.append((pool.landmarks[i] * [1, -1] - middle[:2]) / unit)
                angles.append(pool.angles[i])
    return Samples(np.array(points), np.array(landmarks), np.array(angles))


def make(samples: Samples) -> Canonical:
    """The canonical face of the samples; see the module."""
    largest = np.abs(samples.angles).max(1)
    near = largest < NEAR
    points = (samples.meshes[near] @ rotation_from_angles(samples.angles[near])).mean(0)
    points = (points + points[partners(points)] * [-1, 1, 1]) / 2

    within = largest < TURNED[1]
    # Point by point: all 68 x 468 distances of all faces would take gigabytes.
    distance = [
        np.linalg.norm(samples.meshes[within, point, None, :2] - samples.landmarks[within], axis=-1).mean(0)
        for point in range(MESH_POINTS)
    ]
    straight = Canonical(points, np.argmin(distance, axis=0), yaw_gain=1.0)

    turned = within & (np.abs(samples.angles[:, 0]) > TURNED[0])
    seen = angles_from_rotation(np.array([straight.rotation(mesh) for mesh in samples.meshes[turned]]))
    return replace(straight, yaw_gain=float(np.median(samples.angles[turned, 0] / seen[:, 0])))


@click.command()
@click.option("--data", "folder", help="Folder of the pools (default: BLAZEPOSER_DATA).")
def command(folder: str | None) -> None:
    """Make the teacher's canonical face anew."""
    samples = collect(data_folder(folder))
    face = make(samples)
    np.savez_compressed(
        CANONICAL_PATH,
        points=face.points.astype(np.float32),
        landmarks=face.landmarks.astype(np.int16),
        yaw_gain=face.yaw_gain,
    )
    near, within = (np.abs(samples.angles).max(1) < limit for limit in (NEAR, TURNED[1]))
    print(f"{near.sum()} near and {within.sum()} turned of {len(within)} looks; yaw gain {face.yaw_gain:.3f}")


if __name__ == "__main__":
    command()
