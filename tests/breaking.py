"""Strategies of hypothesis that break data, as links and disks do."""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy


def flipped(data: bytes) -> SearchStrategy[bytes]:
    """Up to a dozen bits are another way."""
    bits = st.lists(st.integers(0, 8 * len(data) - 1), min_size=1, max_size=12, unique=True)

    def flip(places: list[int]) -> bytes:
        changed = bytearray(data)
        for place in places:
            changed[place // 8] ^= 1 << place % 8
        return bytes(changed)

    return bits.map(flip)


def cut(data: bytes) -> SearchStrategy[bytes]:
    """The end is missing."""
    return st.integers(0, len(data) - 1).map(lambda length: data[:length])


def without_part(data: bytes) -> SearchStrategy[bytes]:
    """A part is missing, perhaps at the beginning."""
    places = st.integers(0, len(data) - 1)
    return st.tuples(places, places).map(lambda ends: data[: min(ends)] + data[max(ends) + 1 :])


def replaced(data: bytes, start: int, parts: list[bytes]) -> SearchStrategy[bytes]:
    """One of these parts lies over what was there, somewhere from `start` on."""
    places = st.integers(start, len(data) - max(map(len, parts)))
    return st.tuples(places, st.sampled_from(parts)).map(
        lambda put: data[: put[0]] + put[1] + data[put[0] + len(put[1]) :]
    )


def damaged(data: bytes) -> SearchStrategy[bytes]:
    """Any of these, or noise instead."""
    return flipped(data) | cut(data) | without_part(data) | st.binary(max_size=300)
