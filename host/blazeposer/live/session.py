"""Run the main loop of a live session."""

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
"""Longest time between two records for the smoothing, in seconds. Longer times are shortened to this time, because a
clock can be wrong or restart. After a time of this length without a record, the tracking of all faces starts again."""


class Head(NamedTuple):
    """The pose of the selected person's head, relative to the zero pose (see `centre.py`)."""

    rotation: Floats
    """Rotation (3, 3) from the zero pose, computed with the rotations in `Moment.faces`."""
    to_axis: Floats
    """Rotation (3, 3) from the zero pose, computed with rotations relative to the camera's axis."""
    position: Floats
    """Position (3,) in centimetres. x points to the image's right, y points up, and z points away from the camera."""


@dataclass(frozen=True)
class Moment:
    """The data of a live session at one moment. For `name`, `state` and `blind`, see `links.Link`. For `at`, see
    `links.Arrival`."""

    name: str
    state: str
    counts: Counts
    troubles: Mapping[str, str] = field(default_factory=dict)
    """Problem of each `Sender` that has a problem. The keys are the names of the senders."""
    blind: str = ""
    record: Record | None = None
    """The record that arrived, or None. Its faces have the values from the network without smoothing, and the ids from
    the tracking."""
    faces: tuple[Face, ...] = ()
    """The faces of the record in the same order, with their positions in space. If smoothing is on, the faces are
    smoothed."""
    at: float = 0.0
    picture: Image | None = None
    fov: float = FIELD_OF_VIEW
    """Horizontal field of view of the image, in degrees."""
    axis: bool = False
    """True if the faces' angles are relative to the camera's axis. False if the angles are relative to the line of
    sight from the camera to the face."""
    rest: Floats | None = None
    """Rotation (3, 3) of the zero pose, or None until the user sets a zero pose (see `centre.py`)."""
    recentred: bool = False
    head: Head | None = None
    """The head for programs that accept only one head. The value is None before the first face, and after the head has
    returned to the zero pose."""

    @property
    def shown(self) -> tuple[Face, ...]:
        """The faces with angles relative to the zero pose `rest`."""
        return tuple(map(self.from_rest, self.faces))

    def from_rest(self, face: Face) -> Face:
        """Return a copy of a face with angles relative to the zero pose `rest`."""
        return face if self.rest is None else face.turned(self.rest.T @ face.rotation)

    def to_axis(self, face: Face) -> Face:
        """Return a copy of one of the `faces`, with angles relative to the camera's axis."""
        if self.axis or not self.record:
            return face
        return to_camera(face, self.record.size, self.fov)


class View(Protocol):
    """An object that shows a session to people, or sends the poses of a session to programs."""

    def show(self, moment: Moment) -> None:
        """Show one `Moment`. The session receives no pose records until `show` returns, so `show` must be fast."""


class Sender(View, Protocol):
    """A `View` that sends poses to another program."""

    name: str
    """The address to which records are sent, without a password."""
    missed: int
    """Number of records that did not reach the other program."""

    @property
    def state(self) -> str:
        """One line that says why the other program receives no poses, and what the user can do, or "" without a
        problem."""


def run(
    link: Link,
    views: Sequence[View],
    outputs: Sequence[Sender] = (),
    *,
    centre: Callable[[Moment], Moment] = lambda moment: moment,
    smooth: bool = True,
    fov: float = FIELD_OF_VIEW,
    axis: bool = False,
    strict: bool = False,
) -> None:
    """Make a `Moment` for each arrival from `link`, and pass the `Moment` to all `outputs` and `views`. Return when
    `link` ends. If the pose records already contain ids of the faces, these ids are used. If `strict` is true, the
    failure of one of the `outputs` raises InputError."""
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
    """An object that tracks the faces of successive pose records and computes the positions of the faces in space."""

    def __init__(self, smooth: bool = True, fov: float = FIELD_OF_VIEW, axis: bool = False) -> None:
        self._tracker = Tracker(smooth=smooth)
        self._fov = fov
        self._axis = axis
        self.time = 0.0
        """Time of the last record in seconds, by the camera's clock. This time never decreases."""
        self._last_ms: int | None = None

    def __call__(self, moment: Moment, arrival: Arrival) -> Moment:
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
        place = record.size, self._fov
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
