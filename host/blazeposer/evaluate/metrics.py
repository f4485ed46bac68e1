"""Compute the recall, the angle errors and the average precision of a network.

A labelled face counts as found if a detection with a score of at least 0.5 matches the face. An angle error is the
absolute difference between a predicted and a labelled angle in degrees. Angle errors are not wrapped around, so an
angle error of 350 degrees does not become an error of 10 degrees.
"""

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
"""Smallest overlap (intersection over union) of a correct detection and its label (PASCAL VOC, WIDER FACE)."""
YAW_RANGES = ((0, 30), (30, 60), (60, 99))
MOST_FACES = 32
"""Largest number of detections that are considered in one image."""
SLOPE_RANGE = 60
"""Limit of |yaw| in degrees. Only faces below this limit count for `Scores.pitch_slope`. If |yaw| is larger, it is hard
to separate pitch from roll."""


class Reliability(NamedTuple):
    """The mean expected error and the mean actual error of a group of faces, in degrees."""

    expected: float
    actual: float
    faces: int


@dataclass
class Scores:
    """Labels, predictions and errors of n faces, in degrees. The predictions for a face are NaN if it was not found.
    `labels` (n, 3) and `predicted` (n, 3) contain yaw, pitch and roll. `geodesic` (n,) contains the angle between the
    labelled and the predicted rotation. `expected` (n,) contains the errors that the network expects."""

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
        """Predicted minus labelled yaw, pitch and roll of the found faces. The shape is (found, 3)."""
        return (self.predicted - self.labels)[self.found]

    @property
    def errors(self) -> Floats:
        """Absolute errors of yaw, pitch and roll of the found faces. The shape is (found, 3)."""
        return np.abs(self.signed)

    @property
    def mean(self) -> float:
        """Mean absolute error (MAE) of yaw, pitch and roll."""
        return _mean(self.errors)

    @property
    def bias(self) -> Floats:
        """Mean signed errors (3,). They are NaN if no face was found."""
        return self.signed.mean(axis=0) if self.found.any() else np.full(3, np.nan)

    @property
    def mean_after_offset(self) -> float:
        """Mean absolute error after the median signed error of each angle was subtracted. This error is for data sets
        whose zero pose is not the zero pose of 300W-LP."""
        return _mean(np.abs(self.signed - np.median(self.signed, axis=0))) if self.found.any() else float("nan")

    @property
    def pitch_slope(self) -> float:
        """Slope of the regression line (least squares) from the labelled pitch to the predicted pitch. The slope is NaN
        if all faces have the same labelled pitch."""
        middle = self.within(0, SLOPE_RANGE)
        label, predicted = (values[middle.found, 1] for values in (middle.labels, middle.predicted))
        away = label - _mean(label)
        return float(away @ predicted / (away @ away)) if away.any() else float("nan")

    @property
    def mean_geodesic(self) -> float:
        return _mean(self.geodesic[self.found])

    @property
    def mean_expected(self) -> float:
        return _mean(self.expected[self.found])

    def within(self, low: float, high: float) -> "Scores":
        """Return the scores of the faces with a labelled |yaw| in the range [low, high)."""
        yaw = np.abs(self.labels[:, 0])
        return self.of((yaw >= low) & (yaw < high))

    def surest(self) -> "Scores":
        """Return the scores of the half of the found faces with the smaller expected errors. All faces with the median
        expected error also belong to this half."""
        if not self.found.any():
            return self
        limit = np.quantile(self.expected[self.found], 0.5, method="inverted_cdf")
        return self.of(self.expected <= limit)

    @property
    def ranking(self) -> float:
        """Mean geodesic error of the half that `surest` returns, divided by the mean geodesic error of all found faces.
        This ratio is about 1 if the expected error says nothing about the actual error."""
        return self.surest().mean_geodesic / self.mean_geodesic if self.mean_geodesic else float("nan")

    def reliability(self, bins: int = 10) -> list[Reliability]:
        """Sort the found faces by their expected errors, split them into `bins` groups of about equal size, and return
        the mean errors of each group."""
        found = np.flatnonzero(self.found)
        order = found[np.argsort(self.expected[found], kind="stable")]
        parts = [part for part in np.array_split(order, bins) if len(part)]
        return [Reliability(_mean(self.expected[part]), _mean(self.geodesic[part]), len(part)) for part in parts]

    def interval(self) -> tuple[float, float]:
        """Return the 95 % confidence interval of `mean`, computed by bootstrapping with random samples of the faces."""
        errors = self.errors.mean(axis=1)
        if not len(errors):
            return float("nan"), float("nan")
        rng = np.random.default_rng(0)
        means = [errors[rng.integers(0, len(errors), len(errors))].mean() for _ in range(2000)]
        low, high = np.percentile(means, [2.5, 97.5])
        return float(low), float(high)

    def as_dict(self) -> dict[str, Any]:
        """Return the measures for a manifest (the JSON file of a network's measured values), rounded to hundredths. If
        no face was found, the errors are None."""
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
        """Return the most important measures as one line of a log."""
        yaw, pitch, roll = (_mean(column) for column in self.errors.T)
        parts = " / ".join(f"{self.within(low, high).mean:.2f}" for low, high in YAW_RANGES)
        return (
            f"MAE {self.mean:.2f} (yaw {yaw:.2f} pitch {pitch:.2f} roll {roll:.2f}; by |yaw| {parts}), "
            f"geodesic {self.mean_geodesic:.2f}, ranking {self.ranking:.2f}, "
            f"recall {self.recall:.3f} of {len(self.labels)}"
        )

    def of(self, keep: NDArray[np.bool_]) -> "Scores":
        """Return the scores of the faces for which `keep` is True."""
        return Scores(self.labels[keep], self.predicted[keep], self.geodesic[keep], self.expected[keep])


@dataclass(frozen=True)
class Rule:
    """A rule for matching a detection with a label. The function `choose` gets all detections and the label's box x0,
    y0, x1, y1, in the same unit of length. `text` describes the rule."""

    text: str
    choose: Callable[[Sequence[Face], Floats], Face | None]


def match(faces: Sequence[Face], box: Floats) -> Face | None:
    """Return the detection that overlaps a label's box most. Return None if no overlap is above MATCH_OVERLAP."""
    if not faces:
        return None
    overlap = overlaps(_middle_size(box), centred_boxes(faces))
    best = int(np.argmax(overlap))
    return faces[best] if overlap[best] > MATCH_OVERLAP else None


def nearest(faces: Sequence[Face], box: Floats) -> Face | None:
    """Return the detection whose centre is nearest to the centre of a label's box. Return None if no centre is inside
    the ellipse that fits into the label's box."""
    if not faces:
        return None
    middle_size = _middle_size(box)
    distances = np.linalg.norm((centred_boxes(faces)[:, :2] - middle_size[:2]) / (middle_size[2:] / 2), axis=1)
    best = int(np.argmin(distances))
    return faces[best] if distances[best] < 1 else None


def surest(faces: Sequence[Face], box: Floats) -> Face | None:
    """Return the detection with the highest score. This rule is for images with only one face and no box label."""
    return faces[0] if faces else None


OVERLAP = Rule(f"best overlap with the label's box above {MATCH_OVERLAP} IoU", match)


def find(outputs: Sequence[NDArray[np.floating]], box: Floats) -> Face | None:
    """Return the detection that matches a label's box. `outputs` are the dequantized outputs of the network."""
    return match(decode(outputs, SCORE_THRESHOLD, MOST_FACES), box)


def score(found: Sequence[Face | None], rotations: Floats, labels: Floats) -> Scores:
    """Compare detections with the labels. `found` contains the matching detection of each labelled face, or None.
    `rotations` (n, 3, 3) contains the labelled rotations, and `labels` (n, 3) contains their angles in degrees."""
    predicted = np.full((len(found), 3), np.nan)
    geodesic, expected = np.full((2, len(found)), np.nan)
    for index, face in enumerate(found):
        if face is not None:
            predicted[index] = face.angles
            geodesic[index] = geodesic_degrees(face.rotation, rotations[index])
            expected[index] = face.err
    return Scores(labels, predicted, geodesic, expected)


@dataclass(frozen=True)
class ImageResult:
    """The detections and the labels of one image. The detection with the highest score is first. All lengths are
    fractions of the side of the network's input."""

    faces: Sequence[Face]
    boxes: Floats
    """Boxes (n, 4) of the labels, as x0, y0, x1, y1."""
    ignored: NDArray[np.bool_] | np.bool_ = np.False_
    """Flags (n,) of ignored labels. It makes no difference whether a network finds an ignored label."""

    def judged(self, least: float) -> tuple[list[tuple[float, bool]], int]:
        """Return a list, and the number of labels that count. For each detection, the list contains the score and a
        flag. The flag is True if the detection is correct. A label counts if it is not ignored and its box covers at
        least `least` x `least` pixels of the network's input. By the rule of PASCAL VOC, each detection belongs to the
        label that it overlaps most, and only the detection with the highest score is correct for a label. A detection
        whose matching label does not count is left out."""
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


def average_precision(pictures: Sequence[ImageResult], least: float = 0) -> float:
    """Return the average precision from 0 to 1. `ImageResult.judged` decides with `least` which labels count. If no
    label counts, the result is NaN. By the rule of PASCAL VOC 2010 ("all points"), each precision is replaced by the
    best precision at the same or a higher recall."""
    judged = [picture.judged(least) for picture in pictures]
    labels = sum(count for _, count in judged)
    pairs = np.array([pair for some, _ in judged for pair in some], np.float64).reshape(-1, 2)
    if not labels:
        return float("nan")
    right = pairs[np.argsort(-pairs[:, 0], kind="stable"), 1]
    hits = np.cumsum(right)
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float((precision * right).sum() / labels)


def count_labels(pictures: Sequence[ImageResult], least: float = 0) -> int:
    """Return the number of labelled faces that `average_precision` counts."""
    return sum(picture.judged(least)[1] for picture in pictures)


def rounded(value: float, digits: int = 2) -> float | None:
    """Round a number. Return None for NaN, because JSON has no NaN."""
    return None if np.isnan(value) else round(float(value), digits)


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if values.size else float("nan")


def _middle_size(box: Floats) -> Floats:
    """Convert a box from x0, y0, x1, y1 to cx, cy, w, h."""
    return np.concatenate([(box[:2] + box[2:]) / 2, box[2:] - box[:2]])
