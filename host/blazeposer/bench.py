"""How long BlazePoser and its peers take on the same pictures, in one run on one thread.

What counts is processor time. They take turns at every picture, so that whatever else the machine does meets all alike;
what is compared are ratios at the same picture, and their median.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeposer.decode import Face
from blazeposer.detect import Detector
from blazeposer.interpreter import clock
from blazeposer.peers import Peer
from blazeposer.prepare import Image
from blazeposer.resources import default_model

Floats = NDArray[np.float64]

WARM_UP = 5
"""Pictures that each sees before its time counts."""


class Ours:
    """BlazePoser on the terms of its peers: whole picture, XNNPACK, one thread."""

    def __init__(self, model: Path | None, max_faces: int) -> None:
        self.files = (model or default_model(),)
        self._detector = Detector(self.files[0], "xnnpack", max_faces=max_faces)
        self.name = f"BlazePoser {'INT8' if self._detector.network.is_int8 else 'float'}"

    @property
    def seconds(self) -> float:
        return self._detector.network.seconds

    def __call__(self, picture: Image) -> list[Face]:
        return self._detector(picture)


@dataclass(frozen=True)
class Times:
    """Seconds (runs, systems): of everything from the picture to the faces, and in the networks alone."""

    total: Floats
    network: Floats

    def medians(self) -> list[tuple[float, float]]:
        """Milliseconds of each system: in all, in its networks."""
        return [
            (float(a), float(b))
            for a, b in zip(*(1e3 * np.median(t, 0) for t in (self.total, self.network)), strict=True)
        ]

    def ratios(self) -> list[tuple[float, float]]:
        """Time of the first system over that of each, the median over the runs: in all, in the networks."""
        parts = (np.median(times[:, :1] / times, 0) for times in (self.total, self.network))
        return [(float(a), float(b)) for a, b in zip(*parts, strict=True)]


def measure(
    systems: Sequence[Peer], pictures: Sequence[Image], rounds: int, advance: Callable[[], None] = lambda: None
) -> Times:
    """Times of `systems` on each picture, `rounds` times; `advance` hears of each picture done, warm-up aside."""
    for system in systems:
        for number in range(WARM_UP):
            system(pictures[number % len(pictures)])
    total, network = np.empty((2, rounds * len(pictures), len(systems)))
    for run in range(len(total)):
        for turn in range(len(systems)):
            place = (run + turn) % len(systems)  # nobody always runs behind the same one
            system, before = systems[place], systems[place].seconds
            started = clock()
            system(pictures[run % len(pictures)])
            total[run, place] = clock() - started
            network[run, place] = system.seconds - before
        advance()
    return Times(total, network)


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV on one thread, as the networks are."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def processor() -> str:
    """What this machine calls its processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
