"""Let the user choose the zero pose of a head, and select one head for programs that accept only one."""

import time
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from blazeposer.core.face import Face
from blazeposer.core.rotation import Floats
from blazeposer.live.session import Head, Moment

HOLD = 0.7
"""Time in seconds for which the selected head keeps its last pose after its face was lost. After this time, the head
returns to the zero pose."""
DRIFT = 1.0
"""Time constant of the head's return to the zero pose, in seconds."""
BACK = 0.2
"""Time constant of the head's movement from the zero pose to the pose of a face that was found again, in seconds."""


class Leader:
    """A filter that selects one person. When this person is no longer visible, the filter selects the person with the
    largest face."""

    def __init__(self) -> None:
        self._id: int | None = None

    def of(self, moment: Moment) -> Face | None:
        """Return the face of the selected person, or None if `moment` has no faces."""
        faces = {face.id: face for face in moment.faces}
        if self._id not in faces:
            largest = max(moment.faces, key=lambda face: face.box[2], default=None)
            self._id = largest.id if largest else self._id
            return largest
        return faces[self._id]


class Centre:
    """An object that sets the fields `rest` (the zero pose), `head` and `recentred` in a copy of each `Moment`. `head`
    is the head of the person whom `Leader` selects. The angle between the head and the zero pose is reduced by
    `deadzone` degrees, but not below zero."""

    def __init__(self, deadzone: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._deadzone = np.radians(deadzone)
        self._clock = clock
        self._leader = Leader()
        self._rest: Head | None = None
        self._asked = False
        self._last: Head | None = None
        self._share = 1.0  # fraction of the way from the zero pose to the last pose
        self._seen = self._now = clock()

    def recentre(self) -> None:
        """Use the next pose of the selected person as the zero pose. Any thread may call `recentre`."""
        self._asked = True

    def __call__(self, moment: Moment) -> Moment:
        before, self._now = self._now, self._clock()
        step, face = self._now - before, self._leader.of(moment)
        recentred = self._asked and face is not None
        if face is not None:
            seen = Head(face.rotation, moment.to_axis(face).rotation, np.array(face.position or (0, 0, 0)))
            self._share = 1.0 if self._last is None else 1 - (1 - self._share) * np.exp(-step / BACK)
            self._last, self._seen = seen, self._now
            if recentred:
                self._rest, self._asked = seen, False
        elif self._now - self._seen > HOLD:
            self._share *= np.exp(-step / DRIFT)
        rest = self._rest.rotation if self._rest else None
        return replace(moment, rest=rest, head=self._head(), recentred=recentred)

    def _head(self) -> Head | None:
        last, rest = self._last, self._rest
        if last is None or self._share < 1e-3:  # at rest
            return None
        if rest is None:
            return Head(self._part(last.rotation), self._part(last.to_axis), last.position)
        position = self._share * (last.position - rest.position)
        return Head(self._part(rest.rotation.T @ last.rotation), self._part(rest.to_axis.T @ last.to_axis), position)

    def _part(self, rotation: Floats) -> Floats:
        """Return a rotation (3, 3) about the same axis as `rotation`. Its angle is the angle of `rotation`, reduced by
        the dead zone and multiplied by `_share`."""
        if self._share > 0.999 and not self._deadzone:
            return rotation
        vector = np.asarray(cv2.Rodrigues(rotation)[0], np.float64)
        angle = float(np.linalg.norm(vector))
        vector *= self._share * max(0.0, 1 - self._deadzone / angle) if angle else 0.0
        return np.asarray(cv2.Rodrigues(vector)[0], np.float64)
