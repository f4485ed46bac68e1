"""The interface of a link."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from blazeposer.core.prepare import Image
from blazeposer.stream.record import Counts, Record

PAUSE = 0.1
"""Seconds after which a link from which nothing came says so, and the views show that."""


@dataclass(frozen=True)
class Arrival:
    """A record that came."""

    record: Record
    at: float
    """When, in seconds as `time.time` counts them."""
    picture: Image | None = None
    """What the camera saw, where the link carries it."""


class Link(Protocol):
    """A source of records."""

    name: str
    """For people: the port, or the file."""
    counts: Counts
    state: str
    """What is wrong and what to do, in one line; "" if all is well. It may hold what a camera said."""

    blind: str
    """The reason why no images come and what to do, in one line; "" if they do."""

    def arrivals(self) -> Generator[Arrival | None, None, None]:
        """Yield the arrivals, and None whenever nothing came for `PAUSE`. End only when no more can ever come.

        The link opens with the first and closes with the iterator. Raises PortError or InputError if it never opens.
        """
