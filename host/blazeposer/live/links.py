"""Define the interface of a link. A link is a source of records, for example a camera, a video or a recording."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from blazeposer.core.prepare import Image
from blazeposer.stream.record import Counts, Record

PAUSE = 0.1
"""Time in seconds after which a link yields None if no record has arrived. The views then show that nothing arrives."""


@dataclass(frozen=True)
class Arrival:
    """A record, the time of its arrival, and its image."""

    record: Record
    at: float
    """Time of arrival in seconds, as `time.time` counts."""
    picture: Image | None = None
    """The camera's image, or None if the link carries no image."""


class Link(Protocol):
    """A source of records."""

    name: str
    """Name to show: the port or the file."""
    counts: Counts
    state: str
    """One line with the failure of the link and the user's next step, or "" if there is no failure. The line may
    contain text from a camera."""
    blind: str
    """One line with the reason why no images arrive and the user's next step, or "" if images arrive."""

    def arrivals(self) -> Generator[Arrival | None, None, None]:
        """Yield each arrival. Yield None each time nothing has arrived for `PAUSE`. End only if no more arrivals can
        come.

        The link opens at the first step of the iterator and closes with the iterator. Raises PortError or InputError if
        the link cannot be opened.
        """
