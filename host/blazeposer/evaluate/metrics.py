"""Compute measures of a network. The measures are the recall on labelled faces, the angle errors and the expected
errors of detected faces, and the average precision.

A labelled face is found if a detection with a score of at least 0.5 matches the face. A `Rule` decides about the match.
Angle errors are simple absolute differences in degrees. A large angle error is not reduced by 180 or 360 degrees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blazeposer.core.contract import ANGLES, INPUT_SIZE, SCORE_THRESHOLD
from blazeposer.core.decode import centred_boxes, decode, overlaps
from blazeposer.core.face import Face
from blazeposer.core.rotation import Floats, geodesic_degrees

MATCH_OVERLAP = 0.4
PRECISION_OVERLAP = 0.5
"""Smallest overlap (intersection over union) of a label and a detection that counts as correct in the average precision
(PASCAL VOC, WIDER FACE)."""
YAW_RANGES = ((0, 30), (30, 60), (60, 99))
MOST_FACES = 32
"""Largest number of detections that are considered in one image."""
SLOPE_RANGE = 60
"""Largest |yaw| in degrees of the faces that are used for the slope of pitch. At larger angles of yaw, pitch and roll
are hard to separate."""
RELIABILITY_BINS = 10


class Reliability(NamedTuple):
    """The results of a group of faces with similar predicted errors. The values are the mean predicted error and the
    mean actual error in degrees, and the number of faces."""

    expected: float
    actual: float
    faces: int


@dataclass
class Scores:
    """Labels, predictions and errors of n faces, in degrees. The predictions for a face are NaN if the face was not
    found.

    `labels` and `predicted` (n, 3) are yaw, pitch, roll. `geodesic` (n,) is the angle between the labelled and the
    predicted rotation. `expected` (n,) is the error that the network predicts.
    """

    labels: Floats
    predicted: Floats
    geodesic: Floats
    expected: Floats

    @property
    def found(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.geodesic)

    @property
    def recall(self) -> float:
        return _mean(self.found)

    @property
    def signed(self) -> Floats:
        """Predicted angle minus labelled angle for yaw, pitch, roll of each found face, as an array (found, 3)."""
        return (self.predicted - self.labels)[self.found]

    @property
    def errors(self) -> Floats:
        """Absolute difference between predicted and labelled angle for yaw, pitch, roll of each found face, as an array
        (found, 3)."""
        return np.abs(self.signed)

    @property
    def mean(self) -> float:
        """MAE on detected faces. The MAE is the mean of the three angles' mean absolute errors."""
        return _mean(self.errors)

    @property
    def bias(self) -> Floats:
        """Mean of predicted angle minus labelled angle for yaw, pitch, roll (3,). The values are NaN if no face was
        found."""
        return self.signed.mean(axis=0) if self.found.any() else np.full(3, np.nan)

    @property
    def mean_after_offset(self) -> float:
        """MAE with corrected angles. Before the MAE is computed, the median difference between predicted and labelled
        angle is subtracted from each angle. Use `mean_after_offset` if the labels have another zero pose than the
        labels of 300W-LP."""
        return _mean(np.abs(self.signed - np.median(self.signed, axis=0))) if self.found.any() else float("nan")

    @property
    def pitch_slope(self) -> float:
        """Slope of the least-squares line of predicted pitch over labelled pitch. A slope below 1 means that the
        predicted pitch changes less than the true pitch. Only faces whose |yaw| is at most SLOPE_RANGE degrees are
        used. The slope is NaN if all labels are equal."""
        middle = self.within(0, SLOPE_RANGE)
        label, predicted = (values[middle.found, 1] for values in (middle.labels, middle.predicted))
        away = label - _mean(label)
        return float(away @ predicted / (away @ away)) if away.any() else float("nan")

    @property
    def mean_geodesic(self) -> float:
        """Mean angle between the predicted and the labelled rotation of detected faces, in degrees."""
        return _mean(self.geodesic[self.found])

    @property
    def mean_expected(self) -> float:
        """Mean of the errors that the network expects for detected faces, in degrees."""
        return _mean(self.expected[self.found])

    def within(self, low: float, high: float) -> Scores:
        """Return the scores of the faces with a labelled |yaw| in the range [low, high)."""
        yaw = np.abs(self.labels[:, 0])
        return self.of((yaw >= low) & (yaw < high))

    def surest(self, share: float = 0.5) -> Scores:
        """Return the scores of the found faces with the smallest predicted errors. `share` is the fraction of the found
        faces to return. Faces with the same predicted error as the last returned face are also returned."""
        if not self.found.any():
            return self
        limit = np.quantile(self.expected[self.found], share, method="inverted_cdf")
        return self.of(self.expected <= limit)

    @property
    def ranking(self) -> float:
        """Ratio of two mean geodesic errors. The first mean is over the half of the found faces that has the smallest
        predicted errors. The second mean is over all found faces. The value is 1 if the predicted error contains no
        information."""
        return self.surest().mean_geodesic / self.mean_geodesic if self.mean_geodesic else float("nan")

    def reliability(self, bins: int = RELIABILITY_BINS) -> list[Reliability]:
        """Sort the found faces by their predicted errors, divide them into bins, and return the results of the bins.
        The bins have about the same number of faces."""
        found = np.flatnonzero(self.found)
        order = found[np.argsort(self.expected[found], kind="stable")]
        parts = [part for part in np.array_split(order, bins) if len(part)]
        return [Reliability(_mean(self.expected[part]), _mean(self.geodesic[part]), len(part)) for part in parts]

    def interval(self, rounds: int = 2000, seed: int = 0) -> tuple[float, float]:
        """Return the 95 % bootstrap interval of `mean`, computed with random samples of the faces."""
        errors = self.errors.mean(axis=1)
        if not len(errors):
            return float("nan"), float("nan")
        rng = np.random.default_rng(seed)
        means = [errors[rng.integers(0, len(errors), len(errors))].mean() for _ in range(rounds)]
        low, high = np.percentile(means, [2.5, 97.5])
        return float(low), float(high)

    def as_dict(self) -> dict[str, Any]:
        """Return figures for a manifest or a report, in degrees, rounded to hundredths. A figure is None if no face was
        found."""
        yaw, pitch, roll = (rounded(_mean(column)) for column in self.errors.T)
        surest = self.surest()
        return {
            "faces": len(self.labels),
            "found": int(self.found.sum()),
            "recall": rounded(self.recall, 4),
            "mae": {"yaw": yaw, "pitch": pitch, "roll": roll, "mean": rounded(self.mean)},
            "interval": [rounded(value) for value in self.interval()],
            "mae_by_yaw": {f"{low}-{high}": rounded(self.within(low, high).mean) for low, high in YAW_RANGES},
            "bias": dict(zip(ANGLES, map(rounded, self.bias.tolist()), strict=True)),
            "mae_after_offset": rounded(self.mean_after_offset),
            "pitch_slope": rounded(self.pitch_slope),
            "geodesic": rounded(self.mean_geodesic),
            "expected": rounded(self.mean_expected),
            "surest_half": {
                "mae": rounded(surest.mean),
                "geodesic": rounded(surest.mean_geodesic),
                "ranking": rounded(self.ranking),
            },
        }

    def line(self) -> str:
        """Return a line with the most important figures, for a log."""
        yaw, pitch, roll = (_mean(column) for column in self.errors.T)
        parts = " / ".join(f"{self.within(low, high).mean:.2f}" for low, high in YAW_RANGES)
        return (
            f"MAE {self.mean:.2f} (yaw {yaw:.2f} pitch {pitch:.2f} roll {roll:.2f}; by |yaw| {parts}), "
            f"geodesic {self.mean_geodesic:.2f}, ranking {self.ranking:.2f}, "
            f"recall {self.recall:.3f} of {len(self.labels)}"
        )

    def of(self, keep: NDArray[np.bool_]) -> Scores:
        """Return the scores of the faces for which `keep` is True."""
        return Scores(self.labels[keep], self.predicted[keep], self.geodesic[keep], self.expected[keep])


@dataclass(frozen=True)
class Rule:
    """A rule that decides which detection matches a label's box, and a text that describes the rule. The box is x0, y0,
    x1, y1 as fractions of the side of the network's input."""

    text: str
    choose: Callable[[Sequence[Face], Floats], Face | None]


def match(faces: Sequence[Face], box: Floats) -> Face | None:
    """Return the detection that has the largest overlap with a label's box. Return None if this overlap is not larger
    than MATCH_OVERLAP."""
    if not faces:
        return None
    overlap = overlaps(_middle_size(box), centred_boxes(faces))
    best = int(np.argmax(overlap))
    return faces[best] if overlap[best] > MATCH_OVERLAP else None


def nearest(faces: Sequence[Face], box: Floats) -> Face | None:
    """Return the detection whose centre is nearest to the centre of a label's box. Return None if the detection's
    centre is outside the ellipse that fits into the box."""
    if not faces:
        return None
    middle_size = _middle_size(box)
    distances = np.linalg.norm((centred_boxes(faces)[:, :2] - middle_size[:2]) / (middle_size[2:] / 2), axis=1)
    best = int(np.argmin(distances))
    return faces[best] if distances[best] < 1 else None


def surest(faces: Sequence[Face], box: Floats) -> Face | None:
    """Return the detection with the highest score, anywhere in the image. The rule `surest` is for crops that show one
    face and have no box label."""
    return faces[0] if faces else None


OVERLAP = Rule(f"best overlap with the label's box above {MATCH_OVERLAP} IoU", match)


def find(outputs: Sequence[NDArray[np.floating]], box: Floats, rule: Rule = OVERLAP) -> Face | None:
    """Return the detection that matches a label's box. `outputs` are the dequantized outputs of the network (see
    `decode`)."""
    return rule.choose(decode(outputs, SCORE_THRESHOLD, MOST_FACES), box)


def score(found: Sequence[Face | None], rotations: Floats, labels: Floats) -> Scores:
    """Return the scores of the detections. `found` has one detection, or None, for each labelled face. `rotations` has
    the shape (n, 3, 3), and `labels` has the shape (n, 3)."""
    predicted = np.full((len(found), 3), np.nan)
    geodesic, expected = np.full((2, len(found)), np.nan)
    for index, face in enumerate(found):
        if face is not None:
            predicted[index] = face.angles
            geodesic[index] = geodesic_degrees(face.rotation, rotations[index])
            expected[index] = face.err
    return Scores(labels, predicted, geodesic, expected)


@dataclass(frozen=True)
class Detections:
    """All detections in one image, the best first, and the labels of the image. Lengths are fractions of the side of
    the network's input."""

    faces: Sequence[Face]
    boxes: Floats
    """Boxes (n, 4) of the labels, as x0, y0, x1, y1."""
    ignored: NDArray[np.bool_] | np.bool_ = np.False_
    """Array (n,) that is True for ignored labels. Whether a network finds an ignored label does not change the result.
    By default, no label is ignored."""

    def judged(self, least: float) -> tuple[list[tuple[float, bool]], int]:
        """Return a pair (score, is correct) for every counted detection, and the number of counted labels.

        A label counts if it is not ignored and if its box in the input has at least the area of a square with a side of
        `least` pixels. By the rule of PASCAL VOC, each detection belongs to the label with which it has the largest
        overlap. A detection is correct if the overlap is at least 0.5 and if no detection with a higher score has
        matched the same label. A detection does not count if its label does not count.
        """
        sides = np.sqrt(np.prod(np.maximum(self.boxes[:, 2:] - self.boxes[:, :2], 0), axis=1)) * INPUT_SIZE
        counts = ~self.ignored & (sides >= least)
        labels = np.array([_middle_size(box) for box in self.boxes]).reshape(-1, 4)
        taken: set[int] = set()
        judged = []
        for face, box in zip(self.faces, centred_boxes(self.faces), strict=True):
            overlap = overlaps(box, labels)
            best = int(np.argmax(overlap)) if len(labels) else -1
            hit = best >= 0 and overlap[best] >= PRECISION_OVERLAP
            if hit and not counts[best]:
                continue
            judged.append((face.score, hit and best not in taken))
            if hit:
                taken.add(best)
        return judged, int(counts.sum())


def average_precision(pictures: Sequence[Detections], least: float = 0) -> float:
    """Return the area under the curve of precision over recall, from 0 to 1, or NaN if there are no labels. Each
    precision is replaced by the best precision at the same or a higher recall (PASCAL VOC from 2010 on, "all
    points")."""
    judged = [picture.judged(least) for picture in pictures]
    labels = sum(count for _, count in judged)
    pairs = np.array([pair for some, _ in judged for pair in some], np.float64).reshape(-1, 2)
    if not labels:
        return float("nan")
    right = pairs[np.argsort(-pairs[:, 0], kind="stable"), 1]
    hits = np.cumsum(right)
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float((precision * right).sum() / labels)


def count_labels(pictures: Sequence[Detections], least: float = 0) -> int:
    """Return the number of labelled faces that `average_precision` counts."""
    return sum(picture.judged(least)[1] for picture in pictures)


def rounded(value: float, digits: int = 2) -> float | None:
    """Round a number for JSON. Return None for NaN, because JSON has no NaN."""
    return None if np.isnan(value) else round(float(value), digits)


def _mean(values: NDArray[Any]) -> float:
    """Return the mean, or NaN if there are no values."""
    return float(values.mean()) if values.size else float("nan")


def _middle_size(box: Floats) -> Floats:
    """Return the middle and the size (cx, cy, w, h) of a box (x0, y0, x1, y1)."""
    return np.concatenate([(box[:2] + box[2:]) / 2, box[2:] - box[:2]])
