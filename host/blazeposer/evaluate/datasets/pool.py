"""Read pools of face photos with head-pose labels. A pool is a data set in this project's own format.

The file `NAME.zip` contains the images of a pool. The file `NAME_landmarks68.npy` contains the landmarks as an array
(faces, 68, 2) in pixels. Each row of `NAME.csv` contains the name of the image file, the smallest box around a face's
68 landmarks, yaw, pitch and roll. In pools for training, a row also contains the label's uncertainty (see MAX_SPREAD)
and the face's split ("train" or "val"). The column `face` contains the index of the face's landmarks. Without this
column, the landmarks are in the order of the rows.
"""

import os
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeposer.core.contract import ANGLES, MAX_ANGLE
from blazeposer.core.errors import BlazePoserError, InputError
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.core.table import CsvTable

TRAINING_POOLS: tuple[str, ...] = ("aflw", "mtfl", "human", "udacity", "glint", "utk", "wflw", "maskon")
TEST_POOL = "aflw2000_dev"
CORNERS = ("x0", "y0", "x1", "y1")
ODD_IMAGES_ARE_TEST = ("maskon", "faceless", "hands")
"""Pools whose odd-numbered images are used only for testing."""
SCENE_POOLS = ("wflw", "maskon")
"""Pools with whole photos of people in their surroundings. Each image of the other pools shows one face."""
MAX_SPREAD = 12.0
"""Largest allowed spread of a label, in degrees. The spread is the difference between the rotations that several
networks (teachers) computed. The limit removes 3 % of the faces in profile, and few other faces."""


@dataclass
class Pool:
    """Faces and their images. Face i is in the image `images[image_of[i]]`. Each row of `boxes` is x0, y0, x1, y1."""

    images: list[Image]
    files: list[str]
    image_of: NDArray[np.int64]
    boxes: NDArray[np.float64]
    angles: NDArray[np.float64]
    spread: NDArray[np.float64]
    landmarks: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.image_of)

    @property
    def rotations(self) -> NDArray[np.float64]:
        return rotation_from_angles(self.angles)


def data_folder(given: str | None) -> Path:
    """Return the folder of the option --data or of the variable BLAZEPOSER_DATA. Raises BlazePoserError."""
    name = given or os.environ.get("BLAZEPOSER_DATA")
    if not (name and Path(name).is_dir()):
        lack = f"no folder {name}" if name else "no data"
        raise BlazePoserError(f"{lack}: give the folder of the pools with --data or in BLAZEPOSER_DATA")
    return Path(name)


def read_pool(folder: Path, name: str, split: str | None = None) -> Pool:
    """Read one pool. `split` is "train" or "val", or None for all faces. The pool leaves out faces with an angle beyond
    99 degrees, faces with uncertain labels, and images that are only for testing. Raises BlazePoserError."""
    try:
        table = CsvTable(folder / f"{name}.csv", ["file", *CORNERS, *ANGLES, *([] if split is None else ["split"])])
        landmarks = np.load(folder / f"{name}_landmarks68.npy").astype(np.float64)
    except OSError as error:
        raise BlazePoserError(f"no pool {name} in {folder} ({error.filename}): give its folder with --data") from error
    landmarks = landmarks[_landmarks_of(table, len(landmarks))]
    boxes, angles, names = table.numbers(*CORNERS), table.numbers(*ANGLES), table.texts("file")
    spread = np.zeros(len(names))
    if "geodesic_spread" in table:
        spread = table.numbers("geodesic_spread", empty="0")[:, 0]
    keep = (np.abs(angles).max(axis=1) <= MAX_ANGLE) & (spread <= MAX_SPREAD)
    if split is not None:
        keep &= np.array(table.texts("split")) == split
    keep &= np.array([is_training_image(name, file) for file in names])
    files, image_of = np.unique(np.array(names)[keep], return_inverse=True)
    return Pool(
        images=read_images(folder / f"{name}.zip", files.tolist()),
        files=files.tolist(),
        image_of=image_of,
        boxes=boxes[keep],
        angles=angles[keep],
        spread=spread[keep],
        landmarks=landmarks[keep],
    )


def _landmarks_of(table: CsvTable, count: int) -> NDArray[np.int64]:
    """Return the index of the landmarks for each row of the table. `count` is the number of landmark sets."""
    if "face" not in table:
        if len(table.rows) != count:
            raise InputError(
                f"{table.path}: {len(table.rows)} rows, but landmarks of {count} faces, and no column face with the "
                "indices of the landmarks: restore the table, or make the pool again with `blazeposer label`"
            )
        return np.arange(count)
    faces = table.numbers("face")[:, 0]
    for row, face in enumerate(faces.tolist(), start=2):
        if face not in range(count):
            raise InputError(
                f"{table.path}: row {row}, column face: there is no face {face:g} among {count} faces: restore it"
            )
    return faces.astype(np.int64)


def read_pools(
    folder: Path, names: tuple[str, ...], split: str, report: Callable[[str], None] = lambda _: None
) -> Pool:
    """Read several pools as one pool. `report` gets a line of text for each pool. Raises BlazePoserError."""
    parts = []
    for name in names:
        parts.append(read_pool(folder, name, split))
        report(f"{name}: {len(parts[-1])} faces in {len(parts[-1].images)} images ({split})")
    if not any(map(len, parts)):
        raise BlazePoserError(
            f"{', '.join(names)}: no face is for {split}: write {split} into the column split of some rows"
        )
    offsets = np.cumsum([0] + [len(part.images) for part in parts[:-1]])
    return Pool(
        images=[image for part in parts for image in part.images],
        files=[f"{name}/{file}" for name, part in zip(names, parts, strict=True) for file in part.files],
        image_of=np.concatenate([part.image_of + offset for part, offset in zip(parts, offsets, strict=True)]),
        **{key: np.concatenate([getattr(part, key) for part in parts])
           for key in ("boxes", "angles", "spread", "landmarks")},
    )  # fmt: skip


def read_backgrounds(folder: Path, name: str = "faceless", *, test: bool = False) -> list[Image]:
    """Return the photos for training or for testing from `NAME.zip`. These photos show no face. The photos of
    "faceless" show places, and the photos of "hands" show hands in close-up."""
    path = folder / f"{name}.zip"
    if not path.is_file():
        raise BlazePoserError(f"no {path.name} in {folder}: give the folder of the pools with --data")
    with zipfile.ZipFile(path) as archive:
        files = [file for file in sorted(archive.namelist()) if is_training_image(name, file) != test]
    return read_images(path, files)


def read_scenes(folder: Path, names: tuple[str, ...]) -> list[Image]:
    """Return the training photos of each pool in SCENE_POOLS whose name is also in `names`. Some faces in these photos
    have no label."""
    photos = []
    for name in SCENE_POOLS:
        if name not in names:
            continue
        table = CsvTable(folder / f"{name}.csv", ["file", "split"])
        held_out = {row["file"] for row in table.rows if row["split"] != "train"}
        with zipfile.ZipFile(folder / f"{name}.zip") as archive:
            files = [file for file in sorted(archive.namelist()) if is_training_image(name, file)]
        photos += read_images(folder / f"{name}.zip", [file for file in files if file not in held_out])
    return photos


def is_training_image(pool: str, file: str) -> bool:
    """Return True if an image may be used for training. In the pools of ODD_IMAGES_ARE_TEST, only images with an even
    number in the file name are for training."""
    return pool not in ODD_IMAGES_ARE_TEST or int("".join(filter(str.isdigit, Path(file).stem))) % 2 == 0


def read_images(path: Path, files: list[str]) -> list[Image]:
    """Decode images of a zip file. Raises BlazePoserError."""
    try:
        with zipfile.ZipFile(path) as archive:
            packed = [archive.read(file) for file in files]
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise BlazePoserError(f"{path} cannot be read: {error}") from error
    with ThreadPoolExecutor() as threads:
        images = list(threads.map(_decode, packed))
    broken = [file for file, image in zip(files, images, strict=True) if image is None]
    if broken:
        raise BlazePoserError(f"{path} contains {len(broken)} images that cannot be decoded, for example {broken[0]}")
    return [image for image in images if image is not None]


def _decode(packed: bytes) -> Image | None:
    image = cv2.imdecode(np.frombuffer(packed, np.uint8), cv2.IMREAD_COLOR_RGB)
    return None if image is None else np.asarray(image, np.uint8)
