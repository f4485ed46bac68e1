"""Known rotations of the demo's textured head against what the network sees and what a camera streams.

The head is turned by one angle at a time, then by all three at once. A network is never exact, so what is judged is how
its angles answer: the sign, which angle, the zero, and the order in which combined turns are composed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np

from blazeposer.core.contract import ANGLES
from blazeposer.core.decode import Face
from blazeposer.core.rotation import Floats, angles_from_rotation, geodesic_degrees, rotation_from_angles
from blazeposer.demo.compare import face_in_picture, match
from blazeposer.demo.run import stream
from blazeposer.faces.detector import Detector
from blazeposer.scene.sequence import PITCH, ROLL, SIDE, YAW, Frame, Person

LIMITS = (YAW, PITCH, ROLL)
"""The head turns to plus and minus these, degrees: farther, it would show sides that the portrait lacks."""
STEPS = 7
"""Of each angle alone."""
COMBINED = 0.8
"""Of its limits when all three turn."""
SCALE = 1.85
"""Pixels per pixel of the portrait, as in the demo."""
LEAST_FOUND = 0.9
LEAST_GAIN, MOST_GAIN = 0.5, 1.3
"""Degrees read per degree turned. A network shrinks the turns of this head, to 0.65 to 0.9 of them; an angle with its
sign turned has a negative gain, one that is not read has 0."""
MOST_CROSSTALK = 0.25
"""The same of the other two angles: 0.11 was seen; of two angles that are exchanged it is the whole gain."""
MOST_ZERO = 6.0
"""Degrees read of a head that looks straight: 4 were seen, at the mean error of the network on photos."""
ORDERS = tuple(permutations(range(len(ANGLES))))
OURS = ORDERS.index((ANGLES.index("pitch"), ANGLES.index("yaw"), ANGLES.index("roll")))
"""The first is outermost."""


def poses(limits: Sequence[float]) -> Floats:
    """(3 * STEPS + 8, 3) yaw, pitch, roll in degrees: each alone through its range, then all three together."""
    alone = [step * limit for limit in np.diag(limits) for step in np.linspace(-1, 1, STEPS)]
    return np.array(alone + [COMBINED * np.multiply(limits, signs) for signs in product((-1, 1), repeat=3)])


def composed(angles: Floats, order: Sequence[int]) -> Floats:
    """Rotations (n, 3, 3) of angles (n, 3), composed in another order than `rotation_from_angles` does."""
    first, second, third = (rotation_from_angles(angles * np.eye(3)[angle]) for angle in order)
    return np.asarray(first @ second @ third)


def order_name(number: int) -> str:
    """Of one of `ORDERS`."""
    return ", ".join(ANGLES[angle] for angle in ORDERS[number])


@dataclass(frozen=True)
class Response:
    """How angles that are read answer to those of a head that is turned."""

    found: int
    """Heads, of all `poses(LIMITS)`."""
    gain: Floats
    """(3, 3) degrees read per degree turned: a row for each angle that turns, a column for each that is read."""
    zero: Floats
    """(3,) degrees read when nothing is turned."""
    orders: Floats
    """(6,) mean degrees between what is read of combined turns and these, composed in each of `ORDERS`."""

    @staticmethod
    def of(read: Floats) -> Response:
        """From the rotations (n, 3, 3) that are read of heads at `poses(LIMITS)`, NaN where none was found."""
        known, found = poses(LIMITS), np.isfinite(read[:, 0, 0])
        together = np.all(known != 0, axis=1)
        alone, together = found & ~together, found & together
        rows = np.column_stack([known, np.ones(len(known))])[alone]
        fit = np.linalg.lstsq(rows, angles_from_rotation(read[alone]), rcond=None)[0]
        off = [geodesic_degrees(read[together], composed(known[together], order)) for order in ORDERS]
        orders = np.mean(off, axis=1) if together.any() else np.full(len(ORDERS), np.nan)
        return Response(int(found.sum()), fit[:3], fit[3], orders)

    def faults(self) -> list[str]:
        """What is not as it has to be, each in a few words."""
        if self.found < LEAST_FOUND * len(poses(LIMITS)):
            return [f"only {self.found} of {len(poses(LIMITS))} heads were found"]
        faults = []
        for turned, name in enumerate(ANGLES):
            for read, gain in enumerate(self.gain[turned]):
                if read != turned and abs(gain) > MOST_CROSSTALK:
                    faults.append(f"{name} is read as {ANGLES[read]}")
                elif read == turned and not LEAST_GAIN <= gain <= MOST_GAIN:
                    faults.append(f"{name} has the other sign" if gain < 0 else f"{name} is read {gain:.2f} times")
            if abs(self.zero[turned]) > MOST_ZERO:
                faults.append(f"{name} is {self.zero[turned]:+.1f} degrees when nothing is turned")
        if (best := int(self.orders.argmin())) != OURS:
            faults.append(f"combined turns are composed as {order_name(best)}, not {order_name(OURS)}")
        return faults

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "found": self.found,
            "gain": self.gain.round(3).tolist(),
            "zero": self.zero.round(2).tolist(),
            "orders": {order_name(number): round(float(off), 2) for number, off in enumerate(self.orders)},
        }


def scenes() -> list[Frame]:
    """The head at `poses(LIMITS)`, in the middle of the picture."""
    turns = [(float(yaw), float(pitch), float(roll)) for yaw, pitch, roll in poses(LIMITS)]
    return [Frame((Person(turn, (SIDE / 2, SIDE / 2), SCALE),)) for turn in turns]


def seen_by_network(model: Path | None, advance: Callable[[], None]) -> Floats:
    """Rotations (n, 3, 3) that the network sees in `scenes()` on the PC, given what a camera gives it."""
    detector, read = Detector(model, input="camera"), []
    for frame in scenes():
        read.append(_rotation(frame, detector(frame.picture)))
        advance()
    return np.array(read)


def streamed_by_camera(model: Path | None, advance: Callable[[], None]) -> Floats:
    """Rotations (n, 3, 3) that `board/main.py` streams of `scenes()` from a virtual camera."""
    frames = scenes()
    read = np.full((len(frames), 3, 3), np.nan)
    for number, record in stream(frames, model):
        read[number] = _rotation(frames[number], [face_in_picture(face) for face in record.faces])
        advance()
    return read


def _rotation(frame: Frame, faces: Sequence[Face]) -> Floats:
    pairs = match(frame, faces)
    return pairs[0][1].rotation if pairs else np.full((3, 3), np.nan)
