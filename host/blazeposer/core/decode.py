"""Convert the network's outputs to faces with the reference decoder. `board/blazeposer.py` is the camera's decoder.

1. The decoder keeps every anchor with a score that reaches the threshold.
2. The regressors of an anchor, divided by 128, are the box's centre, width and height, and six keypoints. The box's
   centre and the keypoints are relative to the anchor's centre.
3. Weighted non-maximum suppression joins the kept anchors ("blending" in Bazarevsky et al., "BlazeFace", 2019). The
   anchor with the highest score forms a group with all kept anchors whose boxes overlap its box by more than 0.3
   (intersection over union). The box, the keypoints, the six rotation values and the logarithm of the expected error
   of a face are the means of its group, weighted by score.
4. The Gram-Schmidt method converts the six mean rotation values into a rotation matrix, which gives the angles (see
   `rotation.py`). The exponential of the mean logarithm is the expected error in degrees.
"""

from __future__ import annotations

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
    """Return the faces in the eight dequantized outputs (in contract order), with the highest score first. Lengths are
    fractions of the input's side. Raises BlazePoserError if `threshold` is not a probability above 0 and below 1.
    """
    check_threshold(threshold)
    logits = _both_maps(outputs, "scores")[:, 0]
    survivors = np.flatnonzero(logits >= np.log(threshold / (1 - threshold)))
    survivors = survivors[np.argsort(-logits[survivors], kind="stable")]  # for equal scores, the lower anchor is first
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
    """Return the intersection over union (n,) of one box (4,) with boxes (n, 4). Each box is cx, cy, w, h."""
    half, halves = box[2:] / 2, boxes[:, 2:] / 2
    low = np.maximum(box[:2] - half, boxes[:, :2] - halves)
    high = np.minimum(box[:2] + half, boxes[:, :2] + halves)
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    union = np.prod(box[2:]) + np.prod(boxes[:, 2:], axis=1) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def centred_boxes(faces: Sequence[Face]) -> Floats:
    """Return the boxes (n, 4) of faces as cx, cy, w, h."""
    boxes = np.array([face.box for face in faces], np.float64).reshape(-1, BOX_VALUES)
    return np.hstack([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]])


def _face(values: Floats, score: float) -> Face:
    cx, cy, w, h = values[:BOX_VALUES].tolist()
    points = values[BOX_VALUES:REGRESSOR_VALUES].reshape(len(KEYPOINTS), 2)
    rotation = rotation_from_six(values[REGRESSOR_VALUES:-1])
    return Face.of((cx - w / 2, cy - h / 2, w, h), score, points, rotation, np.exp(values[-1]))


def _both_maps(outputs: Sequence[NDArray[np.floating]], kind: str) -> Floats:
    """Return all rows of one kind of output. The rows of the 16x16 feature map come before the rows of the 8x8 feature
    map."""
    return np.concatenate([outputs[_INDEX[f"{kind}_{side}"]][0] for side in (16, 8)]).astype(np.float64)
