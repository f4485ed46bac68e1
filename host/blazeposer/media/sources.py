"""Read frames (h, w, 3) uint8 RGB from a file, a folder, a video or a webcam."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from blazeposer.core.errors import InputError
from blazeposer.core.prepare import Image
from blazeposer.core.quiet import quiet_stderr

IMAGE_SUFFIXES = frozenset(
    [".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"]
)
"""Files of a folder that are taken for pictures. A picture that is named itself may have any suffix."""
VIDEO_SUFFIXES = frozenset(
    [".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"]
)
"""Files that are taken for videos."""

_DEFAULT_FPS = 25.0  # of a video or webcam that names none


@dataclass(frozen=True)
class Frame:
    """One picture of a source, read when asked for: `read` raises InputError if that fails."""

    name: str
    """File name of a picture, or name of the video or camera that the frame is from."""
    read: Callable[[], Image]


@dataclass(frozen=True)
class Source:
    """Frames in order; `total` is None if nobody knows how many there will be."""

    kind: Literal["image", "folder", "video", "camera"]
    path: Path
    frames: Iterator[Frame]
    total: int | None
    fps: float = 0.0


def open_source(text: str) -> Source:
    """The source that `text` names: a path, or the index of a webcam. Raises InputError in one line."""
    path = Path(text)
    if path.is_dir():
        return _folder(path)
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return _video(path)
    if text.isdecimal() and not path.exists():
        return _camera(int(text))
    return Source("image", path, iter([Frame(path.name, lambda: read_image(path))]), 1)


def read_image(path: Path | str) -> Image:
    """Return an image file of any format of OpenCV as (h, w, 3) uint8 RGB, turned upright by its EXIF data, without
    alpha. Raises InputError."""
    path = Path(path)
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)  # imread fails on some paths on Windows
    except OSError as error:
        raise InputError(f"{path}: cannot read the picture ({error.strerror}): check the path") from error
    try:
        with quiet_stderr():
            image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:  # for example more pixels than OpenCV allows
        image = None
    if image is None:
        raise InputError(f"{path}: not a picture that OpenCV reads, or a damaged one: convert it to JPEG or PNG")
    return _rgb(image)


def _folder(path: Path) -> Source:
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
    if not files:
        raise InputError(f"{path}: no pictures in this folder: give one with JPEG, PNG or other picture files")
    frames = (Frame(file.name, lambda file=file: read_image(file)) for file in files)  # type: ignore[misc]
    return Source("folder", path, frames, len(files))


def _video(path: Path) -> Source:
    if not path.is_file():
        raise InputError(f"{path}: cannot read the video (no such file): check the path")
    with quiet_stderr():
        capture = cv2.VideoCapture(str(path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    failure = f"{path}: not a video that OpenCV reads, or a damaged one: convert it to MP4"
    frames = _captured(capture, path.name, failure)
    return Source("video", path, frames, count if count > 0 else None, _fps(capture))


def _camera(index: int) -> Source:
    with quiet_stderr():
        capture = cv2.VideoCapture(index)
    name = f"camera {index}"
    frames = _captured(capture, name, f"{name}: no such camera, or it is in use: plug it in or try another index")
    return Source("camera", Path(f"camera{index}"), frames, None, _fps(capture))


def _captured(capture: cv2.VideoCapture, name: str, failure: str) -> Iterator[Frame]:
    """Frames of an open video or camera; its first is read here, so that a failure shows at once."""
    with quiet_stderr():
        good, image = capture.read()
    if not good:
        capture.release()
        raise InputError(failure)
    return _rest(capture, name, image)


def _rest(capture: cv2.VideoCapture, name: str, image: cv2.typing.MatLike) -> Iterator[Frame]:
    good = True
    try:
        while good:
            rgb = _rgb(image)
            yield Frame(name, lambda rgb=rgb: rgb)  # type: ignore[misc]
            good, image = capture.read()
    finally:
        capture.release()


def _fps(capture: cv2.VideoCapture) -> float:
    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if 1 <= fps <= 1000 else _DEFAULT_FPS


def _rgb(image: cv2.typing.MatLike) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
