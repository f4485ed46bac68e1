# SPDX-License-Identifier: Apache-2.0
#
# BlazePoser's post-processor turns the raw int8 outputs of the network into faces with keypoints, head pose and the
# expected error of the pose.
#
#     model = ml.Model("/rom/blazeposer.tflite", postprocess=BlazePoser())
#     for face in model.predict([img]):
#         yaw, pitch, roll = face.angles
#
# On cameras with little memory, such as the OpenMV H7, load the model before importing this module, as main.py does.
#
# MicroPython takes 16 bytes of heap for every float that it calculates, and none for integers below 2**30. Therefore
# the work for each anchor uses integers, in buffers that are allocated once. Only the work for each face uses floats.

import math
from array import array
from collections import namedtuple

from micropython import const

# One tuple for each of the two feature maps: number of its first anchor, cells per side, anchors per cell, and indices
# of its outputs (scores, regressors, rotations, errors). Anchors are at the centre of their cell. Cells go row by row.
MAPS = ((0, 16, 2, 1, 0, 4, 6), (512, 8, 6, 2, 3, 5, 7))
ANCHORS = const(896)
INPUT_SIZE = const(128)  # side of the network's square input in pixels, the unit of the regressors
SHAPE_VALUES = const(16)  # cx, cy, w, h of the box, and x, y of six keypoints
ROTATION_VALUES = const(6)  # two rows of a rotation matrix
VALUES = const(23)  # shape, rotation and log error
OVERLAP = (3, 10)  # anchors whose boxes overlap by more than 3 / 10 (intersection over union) see the same face

ONE = const(1 << 20)  # fixed-point number that stands for 1 pixel, or for a logit of 1
WEIGHT = const(8191)  # weight of a score of 1; the largest sum, 128 * 512 anchors * WEIGHT, stays below 2**30
BOX_SIDE = const(8191)  # largest side of the best anchor's box after scaling; 13 times its area must stay below 2**30

# box: x, y, w, h. score: 0 to 1. keypoints: six (x, y), right eye, left eye, nose, mouth, right ear, left ear.
# angles: yaw, pitch, roll in degrees; positive yaw looks to the image's left, positive pitch up, positive roll
# tilts clockwise. err: the expected error of the angles, in degrees. Box and keypoints are in pixels, not rounded.
Face = namedtuple("Face", ("box", "score", "keypoints", "angles", "err"))


class BlazePoser:
    """Post-processor for `ml.Model(path, postprocess=...)`. The post-processor returns a list of `Face`, with the
    highest score first."""

    def __init__(self, threshold=0.5, max_faces=4):
        if not 0 < threshold < 1:
            raise ValueError("threshold must be above 0 and below 1")
        self._logit = math.log(threshold / (1 - threshold))
        self._max_faces = max_faces
        self._model = None
        self._maps = [FeatureMap(*numbers) for numbers in MAPS]
        self._survivors = array("H", bytes(2 * ANCHORS))  # anchors that reach the threshold and belong to no face yet
        self._best_box = array("i", bytes(16))
        self._box = array("i", bytes(16))

    def __call__(self, model, inputs, outputs):
        if model is not self._model:
            for feature_map in self._maps:
                feature_map.prepare(model, self._logit)
            self._model = model
        left = 0
        for feature_map in self._maps:
            left = feature_map.search(outputs, self._survivors, left)
        faces = []
        while left and len(faces) < self._max_faces:
            best = self._best(left)
            left = self._take(best, left)
            faces.append(self._face(best, inputs[0].roi))
        return faces

    def _map_of(self, anchor):
        first, second = self._maps
        return first if anchor < second.first else second

    def _best(self, left):
        """Return the anchor with the highest score from the first `left` anchors in `_survivors`."""
        survivors = self._survivors
        best = highest = -1 << 29
        for i in range(left):
            anchor = survivors[i]
            logit = self._map_of(anchor).logit(anchor)
            if logit > highest:
                best, highest = anchor, logit
        return best

    def _take(self, best, left):
        """Sum up the outputs of the anchors whose boxes overlap the box of the anchor `best`. From `_survivors`, remove
        the anchors that overlap `best`, and return how many anchors remain."""
        for feature_map in self._maps:
            feature_map.clear()
        survivors, best_box, box = self._survivors, self._best_box, self._box
        feature_map = self._map_of(best)
        feature_map.box(best, best_box, 0)
        side, shift = max(best_box[2] - best_box[0], best_box[3] - best_box[1]), 0
        while side >> shift > BOX_SIDE:
            shift += 1
        feature_map.box(best, best_box, shift)
        kept = 0
        for i in range(left):
            anchor = survivors[i]
            feature_map = self._map_of(anchor)
            feature_map.box(anchor, box, shift)
            if anchor == best or overlap(best_box, box):
                feature_map.add(anchor)
            else:
                survivors[kept] = anchor
                kept += 1
        return kept

    def _face(self, best, roi):
        """Return the mean of the summed outputs as a face ("blending" in the BlazeFace paper)."""
        x, y, w, h = roi
        fine, coarse = self._maps
        total = fine.sums[0] + coarse.sums[0]
        left = x + w * (fine.centre(1) + coarse.centre(1)) / total
        top = y + h * (fine.centre(2) + coarse.centre(2)) / total
        for feature_map in self._maps:
            feature_map.set_units(w, h, total)

        width, height = self._mean(2, 0, 0), self._mean(3, 1, 0)
        box = (self._mean(0, 0, left) - width / 2, self._mean(1, 1, top) - height / 2, width, height)
        keypoints = [(self._mean(i, 0, left), self._mean(i + 1, 1, top)) for i in range(4, SHAPE_VALUES, 2)]
        angles = to_angles(*[self._mean(i, 2, 0) for i in range(SHAPE_VALUES, VALUES - 1)])
        score = 1 / (1 + math.exp(-self._map_of(best).logit(best) / ONE))
        return Face(box, score, keypoints, angles, math.exp(self._mean(VALUES - 1, 3, 0)))

    def _mean(self, i, unit, mean):
        """Return the sum of `mean` and the weighted mean of the anchors' output `i` (0 to VALUES - 1). For a position,
        `mean` is the mean of the anchors' centres in pixels, otherwise 0. `unit` is the index of the output's factor in
        `FeatureMap.units`."""
        for feature_map in self._maps:
            if feature_map.sums[0]:
                mean += feature_map.units[unit] * feature_map.sum_of(i)
        return mean


class FeatureMap:
    """Decoder of the outputs of one feature map. `add` adds an anchor's outputs, weighted by score, to `sums`."""

    def __init__(self, first, side, anchors, scores, *tensors):
        self.first = first
        self._side = side
        self._anchors = anchors
        self._indices = (scores,) + tensors
        self._weights = array("H", bytes(2 * 256))  # weight for each int8 score, from -128 on
        self.sums = array("i", bytes(4 * (3 + VALUES)))  # weights, weighted columns and rows, weighted values
        self.units = [0, 0, 0, 0]

    def prepare(self, model, logit):
        """Store a model's quantization. `logit` is the logit of the score threshold."""
        self._quantization = [(model.output_scale[i], model.output_zero_point[i]) for i in self._indices]
        scale, zero = self._quantization[0]
        self._least = math.ceil(logit / scale + zero)
        for q in range(max(self._least, -128), 128):
            self._weights[q + 128] = max(1, round(WEIGHT / (1 + math.exp(scale * (zero - q)))))
        self._logit_step, self._logit_zero = round(scale * ONE), zero
        scale, zero = self._quantization[1]
        self._pixel_step, self._pixel_zero = round(scale * ONE), zero

    def search(self, outputs, survivors, count):
        """Find the anchors that reach the score threshold, and write them into `survivors` after the first `count`
        anchors. Return the new number of anchors in `survivors`."""
        scores, regressors, rotations, errors = self._indices
        self._scores = memoryview(outputs[scores])
        before, anchor, least = count, self.first, self._least
        for q in self._scores:
            if q >= least:
                survivors[count] = anchor
                count += 1
            anchor += 1
        if count > before:
            self._regressors = memoryview(outputs[regressors])
            self._rotations = memoryview(outputs[rotations])
            self._errors = memoryview(outputs[errors])
        return count

    def logit(self, anchor):
        return self._logit_step * (self._scores[anchor - self.first] - self._logit_zero)

    def box(self, anchor, box, shift):
        """Write left, top, right and bottom of the anchor's box into `box`, as integers. The number ONE / 2**shift
        stands for one pixel of the network's input."""
        anchor -= self.first
        cell, side = anchor // self._anchors, self._side
        half_cell = INPUT_SIZE * ONE // (2 * side)
        q, step, zero = self._regressors, self._pixel_step, self._pixel_zero
        i = anchor * SHAPE_VALUES
        x = step * (q[i] - zero) + half_cell * (cell % side * 2 + 1)
        y = step * (q[i + 1] - zero) + half_cell * (cell // side * 2 + 1)
        half_w = step * (q[i + 2] - zero) >> 1
        half_h = step * (q[i + 3] - zero) >> 1
        box[0], box[1] = x - half_w >> shift, y - half_h >> shift
        box[2], box[3] = x + half_w >> shift, y + half_h >> shift

    def add(self, anchor):
        anchor -= self.first
        cell = anchor // self._anchors
        weight, sums = self._weights[self._scores[anchor] + 128], self.sums
        sums[0] += weight
        sums[1] += weight * (cell % self._side)
        sums[2] += weight * (cell // self._side)
        q, row = self._regressors, anchor * SHAPE_VALUES
        for i in range(SHAPE_VALUES):
            sums[3 + i] += weight * q[row + i]
        q, row = self._rotations, cell * ROTATION_VALUES
        for i in range(ROTATION_VALUES):
            sums[3 + SHAPE_VALUES + i] += weight * q[row + i]
        sums[2 + VALUES] += weight * self._errors[cell]

    def centre(self, axis):
        """Return the weighted sum of the x coordinates (`axis` 1) or y coordinates (`axis` 2) of the anchors' centres.
        The sum includes all anchors that were passed to `add` since the last call of `clear`. In the network's input,
        coordinates go from 0 (left, top) to 1 (right, bottom)."""
        return (self.sums[axis] + self.sums[0] / 2) / self._side

    def set_units(self, w, h, total):
        """Set `units`, the factors that turn weighted sums into weighted means. `total` is the sum of the weights. `w`
        and `h` are the size of the image region in pixels."""
        shape, rotation, error = self._quantization[1:]
        self.units[0] = shape[0] * w / (INPUT_SIZE * total)
        self.units[1] = shape[0] * h / (INPUT_SIZE * total)
        self.units[2] = rotation[0] / total
        self.units[3] = error[0] / total

    def sum_of(self, i):
        """Return the weighted sum of the anchors' output `i`, after subtracting the zero point from each value."""
        zero = self._quantization[1 if i < SHAPE_VALUES else 2 if i < VALUES - 1 else 3][1]
        return self.sums[3 + i] - zero * self.sums[0]

    def clear(self):
        for i in range(3 + VALUES):
            self.sums[i] = 0


def overlap(a, b):
    """Return whether two integer boxes (left, top, right, bottom) have an intersection over union above OVERLAP."""
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return False
    least, of = OVERLAP
    return (least + of) * (w * h) > least * ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]))


def to_angles(ax, ay, az, bx, by, bz):
    """Return yaw, pitch and roll in degrees, in the convention of 300W-LP. The arguments of `to_angles` are the first
    two rows, a and b, of an approximate rotation matrix."""
    aa = max(ax * ax + ay * ay + az * az, 1e-12)
    along = (ax * bx + ay * by + az * bz) / aa  # Gram-Schmidt, without scaling to length 1
    bx, by, bz = bx - along * ax, by - along * ay, bz - along * az
    a = math.sqrt(aa)
    yaw = -math.asin(max(-1, min(1, az / a)))
    pitch = math.atan2(a * bz, ax * by - ay * bx)
    roll = math.atan2(ay, ax)
    # The same rotation also has angles with a yaw beyond 90 degrees. Return the angles with less pitch and roll.
    other_pitch, other_roll = pitch - half_turn(pitch), roll - half_turn(roll)
    if abs(other_pitch) + abs(other_roll) < abs(pitch) + abs(roll):
        yaw, pitch, roll = half_turn(yaw) - yaw, other_pitch, other_roll
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def half_turn(angle):
    return math.pi if angle >= 0 else -math.pi
