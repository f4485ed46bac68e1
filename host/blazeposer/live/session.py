"""The loop of a session: what comes over a link is tracked, placed and handed to the views."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from blazeposer.core.errors import InputError
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import Floats
from blazeposer.faces.position import FIELD_OF_VIEW, position, to_camera
from blazeposer.faces.tracker import Tracker
from blazeposer.live.links import Arrival, Link
from blazeposer.stream.record import Counts, Record

LONGEST_STEP = 2.0
"""Seconds between two records as the smoothing takes them at most: a garbled or restarted clock does no harm.
Tracks end by it."""


class Head(NamedTuple):
    """The first person's head, from the pose that is its zero."""

    rotation: Floats
    """(3, 3), as the faces' rotations."""
    to_axis: Floats
    """(3, 3), to the camera's axis."""
    position: Floats
    """(3,), centimetres: x right, y up, z away."""


@dataclass(frozen=True)
class Moment:
    """A moment of the session: a record, or none when nothing comes."""

    name: str
    """Name of the link."""
    state: str
    """See `links.Link`."""
    counts: Counts
    troubles: Mapping[str, str] = field(default_factory=dict)
    """Name and state of each output that is not well."""
    blind: str = ""
    """See `links.Link`."""
    record: Record | None = None
    """Faces as the network saw them, with the tracks' ids."""
    faces: tuple[Face, ...] = ()
    """The record's faces, in its order: smoothed if so asked, and placed in the room."""
    at: float = 0.0
    """Time of the record's arrival, see `links.Arrival`."""
    picture: Image | None = None
    fov: float = FIELD_OF_VIEW
    """Degrees that the image's width sees."""
    axis: bool = False
    """True if the faces' angles are to the camera's axis instead of the line of sight."""
    rest: Floats | None = None
    """Rotation (3, 3) that is shown as zero, once somebody has recentred; see `centre.py`."""
    recentred: bool = False
    """True if that was just now."""
    head: Head | None = None
    """The head for programs that take one; None once it is at rest."""

    @property
    def shown(self) -> tuple[Face, ...]:
        """The faces with their angles from `rest`."""
        return tuple(map(self.from_rest, self.faces))

    def from_rest(self, face: Face) -> Face:
        """Return a face with its angles from `rest`."""
        return face if self.rest is None else face.turned(self.rest.T @ face.rotation)

    def to_axis(self, face: Face) -> Face:
        """Return one of `faces` with its angles to the camera's axis."""
        if self.axis or not self.record:
            return face
        width, height = self.record.size
        return to_camera(face, width, self.fov, height)


class View(Protocol):
    """Shows moments, or passes them on."""

    def show(self, moment: Moment) -> None:
        """Take one moment, fast: the link waits."""


class Output(View, Protocol):
    """A view that passes moments on, and may fail at that."""

    name: str
    """The target, without a password."""
    missed: int
    """Records that did not arrive."""

    @property
    def state(self) -> str:
        """Return in one line why nothing arrives now and what to do; empty if all is well."""


def run(
    link: Link,
    views: Sequence[View],
    outputs: Sequence[Output] = (),
    *,
    centre: Callable[[Moment], Moment] = lambda moment: moment,
    smooth: bool = True,
    fov: float = FIELD_OF_VIEW,
    axis: bool = False,
    strict: bool = False,
) -> None:
    """Make a moment of every arrival, for each output and view, until the link ends.

    Faces are smoothed if so asked; those that the camera follows itself keep its ids. `fov` and `axis` are those of
    `Moment`. `centre`: see `centre.py`. `strict`: raise InputError when an output fails, instead of going on.
    """
    follow = Follower(smooth, fov, axis)
    with closing(link.arrivals()) as arrivals:
        for arrival in arrivals:
            troubles = {output.name: state for output in outputs if (state := output.state)}
            for name, state in troubles.items() if strict else ():
                raise InputError(f"{name}: {state}")
            moment = Moment(link.name, link.state, link.counts, troubles, link.blind)
            if arrival:
                moment = follow(moment, arrival)
            moment = centre(moment)
            for view in (*outputs, *views):
                view.show(moment)


class Follower:
    """Tracks and places the faces of one record after the other."""

    def __init__(self, smooth: bool = True, fov: float = FIELD_OF_VIEW, axis: bool = False) -> None:
        self._tracker = Tracker(smooth=smooth)
        self._fov = fov
        self._axis = axis
        self.time = 0.0
        """Seconds of the session at the last record, by the camera's clock; it never goes back."""
        self._last_ms: int | None = None

    def __call__(self, moment: Moment, arrival: Arrival) -> Moment:
        """Return the moment with the arrival's record, faces and image."""
        record = arrival.record
        step = (record.t_ms - self._last_ms) / 1000 if self._last_ms is not None else 0.0
        self._last_ms = record.t_ms
        self.time += min(max(step, 0.001), LONGEST_STEP)
        faces = self._tracker.update(record.faces, self.time)
        pairs = list(zip(faces, record.faces, strict=True))
        if all(face.id is not None for face in record.faces):
            faces = [replace(face, id=seen.id) for face, seen in pairs]
        else:
            record = replace(record, faces=tuple(replace(seen, id=face.id) for face, seen in pairs))
        width, height = record.size
        place = width, self._fov, height
        placed = [
            replace(to_camera(face, *place) if self._axis else face, position=position(face, *place)) for face in faces
        ]
        return replace(
            moment,
            record=record,
            faces=tuple(placed),
            at=arrival.at,
            picture=arrival.picture,
            fov=self._fov,
            axis=self._axis,
        )
