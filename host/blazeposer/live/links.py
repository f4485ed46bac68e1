"""Define the interface of objects that deliver pose records, for example from a camera, a video or a recording."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from blazeposer.core.prepare import Image
from blazeposer.stream.record import Counts, Record

PAUSE = 0.1
"""Time in seconds. If no pose record arrives in this time, a `Link` yields None, so that the display is updated."""


@dataclass(frozen=True)
class Arrival:
    """A pose record with its time of arrival and its image."""

    record: Record
    at: float
    """Time of arrival in seconds, measured with `time.time`."""
    picture: Image | None = None
    """Image of the pose record, or None if no image arrived."""


class Link(Protocol):
    """The interface of an object that delivers pose records, for example from a camera."""

    name: str
    """Name of the source (for example a port or a file), which is shown to the user."""
    counts: Counts
    state: str
    """One line that describes the failure of the link and the user's next step, or "" if there is no failure. The line
    may contain text from a camera."""
    blind: str
    """One line with the reason why no images arrive and the user's next step, or "" if images arrive."""

    def arrivals(self) -> Generator[Arrival | None, None, None]:
        """Yield each pose record when it arrives, and None if no pose record arrives for `PAUSE` seconds. The iterator
        ends only if no more pose records can arrive. The first step of the iterator opens the source (for example a
        camera or a file), and closing the iterator closes the source. Raises PortError or InputError if the source
        cannot be opened."""
