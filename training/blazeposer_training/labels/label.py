"""`blazeposer label` makes a pool (a data set for training) from the photos in a folder."""

import csv
import hashlib
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from blazeposer.core.contract import ANGLES
from blazeposer.core.errors import BlazePoserError, InputError
from blazeposer.core.prepare import Image
from blazeposer.media.sources import open_source

from .teacher import Labelled, Teacher

LARGEST_SIDE = 448
"""Largest width and height of a stored photo in pixels."""
JPEG_QUALITY = 90
VALIDATION_PERCENT = 3
"""Percentage of the photos that are used for validation. A hash of the file name selects these photos. If the hash
selects no photo, every tenth photo is used."""
CORNERS = ("x0", "y0", "x1", "y1")
COLUMNS = (
    *("file", "width", "height", *CORNERS, *ANGLES, *(f"{angle}_spread" for angle in ANGLES)),
    *("geodesic_spread", "blazeface_score", "split", "source", "face"),
)
PARTS = ("{}.zip", "{}.csv", "{}_landmarks68.npy")
"""Names of the files of a pool."""


def label_folder(folder: Path, name: str, output: Path, *, force: bool = False) -> str:
    """Write the pool `name` into the folder `output`, and return a summary of one or two lines.

    An existing pool is replaced only when the new pool is complete. Raises BlazePoserError if the pool exists and
    `force` is false, if the folder has no photos or no faces, or if a file cannot be written.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder: name a folder with photos")
    if not name or Path(name).name != name:
        raise BlazePoserError(f"{name!r} is no name for a pool: choose a name without slashes with --name")
    if not force and (there := [path for part in PARTS if (path := output / part.format(name)).exists()]):
        raise BlazePoserError(f"{there[0]} exists: choose another --name, or add --force to replace the pool")
    source = open_source(str(folder))
    teacher = Teacher()
    rows: list[dict[str, object]] = []
    landmarks: list[NDArray[np.float64]] = []
    unreadable: list[str] = []
    pictures = 0
    try:
        with _replaced(output, name) as (archive_path, table_path, landmarks_path):
            with zipfile.ZipFile(archive_path, "w") as archive:
                for frame in track(source.frames, "photos", total=source.total, console=Console(stderr=True)):
                    try:
                        photo = frame.read()
                    except InputError:
                        unreadable.append(frame.name)
                        continue
                    if not (faces := teacher(photo)):
                        continue
                    stored, scale = _reduced(photo)
                    file = f"{pictures:06}.jpg"
                    archive.writestr(file, _jpeg(stored))
                    pictures += 1
                    rows += [_row(file, stored, face, scale, frame.name) for face in faces]
                    landmarks += [face.landmarks * scale for face in faces]
            if not rows:
                raise BlazePoserError(
                    f"{folder}: no face found in {source.total} photos ({len(unreadable)} unreadable): use photos "
                    "with both eyes visible and a face that fills at least a fifth of the photo"
                )
            if pictures > 1 and all(row["split"] == "train" for row in rows):
                rows = [row | {"split": "val"} if int(str(row["file"])[:6]) % 10 == 0 else row for row in rows]
            with open(table_path, "w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, COLUMNS)
                writer.writeheader()
                writer.writerows(row | {"face": face} for face, row in enumerate(rows))
            with open(landmarks_path, "wb") as stream_of_bytes:
                np.save(stream_of_bytes, np.array(landmarks, np.float16))
    except OSError as error:
        raise InputError(f"{output}: cannot write the pool ({error.strerror}): check --output") from error
    assert source.total is not None
    without = source.total - pictures - len(unreadable)
    summary = (
        f"{output / name}: {source.total} photos, {len(rows)} faces in {pictures} photos, "
        f"{without} photos without a face"
    )
    return summary + (f"\n{len(unreadable)} unreadable: {', '.join(unreadable)}" if unreadable else "")


@click.command(short_help="Make a training pool from your own photos.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the pool (default: the name of FOLDER).")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=".", show_default=True,
              help="Folder for the files of the pool.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace an existing pool with this name.")
def command(folder: Path, name: str | None, output: Path, force: bool) -> None:
    """Make a training pool (a data set in BlazePoser's format) from the photos in FOLDER.

    The pool consists of the files NAME.zip, NAME.csv and NAME_landmarks68.npy. The labels of the pool are not
    measurements, because a teacher network predicts the labels.

    The teacher network does not find faces smaller than about a fifth of the photo's longer side. If the faces are too
    small in a photo, crop the photo first. The command leaves out most faces with a yaw of more than 60 degrees,
    because the labels of such faces are uncertain.

    For each face, the teacher network makes four predictions. In NAME.csv, geodesic_spread is the mean angle between
    the four predictions and the label, in degrees. A label with a geodesic_spread of 4 or more is doubtful.
    """
    click.echo(label_folder(folder, folder.resolve().name if name is None else name, output, force=force))


@contextmanager
def _replaced(output: Path, name: str) -> Iterator[list[Path]]:
    """Yield temporary paths for the files of a pool. The files get their final names only when all are written."""
    output.mkdir(parents=True, exist_ok=True)
    targets = [output / part.format(name) for part in PARTS]
    partial = [target.with_name(f".{target.name}.partial") for target in targets]
    try:
        yield partial
        for path, target in zip(partial, targets, strict=True):
            os.replace(path, target)
    finally:
        for path in partial:
            path.unlink(missing_ok=True)


def _reduced(photo: Image) -> tuple[Image, float]:
    """Reduce a photo so that its longer side has at most `LARGEST_SIDE` pixels. Return the photo, and the ratio of its
    new to its old width."""
    scale = LARGEST_SIDE / max(photo.shape[:2])
    if scale >= 1:
        return photo, 1.0
    height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
    return np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA), np.uint8), scale


def _jpeg(photo: Image) -> bytes:
    return cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def _row(file: str, stored: Image, label: Labelled, scale: float, source: str) -> dict[str, object]:
    x, y, width, height = (value * scale for value in label.face.box)
    box = zip(CORNERS, (x, y, x + width, y + height), strict=True)
    angles = zip(ANGLES, label.face.angles, strict=True)
    spreads = zip((f"{angle}_spread" for angle in ANGLES), label.spread.tolist(), strict=True)
    figures = {**dict(box), **dict(angles), **dict(spreads), "geodesic_spread": label.face.err}
    validates = int(hashlib.sha256(source.encode()).hexdigest(), 16) % 100 < VALIDATION_PERCENT
    return {
        "file": file,
        "width": stored.shape[1],
        "height": stored.shape[0],
        **{key: round(value, 2) for key, value in figures.items()},
        "blazeface_score": round(label.face.score, 3),
        "split": "val" if validates else "train",
        "source": source,
    }
