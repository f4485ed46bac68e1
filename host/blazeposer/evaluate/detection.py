"""Compare the face detection of three networks on the same images. The networks are BlazePoser's INT8 network,
BlazePoser's float network, and MediaPipe's float BlazeFace. On the data set WIDER FACE, only the average precision of
the networks is compared."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from rich.progress import track

from blazeposer.core.console import Console
from blazeposer.core.contract import INPUT_SIZE, SCORE_THRESHOLD
from blazeposer.core.decode import centred_boxes, decode, overlaps
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image, clean_input
from blazeposer.core.rotation import Floats, angles_from_rotation
from blazeposer.evaluate.datasets import read_dataset
from blazeposer.evaluate.datasets.common import load_image
from blazeposer.evaluate.datasets.pool import TEST_POOL, read_backgrounds, read_pool
from blazeposer.evaluate.datasets.pools import read_maskon_boxes
from blazeposer.evaluate.datasets.wider import read_wider
from blazeposer.evaluate.metrics import MOST_FACES, ImageResult, average_precision, count_labels, match, rounded, score
from blazeposer.evaluate.peers.blazeface import Outputs, Run
from blazeposer.evaluate.peers.mediapipe import blazeface_path, original
from blazeposer.evaluate.report import shown
from blazeposer.tflite.interpreter import litert, open_network

SCENES = "maskon-boxes"
TURNED = 60.0
"""Limit of |yaw| in degrees, beyond which a face counts as turned."""
SIZES = (16, 24, 32)
"""For each of these sizes, an average precision is computed from the faces with at least this size. The size of a face
is the square root of the area of its box, in pixels of the network's input."""
LEAST_SCORE = 0.05
"""Smallest score of a detection that counts for the average precision. Without this limit, each of the 896 anchors
would be a detection."""
STEP = 0.01
"""Step between two score thresholds."""
LANDMARKS = {"right eye": slice(36, 42), "left eye": slice(42, 48), "nose": slice(30, 31), "mouth": slice(48, 68)}
"""iBUG-68 landmarks of each of the first four keypoints. The mean of the landmarks is the keypoint's label."""

T = TypeVar("T")
Answers = list[Face | None]
"""Face that matches each label, or None. Lengths are fractions of the image's side."""


@dataclass(frozen=True)
class Figures:
    recall: float
    turned: float
    """Recall on faces with a |yaw| beyond TURNED degrees."""
    precision: tuple[float | None, ...]
    """Average precision for each size in SIZES, or None if no face is large enough."""
    keypoints: tuple[float, ...]
    """Mean distance of each keypoint of LANDMARKS from its label, in pixels of the network's input. The mean is over
    the faces that all networks found."""
    alarms: int
    """Number of false positives at the default score threshold, in photos of places. These photos show no face."""
    threshold: float
    """Highest score threshold (a multiple of STEP) at which the network finds at least as many labelled faces as the
    original BlazeFace finds at the default score threshold, or 0 if there is no such threshold."""
    alarms_there: int
    """Number of false positives in the photos of places, at the score threshold `threshold`."""
    on_places: float
    """Fraction of the photos of places in which the network finds a face."""
    on_hands: float
    """Fraction of close-up photos of hands in which the network finds a face. These photos also show no face."""


@dataclass(frozen=True)
class Agreement:
    """The differences between two networks' results on the labelled faces that both networks found."""

    faces: int
    overlap: float
    """Mean intersection over union of the two networks' boxes."""
    keypoints: float
    """Mean distance between the two networks' keypoints, as a fraction of the image's side."""
    angles: float
    """Difference between two mean absolute errors of the angles, in degrees: the first network's error minus the second
    network's error."""

    def line(self) -> str:
        return (
            f"On the {self.faces} labelled faces that INT8 and float both found, the mean IoU between the two "
            f"networks' boxes is {self.overlap:.3f}. The mean distance between the two networks' keypoints is "
            f"{100 * self.keypoints:.2f} % of the image's side. The mean error of INT8's angles minus the mean error "
            f"of float's angles is {self.angles:+.3f} degrees."
        )


@dataclass(frozen=True)
class Measured:
    figures: dict[str, Figures]
    near: Agreement
    """Differences between the INT8 network and the float network."""
    boxed_faces: dict[int, int]
    """Number of faces that count for each size in SIZES."""
    faceless_images: int
    hands: int


@dataclass(frozen=True)
class Precision:
    """The average precision of each network on WIDER FACE, for the sizes in SIZES and for the size 0, which includes
    all faces."""

    images: int
    faces: dict[int, int]
    """For each size, the number of labelled faces that have at least this size. Faces with ignored boxes (see
    `wider.py`) do not count."""
    average_precision: dict[str, dict[int, float | None]]
    """Average precision from 0 to 1 for each network and size, or None if no face is large enough."""

    def rows(self) -> list[list[str]]:
        """Return the rows of a table, which has one row for each size and one column for each network."""
        return [
            [f"{least} px and more ({count} faces)" if least else f"all ({count} faces)",
             *(shown(values[least], 4) for values in self.average_precision.values())]
            for least, count in self.faces.items()
        ]  # fmt: skip


def measure(int8: Path, data: Path) -> Measured:
    """Measure BlazeFace and BlazePoser's two networks on the data sets in the folder `data`."""
    runs = _runs(int8)
    poses, scenes = read_dataset(TEST_POOL, data), read_maskon_boxes(data)
    places, hands = (read_backgrounds(data, test=True, name=name) for name in ("faceless", "hands"))
    sizes = np.array([sample.load().shape[1::-1] for sample in poses.samples])
    labels = [sample.boxes / np.tile(size, 2) for sample, size in zip(poses.samples, sizes, strict=True)]
    landmarks = read_pool(data, TEST_POOL).landmarks / sizes[:, np.newaxis]
    outputs = {
        name: [run(clean_input(sample.load())) for sample in _track(poses.samples, f"{name}: {poses.name}")]
        for name, run in runs.items()
    }
    found = {name: answers(values, labels) for name, values in outputs.items()}
    hits = {name: np.array([face is not None for face in faces]) for name, faces in found.items()}
    everywhere = np.all(list(hits.values()), axis=0)
    turned = np.abs(poses.angles[:, 0]) > TURNED
    figures = {}
    for name, run in runs.items():
        threshold = equal_recall(outputs[name], labels, int(hits["BlazeFace"].sum()))
        boxed = [
            ImageResult(_all_faces(run(clean_input(image))), _fractions(boxes, image))
            for image, boxes in _track(scenes, f"{name}: {SCENES}")
        ]
        on_places, on_hands = (false_positives(run, photos, f"{name}: no faces") for photos in (places, hands))
        shared = [face for face, all_found in zip(found[name], everywhere, strict=True) if face and all_found]
        figures[name] = Figures(
            recall=float(hits[name].mean()),
            turned=float(hits[name][turned].mean()),
            precision=tuple(rounded(average_precision(boxed, least), 4) for least in SIZES),
            keypoints=keypoint_distances(shared, landmarks[everywhere]),
            alarms=count(on_places, SCORE_THRESHOLD),
            threshold=threshold,
            alarms_there=count(on_places, threshold),
            on_places=share(on_places),
            on_hands=share(on_hands),
        )
    near = agreement(found["INT8"], found["float"], poses.rotations)
    return Measured(figures, near, {least: count_labels(boxed, least) for least in SIZES}, len(places), len(hands))


def measure_wider(int8: Path, folder: Path) -> Precision:
    """Measure the average precision of the three networks on WIDER FACE. Only one image is in memory at a time."""
    runs, images = _runs(int8), read_wider(folder)
    found: dict[str, list[ImageResult]] = {name: [] for name in runs}
    for path, boxes, ignored in _track(images, "WIDER FACE"):
        image = load_image(path)
        tensor, labels = clean_input(image), _fractions(boxes, image)
        for name, run in runs.items():
            found[name].append(ImageResult(_all_faces(run(tensor)), labels, ignored))
    sizes = (0, *SIZES)
    average = {
        name: {least: rounded(average_precision(some, least), 4) for least in sizes} for name, some in found.items()
    }
    return Precision(len(images), {least: count_labels(found["INT8"], least) for least in sizes}, average)


def _runs(int8: Path) -> dict[str, Run]:
    """Return functions that run BlazeFace, the INT8 network `int8`, and the float network. The file of the float
    network is in the same folder as `int8`."""
    return {
        "BlazeFace": original(litert(blazeface_path().read_bytes())),
        "float": open_network(int8.with_name("blazeposer_float.tflite"), "xnnpack").outputs,
        "INT8": open_network(int8).outputs,
    }


def answers(outputs: Sequence[Outputs], labels: Sequence[Floats], threshold: float = SCORE_THRESHOLD) -> Answers:
    """Return the detection that matches each label. For each image, `outputs` contains the network's outputs, and
    `labels` contains the labelled boxes (n, 4) as fractions of the image's width and height."""
    found: Answers = []
    for boxes, values in zip(labels, outputs, strict=True):
        faces = decode(values, threshold, MOST_FACES)
        found += [match(faces, box) for box in boxes]
    return found


def count(detections: Sequence[Floats], threshold: float) -> int:
    return sum(int((scores >= threshold).sum()) for scores in detections)


def share(detections: Sequence[Floats]) -> float:
    """Return the fraction of images with at least one detection that reaches the default score threshold."""
    return float(np.mean([(scores >= SCORE_THRESHOLD).any() for scores in detections]))


def equal_recall(outputs: Sequence[Outputs], labels: Sequence[Floats], wanted: int) -> float:
    """Return the highest score threshold (a multiple of STEP) at which at least `wanted` labelled faces are found.
    Return 0 if there is no such threshold."""
    for step in range(round(1 / STEP) - 1, 0, -1):
        threshold = step * STEP
        if sum(face is not None for face in answers(outputs, labels, threshold)) >= wanted:
            return threshold
    return 0.0


def keypoint_distances(faces: Sequence[Face], landmarks: Floats) -> tuple[float, ...]:
    """Return the mean distance between each keypoint in LANDMARKS and its label, in pixels of the network's input.
    `landmarks` (n, 68, 2) contains the labelled x and y as fractions of the image's width and height."""
    ours = np.array([face.points[: len(LANDMARKS)] for face in faces])
    labels = np.stack([landmarks[:, part].mean(1) for part in LANDMARKS.values()], axis=1)
    return tuple((np.linalg.norm(ours - labels, axis=-1).mean(0) * INPUT_SIZE).tolist())


def agreement(first: Answers, second: Answers, rotations: Floats) -> Agreement:
    """Compare the faces that two networks found for the same labels. `rotations` (n, 3, 3) are the labelled
    rotations."""
    both = [index for index, pair in enumerate(zip(first, second, strict=True)) if all(pair)]
    ours, theirs = ([face for index in both if (face := some[index])] for some in (first, second))
    truth = rotations[both]
    errors = [score(faces, truth, angles_from_rotation(truth)).mean for faces in (ours, theirs)]
    boxes = zip(centred_boxes(ours), centred_boxes(theirs), strict=True)
    away = [np.linalg.norm(one.points - other.points, axis=1).mean() for one, other in zip(ours, theirs, strict=True)]
    overlap = float(np.mean([overlaps(one, other[np.newaxis])[0] for one, other in boxes]))
    return Agreement(len(both), overlap, float(np.mean(away)), errors[0] - errors[1])


def false_positives(run: Run, photos: Sequence[Image], words: str) -> list[Floats]:
    """Return the scores of all faces that a network finds in each of the photos, which show no face."""
    return [np.array([face.score for face in _all_faces(run(clean_input(photo)))]) for photo in _track(photos, words)]


def _all_faces(outputs: Outputs) -> list[Face]:
    return decode(outputs, LEAST_SCORE, outputs[1].shape[1] + outputs[2].shape[1])


def _fractions(boxes: Floats, image: Image) -> Floats:
    height, width = image.shape[:2]
    return boxes / (width, height, width, height)


def _track(items: Sequence[T], what: str) -> Iterable[T]:
    return track(items, description=what, console=Console(stderr=True))


def rows(figures: Mapping[str, Figures], labels: Mapping[int, int]) -> list[list[str]]:
    """Return the rows of a table, which has one row for each measure and one column for each network. `labels` is the
    number of faces for each size in SIZES."""
    names = [
        "recall", f"recall beyond {TURNED:.0f} degrees of yaw",
        *(f"AP, {least} px and more ({labels[least]} faces)" for least in SIZES),
        *(f"{name}, px" for name in LANDMARKS), "false positives", "threshold of equal recall",
        "false positives at that threshold",
        "photos of places with a face", "photos of hands with a face",
    ]  # fmt: skip
    return [list(row) for row in zip(names, *(_values(one) for one in figures.values()), strict=True)]


def _values(figures: Figures) -> list[str]:
    return [
        f"{figures.recall:.4f}", f"{figures.turned:.4f}", *(shown(value, 4) for value in figures.precision),
        *(f"{value:.2f}" for value in figures.keypoints), str(figures.alarms), f"{figures.threshold:.2f}",
        str(figures.alarms_there), f"{figures.on_places:.1%}", f"{figures.on_hands:.1%}",
    ]  # fmt: skip
