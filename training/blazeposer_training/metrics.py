"""How good a network is: recall of labelled faces, and angle errors on the faces that it found.

A labelled face is found if, of the detections with a score of at least 0.5, the one whose box overlaps the label's most
does so with an intersection over union above 0.4. Angle errors are plain absolute differences of degrees: no minimum
over shifts by 180 or 360.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blazeposer.contract import SCORE_THRESHOLD
from blazeposer.decode import Face, decode, overlaps
from blazeposer.rotation import geodesic_degrees

MATCH_OVERLAP = 0.4
YAW_RANGES = ((0, 30), (30, 60), (60, 99))
MOST_FACES = 32
"""Detections considered in one picture."""

Floats = NDArray[np.float64]


@dataclass
class Scores:
    """Labels (n, 3) and predictions (n, 3) as yaw, pitch, roll in degrees, NaN where the face was not found, and the
    angle (n,) between the two rotations."""

    labels: Floats
    predicted: Floats
    geodesic: Floats

    @property
    def found(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.geodesic)

    @property
    def recall(self) -> float:
        return float(self.found.mean())

    @property
    def errors(self) -> Floats:
        """Absolute differences (found, 3) of yaw, pitch, roll."""
        return np.abs(self.predicted - self.labels)[self.found]

    @property
    def mean(self) -> float:
        """MAE on detected faces: the mean of the three angles' mean absolute errors."""
        return float(self.errors.mean()) if self.found.any() else float("nan")

    def within(self, low: float, high: float) -> Scores:
        """The faces whose labelled |yaw| is in [low, high)."""
        yaw = np.abs(self.labels[:, 0])
        keep = (yaw >= low) & (yaw < high)
        return Scores(self.labels[keep], self.predicted[keep], self.geodesic[keep])

    def interval(self, rounds: int = 2000, seed: int = 0) -> tuple[float, float]:
        """Bootstrap 95 % interval of `mean` over faces."""
        errors = self.errors.mean(axis=1)
        rng = np.random.default_rng(seed)
        means = errors[rng.integers(0, len(errors), (rounds, len(errors)))].mean(axis=1)
        low, high = np.percentile(means, [2.5, 97.5])
        return float(low), float(high)

    def as_dict(self) -> dict[str, object]:
        """Figures for a manifest, a log or a report; degrees, rounded to hundredths."""
        yaw, pitch, roll = self.errors.mean(axis=0).round(2).tolist()
        return {
            "faces": len(self.labels),
            "found": int(self.found.sum()),
            "recall": round(self.recall, 4),
            "mae": {"yaw": yaw, "pitch": pitch, "roll": roll, "mean": round(self.mean, 2)},
            "mae_by_yaw": {f"{low}-{high}": round(self.within(low, high).mean, 2) for low, high in YAW_RANGES},
            "geodesic": round(float(self.geodesic[self.found].mean()), 2),
        }

    def line(self) -> str:
        """One line for a log."""
        yaw, pitch, roll = self.errors.mean(axis=0)
        parts = " / ".join(f"{self.within(low, high).mean:.2f}" for low, high in YAW_RANGES)
        return (
            f"MAE {self.mean:.2f} (yaw {yaw:.2f} pitch {pitch:.2f} roll {roll:.2f}; by |yaw| {parts}), "
            f"geodesic {np.mean(self.geodesic[self.found]):.2f}, recall {self.recall:.3f} of {len(self.labels)}"
        )


def find(outputs: Sequence[NDArray[np.floating]], box: Floats) -> Face | None:
    """The detection that answers a label's box, from the network's dequantized outputs; see `decode` and `match`."""
    return match(decode(outputs, SCORE_THRESHOLD, MOST_FACES), box)


def match(faces: Sequence[Face], box: Floats) -> Face | None:
    """The detection that overlaps a label's box (x0, y0, x1, y1 as fractions of the side) most, if it does enough."""
    if not faces:
        return None
    middle_size = np.concatenate([(box[:2] + box[2:]) / 2, box[2:] - box[:2]])
    boxes = np.array([(x + w / 2, y + h / 2, w, h) for x, y, w, h in (face.box for face in faces)])
    overlap = overlaps(middle_size, boxes)
    best = int(np.argmax(overlap))
    return faces[best] if overlap[best] > MATCH_OVERLAP else None


def score(found: Sequence[Face | None], rotations: Floats, labels: Floats) -> Scores:
    """Scores of one detection (or None) a labelled face; rotations (n, 3, 3) and labels (n, 3) are the truth."""
    predicted = np.full((len(found), 3), np.nan)
    geodesic = np.full(len(found), np.nan)
    for index, face in enumerate(found):
        if face is not None:
            predicted[index] = face.angles
            geodesic[index] = geodesic_degrees(face.rotation, rotations[index])
    return Scores(labels, predicted, geodesic)
