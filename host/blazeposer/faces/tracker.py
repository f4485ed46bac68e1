"""Which face is whose from picture to picture, and steady numbers for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from blazeposer.core.decode import Face, overlaps
from blazeposer.faces.one_euro import Floats, SteadyPoints, SteadyRotation

LEAST_OVERLAP = 0.1
"""Of a face with the last box of its track, intersection over union: what is left when a head moves by two thirds of
its width between two pictures."""
PATIENCE = 1.5
"""Seconds that a track outlives its face: more than a picture of a camera that has but one a second."""
MOST_LOST = 8
"""Tracks at once that outlive their faces, those lost last: a camera's heap is small."""


@dataclass(frozen=True)
class Track:
    """A face with its history."""

    id: int
    """1, 2, ... in the order of appearance; never used twice."""
    face: Face
    """Box, keypoints and rotation smoothed if so asked; score and expected error as they are."""
    raw: Face
    """As the network saw it."""
    lost: int = 0
    """Pictures since it was last seen; 0 if it is in this one."""


class Tracker:
    """Follows faces. Lengths are in whatever unit the faces have, as long as it stays the same."""

    def __init__(self, smooth: bool = True, patience: float = PATIENCE) -> None:
        self._smooth = smooth
        self._patience = patience
        self._people: list[_Person] = []
        self._last_id = 0

    def update(self, faces: Sequence[Face], t: float) -> list[Track]:
        """The tracks after the faces of the picture taken at `t` seconds: those seen in it, in the order of `faces`,
        then those that were lost not long ago, as last seen."""
        people = [person for person in self._people if t - person.seen < self._patience]
        owners = _matched(people, faces)
        seen = []
        for face, person in zip(faces, owners, strict=True):
            if person is None:
                self._last_id += 1
                seen.append(_Person(Track(self._last_id, face, face), t))
            else:
                person.see(face, t, self._smooth)
                seen.append(person)
        lost = [person for person in people if person not in seen][:MOST_LOST]  # the latest come first
        for person in lost:
            person.track = replace(person.track, lost=person.track.lost + 1)
        self._people = seen + lost
        return [person.track for person in self._people]


class _Person:
    """A track and its filters."""

    def __init__(self, track: Track, t: float) -> None:
        self.track = track
        self.seen = t
        self._rotation = SteadyRotation(track.raw.rotation)
        self._points = SteadyPoints(_points(track.raw))

    def see(self, face: Face, t: float, smooth: bool) -> None:
        """Take in the face of the picture at `t` seconds."""
        steady = face
        if smooth:
            points = self._points.update(_points(face), face.box[2], t - self.seen)
            rotation = self._rotation.update(face.rotation, t - self.seen)
            steady = _with_points(replace(face, rotation=rotation), points)
        self.track = replace(self.track, face=steady, raw=face, lost=0)
        self.seen = t


def _matched(people: Sequence[_Person], faces: Sequence[Face]) -> list[_Person | None]:
    """Whose each face is, no person twice: the pair that overlaps most first."""
    owners: list[_Person | None] = [None] * len(faces)
    if people and faces:
        boxes = np.array([_centred(person.track.raw) for person in people])
        table = np.array([overlaps(_centred(face), boxes) for face in faces])  # (faces, people)
        while table.max() > LEAST_OVERLAP:
            face, person = divmod(int(table.argmax()), len(people))
            owners[face] = people[person]
            table[face] = table[:, person] = 0
    return owners


def _centred(face: Face) -> Floats:
    """cx, cy, w, h."""
    x, y, w, h = face.box
    return np.array([x + w / 2, y + h / 2, w, h])


def _points(face: Face) -> Floats:
    """(8, 2): middle of the box, its width and height, the keypoints."""
    return np.vstack([_centred(face).reshape(2, 2), face.keypoints])


def _with_points(face: Face, points: Floats) -> Face:
    (x, y), (w, h) = points[:2].tolist()
    return replace(face, box=(x - w / 2, y - h / 2, w, h), keypoints=points[2:])
