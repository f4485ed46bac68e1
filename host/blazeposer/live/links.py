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
    """Time, seconds as `time.time` counts them."""
    picture: Image | None = None
    """The camera's image, where the link carries it."""


class Link(Protocol):
    """A source of records."""

    name: str
    """Name for people: the port, or the file."""
    counts: Counts
    state: str
    """One line on the failure and the remedy; "" if all is well. It may hold words of a camera."""
    blind: str
    """One line on the reason and the remedy while no images come; "" if they do."""

    def arrivals(self) -> Generator[Arrival | None, None, None]:
        """Yield the arrivals, and None whenever nothing came for `PAUSE`. End only when no more can ever come.

        The link opens with the first and closes with the iterator. Raises PortError or InputError if it never opens.
        """
