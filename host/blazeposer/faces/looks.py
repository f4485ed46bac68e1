"""Run the network once or twice on an image. One run of the network on an image is called a "look". A second look
processes the mirror image, and the two results are averaged. A part of a network's error is random and differs between
an image and its mirror image, so the mean is more exact."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from blazeposer.core.contract import MIRRORED_KEYPOINTS
from blazeposer.core.decode import MAX_FACES, centred_boxes, decode, overlaps
from blazeposer.core.face import Face, keypoints_of
from blazeposer.core.prepare import Image
from blazeposer.tflite.interpreter import Network

SAME = 0.3
"""Smallest overlap (intersection over union) of two boxes that belong to the same face, as in `decode`."""
LEAST = 0.1
"""Smallest score that counts in the mean of two runs of the network. A lower score counts as 0."""


def look(
    network: Network, tensor: Image, threshold: float, max_faces: int = MAX_FACES, *, twice: bool = False
) -> list[Face]:
    """Return the faces in the network's input `tensor` (128, 128, 3), with the highest score first. Lengths are
    fractions of the input's side. If `twice` is true, `threshold` applies to the mean of two looks (see
    `mean_faces`)."""
    if not twice:
        return decode(network.outputs(tensor), threshold, max_faces)
    least, most = min(LEAST, threshold), 2 * max_faces
    plain = decode(network.outputs(tensor), least, most)
    other = decode(network.outputs(np.ascontiguousarray(tensor[:, ::-1])), least, most)
    faces = mean_faces(plain, [mirrored(face, 1.0) for face in other])
    return [face for face in faces if face.score >= threshold][:max_faces]


def mirrored(face: Face, width: float) -> Face:
    """Return the face as it appears in the mirror image. `width` is the image's width in the unit of the box."""
    x, y, w, h = face.box
    points = keypoints_of(face.points[list(MIRRORED_KEYPOINTS)] * (-1, 1) + (width, 0))
    return replace(face, box=(width - x - w, y, w, h), keypoints=points, yaw=-face.yaw, roll=-face.roll)


def mean_faces(first: Sequence[Face], second: Sequence[Face]) -> list[Face]:
    """Join the faces from two runs of the network, and return the faces with the highest score first. A face of the
    first run and an overlapping face of the second run become one mean face. The pair with the largest overlap is
    joined first. The score of a face that was found in only one run is halved."""
    table = np.array([overlaps(box, centred_boxes(second)) for box in centred_boxes(first)])
    left, right, faces = set(range(len(first))), set(range(len(second))), []
    while table.size and table.max() > SAME:
        a, b = divmod(int(table.argmax()), len(second))
        faces.append(mean_face(first[a], second[b]))
        table[a], table[:, b] = 0, 0
        left.remove(a)
        right.remove(b)
    alone = [first[a] for a in sorted(left)] + [second[b] for b in sorted(right)]
    faces += [replace(face, score=face.score / 2) for face in alone]
    return sorted(faces, key=lambda face: -face.score)


def mean_face(first: Face, second: Face) -> Face:
    """Return the mean of two faces. The mean rotation is half-way between the two rotations. The mean of the expected
    errors is their geometric mean. The box, the keypoints and the score are arithmetic means."""
    turn = cv2.Rodrigues(second.rotation @ first.rotation.T)[0]
    return Face.of(
        box=np.mean([first.box, second.box], axis=0).tolist(),
        score=(first.score + second.score) / 2,
        points=(first.points + second.points) / 2,
        rotation=cv2.Rodrigues(turn / 2)[0] @ first.rotation,
        err=float(np.sqrt(first.err * second.err)),
    )
