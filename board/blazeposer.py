# SPDX-License-Identifier: Apache-2.0
#
# BlazePoser's post-processor: turns the raw int8 outputs of the network into faces with keypoints, head pose and
# how wrong that pose may be.
#
#     model = ml.Model("/rom/blazeposer.tflite", postprocess=BlazePoser())
#     for face in model.predict([img]):
#         yaw, pitch, roll = face.angles

import math
from collections import namedtuple

from micropython import const
from ulab import numpy as np

# The two feature maps: (number of the first anchor, cells a side, anchors a cell, outputs with scores, regressors,
# rotations and errors). Anchors lie at their cell's centre, row by row, so that no table of them is needed.
MAPS = ((0, 16, 2, 1, 0, 4, 6), (512, 8, 6, 2, 3, 5, 7))
INPUT_SIZE = const(128)  # regressors are in pixels of the network's square input
SHAPE_VALUES = const(16)  # cx, cy, w, h and six keypoints x, y; six rotation values and log error follow
OVERLAP = 0.3  # anchors whose boxes overlap more than this (intersection over union) see the same face

# box: x, y, w, h. score: 0 to 1. keypoints: six (x, y), right eye, left eye, nose, mouth, right ear, left ear.
# angles: yaw, pitch, roll in degrees; positive yaw looks to the picture's left, positive pitch up, positive roll
# tilts clockwise. err: how far in degrees the head's true rotation is expected to be from these angles. Lengths are in
# pixels of the image, not rounded.
Face = namedtuple("Face", ("box", "score", "keypoints", "angles", "err"))


class BlazePoser:
    """Post-processor for `ml.Model(path, postprocess=...)`; returns a list of `Face`, the best score first."""

    def __init__(self, threshold=0.5, max_faces=4):
        if not 0 < threshold < 1:
            raise ValueError("threshold must be above 0 and below 1")
        self._logit = math.log(threshold / (1 - threshold))
        self._max_faces = max_faces

    def __call__(self, model, inputs, outputs):
        survivors = []
        for feature_map in MAPS:
            self._collect(model, outputs, survivors, *feature_map)
        survivors.sort()  # best score first; of equal ones the lower anchor

        faces = []
        while survivors and len(faces) < self._max_faces:
            best = survivors[0]
            group, rest = [best], []
            for other in survivors[1:]:
                (group if overlap(best[3], other[3]) > OVERLAP else rest).append(other)
            faces.append(to_face(best[2], blend(group), inputs[0].roi))
            survivors = rest
        return faces

    def _collect(self, model, outputs, survivors, first, side, anchors, scores, regressors, rotations, errors):
        """Append (-logit, anchor, score, values) of each anchor that reaches the threshold."""
        scale, zero = model.output_scale[scores], model.output_zero_point[scores]
        least = math.ceil(self._logit / scale + zero)
        # ulab compares and searches in C: a Python loop over all 896 scores costs more than all the rest here.
        for anchor in np.nonzero(outputs[scores] >= least)[1]:
            anchor = int(anchor)
            logit = scale * (int(outputs[scores][0, anchor, 0]) - zero)
            cell = anchor // anchors
            values = dequantize(model, outputs, regressors, anchor, INPUT_SIZE)
            centre = (cell % side + 0.5) / side, (cell // side + 0.5) / side
            for i in range(SHAPE_VALUES):
                if i != 2 and i != 3:  # width and height are not measured from the anchor
                    values[i] += centre[i & 1]
            values += dequantize(model, outputs, rotations, cell, 1) + dequantize(model, outputs, errors, cell, 1)
            survivors.append((-logit, first + anchor, 1 / (1 + math.exp(-logit)), values))


def dequantize(model, outputs, index, row, divisor):
    scale, zero = model.output_scale[index] / divisor, model.output_zero_point[index]
    return [scale * (int(q) - zero) for q in outputs[index][0, row]]


def overlap(a, b):
    """Intersection over union of two boxes that begin with cx, cy, w, h."""
    w = min(a[0] + a[2] / 2, b[0] + b[2] / 2) - max(a[0] - a[2] / 2, b[0] - b[2] / 2)
    h = min(a[1] + a[3] / 2, b[1] + b[3] / 2) - max(a[1] - a[3] / 2, b[1] - b[3] / 2)
    if w <= 0 or h <= 0:
        return 0
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h)


def blend(group):
    """The mean of the group's values, weighted by score ("blending" in the BlazeFace paper)."""
    total = sum([score for _, _, score, _ in group])
    mean = [0] * len(group[0][3])
    for _, _, score, values in group:
        for i, value in enumerate(values):
            mean[i] += value * score / total
    return mean


def to_face(score, values, roi):
    x, y, w, h = roi
    cx, cy, bw, bh = values[:4]
    keypoints = [(x + values[i] * w, y + values[i + 1] * h) for i in range(4, SHAPE_VALUES, 2)]
    box = (x + (cx - bw / 2) * w, y + (cy - bh / 2) * h, bw * w, bh * h)
    return Face(box, score, keypoints, to_angles(values[SHAPE_VALUES:-1]), math.exp(values[-1]))


def to_angles(six):
    """Yaw, pitch, roll in degrees of what is about the first two rows of a rotation matrix (300W-LP convention)."""
    a, b = unit(six[:3]), six[3:]
    along = sum([p * q for p, q in zip(a, b)])
    b = unit([q - along * p for p, q in zip(a, b)])  # Gram-Schmidt
    yaw = -math.asin(max(-1, min(1, a[2])))
    pitch = math.atan2(b[2], a[0] * b[1] - a[1] * b[0])
    roll = math.atan2(a[1], a[0])
    # The same rotation has a second solution, beyond 90 degrees of yaw: the head's is the one that tilts less.
    other = half_turn(yaw) - yaw, pitch - half_turn(pitch), roll - half_turn(roll)
    if abs(other[1]) + abs(other[2]) < abs(pitch) + abs(roll):
        yaw, pitch, roll = other
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def unit(v):
    length = max(math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]), 1e-6)
    return [c / length for c in v]


def half_turn(angle):
    return math.pi if angle >= 0 else -math.pi
