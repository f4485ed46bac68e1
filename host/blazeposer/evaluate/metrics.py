"""Compute measures of a network. The measures of a network are its recall on labelled faces, its angle errors and
expected errors on found faces, and its average precision.

A labelled face counts as found if a detection with a score of at least 0.5 matches the face. A `Rule` decides whether a
detection matches a labelled face. An angle error is the absolute difference between a predicted and a labelled angle in
degrees. Angle errors are not wrapped around, so an angle error of 350 degrees does not become an error of 10 degrees.
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
"""Smallest overlap (intersection over union) between a correct detection and its label in the average precision (PASCAL
VOC, WIDER FACE)."""
YAW_RANGES = ((0, 30), (30, 60), (60, 99))
MOST_FACES = 32
"""Largest number of detections that are considered in one image."""
SLOPE_RANGE = 60
"""Largest |yaw| in degrees of the faces that are used for the slope of pitch. At larger angles of yaw, pitch and roll
are hard to separate."""
RELIABILITY_BINS = 10


class Reliability(NamedTuple):
    """The mean errors of a group of faces whose expected errors are similar. `expected` is the mean of the expected
    errors, and `actual` is the mean of the actual errors, both in degrees. `faces` is the number of faces in the
    group."""

    expected: float
    actual: float
    faces: int


@dataclass
class Scores:
    """Labels, predictions and errors of n faces, in degrees. The predictions for a face are NaN if the network did not
    find the face.

    `labels` (n, 3) and `predicted` (n, 3) contain the yaw, pitch and roll of each face. `geodesic` (n,) contains the
    angle between the labelled and the predicted rotation of each face. `expected` (n,) contains the expected error of
    each face, which is an output of the network.
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
        """Signed errors of yaw, pitch and roll for each found face. A signed error is the predicted angle minus the
        labelled angle, in degrees. The shape is (found, 3)."""
        return (self.predicted - self.labels)[self.found]

    @property
    def errors(self) -> Floats:
        """Absolute errors of yaw, pitch and roll for each found face, in degrees. The shape is (found, 3)."""
        return np.abs(self.signed)

    @property
    def mean(self) -> float:
        """Mean absolute error (MAE) of yaw, pitch and roll on the found faces, in degrees."""
        return _mean(self.errors)

    @property
    def bias(self) -> Floats:
        """Mean signed errors (3,) of yaw, pitch and roll, in degrees. A signed error is the predicted angle minus the
        labelled angle. The mean signed errors are NaN if no face was found."""
        return self.signed.mean(axis=0) if self.found.any() else np.full(3, np.nan)

    @property
    def mean_after_offset(self) -> float:
        """Mean absolute error (MAE) after a constant offset was removed from each angle. The offset of yaw, pitch or
        roll is the median of its signed errors. Use `mean_after_offset` if zero angles mean another head pose in the
        data set than in 300W-LP."""
        return _mean(np.abs(self.signed - np.median(self.signed, axis=0))) if self.found.any() else float("nan")

    @property
    def pitch_slope(self) -> float:
        """Slope of the regression line (least squares) that maps the labelled pitch to the predicted pitch. A slope
        below 1 means that the predicted pitch changes less than the true pitch. Only faces whose |yaw| is at most
        SLOPE_RANGE degrees are used. The slope is NaN if the labelled pitch is the same for all faces."""
        middle = self.within(0, SLOPE_RANGE)
        label, predicted = (values[middle.found, 1] for values in (middle.labels, middle.predicted))
        away = label - _mean(label)
        return float(away @ predicted / (away @ away)) if away.any() else float("nan")

    @property
    def mean_geodesic(self) -> float:
        """Mean angle between the predicted and the labelled rotation of the found faces, in degrees."""
        return _mean(self.geodesic[self.found])

    @property
    def mean_expected(self) -> float:
        """Mean expected error of the found faces, in degrees."""
        return _mean(self.expected[self.found])

    def within(self, low: float, high: float) -> Scores:
        """Return the scores of the faces with a labelled |yaw| in the range [low, high)."""
        yaw = np.abs(self.labels[:, 0])
        return self.of((yaw >= low) & (yaw < high))

    def surest(self, share: float = 0.5) -> Scores:
        """Return the scores of the found faces that have the smallest expected errors. `share` is the fraction of the
        found faces that is returned. Faces with equal expected errors are returned together, even if the returned
        fraction is then larger than `share`."""
        if not self.found.any():
            return self
        limit = np.quantile(self.expected[self.found], share, method="inverted_cdf")
        return self.of(self.expected <= limit)

    @property
    def ranking(self) -> float:
        """Mean rotation error of the faces with small expected errors, divided by the mean rotation error of all found
        faces. An expected error is small if it is at most the median of the expected errors. `ranking` is about 1 if
        the expected error contains no information about the actual error."""
        return self.surest().mean_geodesic / self.mean_geodesic if self.mean_geodesic else float("nan")

    def reliability(self, bins: int = RELIABILITY_BINS) -> list[Reliability]:
        """Sort the found faces by their expected errors, divide the faces into bins, and return the mean errors of each
        bin. All bins contain about the same number of faces."""
        found = np.flatnonzero(self.found)
        order = found[np.argsort(self.expected[found], kind="stable")]
        parts = [part for part in np.array_split(order, bins) if len(part)]
        return [Reliability(_mean(self.expected[part]), _mean(self.geodesic[part]), len(part)) for part in parts]

    def interval(self, rounds: int = 2000, seed: int = 0) -> tuple[float, float]:
        """Return the 95 % confidence interval of `mean`, computed by bootstrapping with random samples of the faces."""
        errors = self.errors.mean(axis=1)
        if not len(errors):
            return float("nan"), float("nan")
        rng = np.random.default_rng(seed)
        means = [errors[rng.integers(0, len(errors), len(errors))].mean() for _ in range(rounds)]
        low, high = np.percentile(means, [2.5, 97.5])
        return float(low), float(high)

    def as_dict(self) -> dict[str, Any]:
        """Return a dictionary of the measures for a manifest or a report. Angles and errors are in degrees, rounded to
        hundredths. If no face was found, the errors in the dictionary are None."""
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
        """Return one line of text with the most important measures, for a log."""
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
    """A rule that decides which detection matches a label's box, and a text that describes the rule. The box of a label
    is x0, y0, x1, y1 as fractions of the side of the network's input."""

    text: str
    choose: Callable[[Sequence[Face], Floats], Face | None]


def match(faces: Sequence[Face], box: Floats) -> Face | None:
    """Return the detection that has the largest overlap with a label's box. Return None if no detection overlaps the
    label's box by more than MATCH_OVERLAP."""
    if not faces:
        return None
    overlap = overlaps(_middle_size(box), centred_boxes(faces))
    best = int(np.argmax(overlap))
    return faces[best] if overlap[best] > MATCH_OVERLAP else None


def nearest(faces: Sequence[Face], box: Floats) -> Face | None:
    """Return the detection whose centre is nearest to the centre of a label's box. Return None if no detection has its
    centre inside the ellipse that fits into the label's box."""
    if not faces:
        return None
    middle_size = _middle_size(box)
    distances = np.linalg.norm((centred_boxes(faces)[:, :2] - middle_size[:2]) / (middle_size[2:] / 2), axis=1)
    best = int(np.argmin(distances))
    return faces[best] if distances[best] < 1 else None


def surest(faces: Sequence[Face], box: Floats) -> Face | None:
    """Return the detection with the highest score, anywhere in the image. The rule `surest` is for images that show
    only one face and have no box label."""
    return faces[0] if faces else None


OVERLAP = Rule(f"best overlap with the label's box above {MATCH_OVERLAP} IoU", match)


def find(outputs: Sequence[NDArray[np.floating]], box: Floats, rule: Rule = OVERLAP) -> Face | None:
    """Return the detection that matches a label's box according to `rule`, or None if no detection matches. `outputs`
    are the dequantized outputs of the network (see `decode`)."""
    return rule.choose(decode(outputs, SCORE_THRESHOLD, MOST_FACES), box)


def score(found: Sequence[Face | None], rotations: Floats, labels: Floats) -> Scores:
    """Compare the matching detections with the labels, and return the `Scores`. `found` contains the matching detection
    of each labelled face, or None if the face was not found. `rotations` (n, 3, 3) contains the labelled rotations of
    the faces. `labels` (n, 3) contains the labelled yaw, pitch and roll in degrees."""
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
    """The detections and the labels of one image. The detection with the highest score is first. All lengths are
    fractions of the side of the network's input."""

    faces: Sequence[Face]
    boxes: Floats
    """Boxes (n, 4) of the labels, as x0, y0, x1, y1."""
    ignored: NDArray[np.bool_] | np.bool_ = np.False_
    """Array (n,) that is True for ignored labels. Whether a network finds an ignored label does not change the result.
    By default, no label is ignored."""

    def judged(self, least: float) -> tuple[list[tuple[float, bool]], int]:
        """Return a list of pairs, and the number of labels that count. Each pair contains the score of one detection,
        and True if this detection is correct.

        A label counts if it is not ignored and if its box covers at least `least` x `least` pixels of the network's
        input. By the rule of PASCAL VOC, each detection belongs to the label with which it has the largest overlap. A
        detection is correct if the overlap with its label is at least 0.5 (intersection over union). If several
        detections match one label, only the detection with the highest score is correct. A detection whose matching
        label does not count is left out.
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
    """Return the average precision (from 0 to 1), which is the area under the precision-recall curve. Return NaN if
    there are no labels. By the rule of PASCAL VOC 2010 ("all points"), each precision is replaced by the best precision
    at the same or a higher recall."""
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
    """Return the mean of the values, or NaN if there are no values."""
    return float(values.mean()) if values.size else float("nan")


def _middle_size(box: Floats) -> Floats:
    """Return the middle and the size of a box, as cx, cy, w, h. The argument `box` is x0, y0, x1, y1."""
    return np.concatenate([(box[:2] + box[2:]) / 2, box[2:] - box[:2]])
