"""Compare the true angles of the demo's heads with the streamed angles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blazeposer.camera.sensor import WINDOW
from blazeposer.core.contract import ANGLES
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.face import Face
from blazeposer.scene.sequence import SIDE, DemoFrame, Person

Found = Mapping[int, Sequence[Face]]
"""Mapping from each frame's number to the faces that were found in the frame. Lengths are in pixels of the frame."""
TO_PICTURE = SIDE / WINDOW[2]
"""Scale factor from pixels of the camera's window to pixels of a frame."""
MAX_OFFSET = 0.5
"""Largest distance between a person's face and the streamed face that belongs to this person. The distance is measured
between the centres of the faces, in units of the size of the person's face."""


def face_in_picture(face: Face) -> Face:
    """Return a copy of a streamed face in which all lengths are in pixels of the frame."""
    return face.moved(0, 0, TO_PICTURE, TO_PICTURE)


def match(frame: DemoFrame, faces: Sequence[Face]) -> list[tuple[Person, Face]]:
    """Pair each person in the frame with the nearest found face, and leave out people without a found face near them.
    The boxes of all faces are in pixels of the frame."""
    pairs = []
    for person in frame.people:
        offsets = [_offset(person, face) for face in faces]
        if offsets and min(offsets) < MAX_OFFSET:
            pairs.append((person, faces[int(np.argmin(offsets))]))
    return pairs


def _offset(person: Person, face: Face) -> float:
    """Return the distance between the centres of the person's face and of the found face `face`, in units of the size
    of the person's face."""
    x, y, w, h = person.box
    left, top, width, height = face.box
    return float(np.hypot((left + width / 2 - x) / w - 0.5, (top + height / 2 - y) / h - 0.5))


@dataclass(frozen=True)
class PoseAgreement:
    """The true angles (`known`) and the streamed angles (`measured`) of all people whose faces were found. Both arrays
    have the shape (n, 3). `people` is the number of people, summed over the streamed frames. `extra` is the number of
    found faces that belong to no person."""

    known: NDArray[np.float64]
    measured: NDArray[np.float64]
    people: int
    extra: int

    @property
    def correlation(self) -> dict[str, float]:
        """Pearson's correlation between the true and the streamed values of each angle."""
        pairs = zip(ANGLES, self.known.T, self.measured.T, strict=True)
        return {name: float(np.corrcoef(known, measured)[0, 1]) for name, known, measured in pairs}

    @property
    def difference(self) -> dict[str, float]:
        """Mean absolute difference between the true and the streamed values of each angle, in degrees."""
        return dict(zip(ANGLES, np.abs(self.known - self.measured).mean(0).tolist(), strict=True))


def agreements(frames: Sequence[DemoFrame], found: Found) -> dict[str, PoseAgreement]:
    """Compare the streamed angles with the true angles. Raises BlazePoserError if fewer than two faces belong to
    people."""
    alone = {number: faces for number, faces in found.items() if len(frames[number].people) == 1}
    return {"turning head": _agreement(frames, alone), "all faces": _agreement(frames, found)}


def _agreement(frames: Sequence[DemoFrame], found: Found) -> PoseAgreement:
    pairs = [pair for number, faces in found.items() for pair in match(frames[number], faces)]
    if len(pairs) < 2:
        raise BlazePoserError("almost no face was found in the demo's images: use a trained model")
    return PoseAgreement(
        known=np.array([person.angles for person, _ in pairs]),
        measured=np.array([face.angles for _, face in pairs]),
        people=sum(len(frames[number].people) for number in found),
        extra=sum(map(len, found.values())) - len(pairs),
    )
