"""Define the reference decoder, which converts the network's outputs to faces. The page docs/how.md explains the
decoder. On a camera, `board/blazeposer.py` decodes the outputs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blazeposer.core.contract import (
    BOX_VALUES,
    KEYPOINTS,
    OUTPUTS,
    OVERLAP_THRESHOLD,
    REGRESSOR_UNIT,
    REGRESSOR_VALUES,
    SCORE_THRESHOLD,
    anchors,
    cell_of_anchor,
)
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.face import Face
from blazeposer.core.rotation import Floats, rotation_from_six

MAX_FACES = 4

_INDEX = {output.name: index for index, output in enumerate(OUTPUTS)}
_CELL = cell_of_anchor()
# Origin of each regressor value: the anchor's centre for points, and 0 for width and height.
_ORIGIN = np.tile(anchors().astype(np.float64), REGRESSOR_VALUES // 2)
_ORIGIN[:, 2:BOX_VALUES] = 0


def decode(
    outputs: Sequence[NDArray[np.floating]], threshold: float = SCORE_THRESHOLD, max_faces: int = MAX_FACES
) -> list[Face]:
    """Find the faces in the network's outputs. `outputs` contains eight dequantized arrays in the order of
    `contract.OUTPUTS`. The face with the highest score comes first. Lengths are fractions of the side of the network's
    input. Raises BlazePoserError if `threshold` is not a probability above 0 and below 1."""
    check_threshold(threshold)
    logits = _both_maps(outputs, "scores")[:, 0]
    survivors = np.flatnonzero(logits >= np.log(threshold / (1 - threshold)))
    survivors = survivors[np.argsort(-logits[survivors], kind="stable")]  # for equal scores, the lower index is first
    scores = 1 / (1 + np.exp(-logits[survivors]))
    shapes = _both_maps(outputs, "regressors")[survivors] / REGRESSOR_UNIT + _ORIGIN[survivors]
    poses = np.hstack([_both_maps(outputs, "rotation"), _both_maps(outputs, "error")])
    values = np.hstack([shapes, poses[_CELL[survivors]]])

    faces: list[Face] = []
    while len(values) and len(faces) < max_faces:
        group = overlaps(values[0, :BOX_VALUES], values[:, :BOX_VALUES]) > OVERLAP_THRESHOLD
        group[0] = True  # the best anchor is always in its group, even if its box is empty
        faces.append(_face(np.average(values[group], axis=0, weights=scores[group]), float(scores[0])))
        values, scores = values[~group], scores[~group]
    return faces


def check_threshold(threshold: float) -> None:
    """Raise BlazePoserError if a threshold is not a probability above 0 and below 1."""
    if not 0 < threshold < 1:
        raise BlazePoserError(f"the threshold is {threshold:g}: give a probability above 0 and below 1")


def overlaps(box: Floats, boxes: Floats) -> Floats:
    """Return the intersection over union of a box (centre x, centre y, width, height) with each of n boxes (n, 4)."""
    half, halves = box[2:] / 2, boxes[:, 2:] / 2
    low = np.maximum(box[:2] - half, boxes[:, :2] - halves)
    high = np.minimum(box[:2] + half, boxes[:, :2] + halves)
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    union = np.prod(box[2:]) + np.prod(boxes[:, 2:], axis=1) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def centred_boxes(faces: Sequence[Face]) -> Floats:
    """Return the boxes of n faces as an array (n, 4) with centre x, centre y, width and height."""
    boxes = np.array([face.box for face in faces], np.float64).reshape(-1, BOX_VALUES)
    return np.hstack([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]])


def _face(values: Floats, score: float) -> Face:
    cx, cy, w, h = values[:BOX_VALUES].tolist()
    points = values[BOX_VALUES:REGRESSOR_VALUES].reshape(len(KEYPOINTS), 2)
    rotation = rotation_from_six(values[REGRESSOR_VALUES:-1])
    return Face.of((cx - w / 2, cy - h / 2, w, h), score, points, rotation, np.exp(values[-1]))


def _both_maps(outputs: Sequence[NDArray[np.floating]], kind: str) -> Floats:
    """Return the rows of one kind of output (for example "scores") from the feature maps of 16x16 and 8x8 cells. The
    rows of the 16x16 feature map come first."""
    return np.concatenate([outputs[_INDEX[f"{kind}_{side}"]][0] for side in (16, 8)]).astype(np.float64)
