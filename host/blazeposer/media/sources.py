"""Read frames from image files, folders, videos, webcams and network streams. Frames are arrays (h, w, 3) of uint8 in
RGB order."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeposer.core.errors import InputError, needs
from blazeposer.core.prepare import Image
from blazeposer.core.streams import quiet_stderr

HEIF_SUFFIXES = frozenset([".heic", ".heif", ".hif"])
"""Suffixes of images from phones. OpenCV cannot read these files, but the package pillow-heif (extra `heic`) can."""
IMAGE_SUFFIXES = HEIF_SUFFIXES | frozenset(
    ".avif .bmp .gif .jfif .jp2 .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tif .tiff .webp".split()  # noqa: SIM905
)
"""Suffixes of the images that are read from a folder. A single image file that the user names may have any suffix."""
VIDEO_SUFFIXES = frozenset(
    ".3gp .avi .flv .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split()  # noqa: SIM905
)
STREAM = re.compile(r"(rtsps?|rtmp|https?|udp|tcp)://", re.IGNORECASE)
CUT_OFF = 0.95
"""Smallest number of readable frames in a complete video, as a fraction of the number that the video's header states. A
video with fewer readable frames counts as incomplete. The fraction is below 1 because some headers contain only an
estimate."""

_DEFAULT_FPS = 25.0  # frames per second of a video or webcam that does not state its own rate


@dataclass(frozen=True)
class Frame:
    """One image of a file, video or webcam. The function `read` raises BlazePoserError if the image cannot be read."""

    name: str
    read: Callable[[], Image]
    path: Path = Path()
    seconds: float = 0.0
    """Time since the first frame of the video in seconds, as the video states it."""


@dataclass(frozen=True)
class Source:
    """An image, folder, video or camera. The attribute `total` is None if the number of frames is not known."""

    kind: Literal["image", "folder", "video", "camera"]
    name: str
    path: Path
    frames: Iterator[Frame]
    total: int | None
    fps: float = 0.0
    """Average number of frames per second of a video or camera."""
    files: tuple[Path, ...] = ()
    left_out: tuple[str, ...] = ()
    """Files of a folder that are not images. Hidden files are not listed."""


def open_source(text: str) -> Source:
    """Open the path of a file, folder or video device, the index of a webcam, or the address of a network stream.
    Raises InputError if the file, camera or stream cannot be opened. The error message and the name of the `Source`
    never contain the user name or the password in an address."""
    path = Path(text)
    if STREAM.match(text):
        parts = urlsplit(text)
        name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        written = Path(re.sub(r"\W+", "_", parts.hostname or "stream"))
        return _camera(text, name, written, "no stream from this address: check address, user and password")
    if path.is_dir():
        return _folder(path)
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return _video(path)
    webcam = "no such camera, or another program uses it: plug it in, or try another index"
    if path.is_char_device():
        return _camera(text, text, Path(path.name), webcam)
    if text.isdecimal() and not path.exists():
        return _camera(int(text), f"camera {text}", Path(f"camera{text}"), webcam)
    return Source("image", path.name, path, iter([_picture(path)]), 1, files=(path,))


def open_sources(texts: Sequence[str]) -> list[Source]:
    """Open several sources (see `open_source`). An element of `texts` may also be a pattern such as `*.jpg`. All image
    files and folders are joined into one `Source`."""
    globs = [[text] if os.path.lexists(text) else sorted(glob(text, recursive=True)) or [text] for text in texts]
    names = [name for found in globs for name in found]
    sources = [open_source(name) for name in names]
    images = [source for source in sources if source.kind in ("image", "folder")]
    if len(images) < 2:
        return sources
    merged = Source(
        "folder",
        f"{len(names)} sources",
        images[0].path.parent,
        (replace(frame, name=str(frame.path)) for source in images for frame in source.frames),
        sum(source.total or 0 for source in images),
        files=tuple(file for source in images for file in source.files),
        left_out=tuple(name for source in images for name in source.left_out),
    )
    return [merged, *(source for source in sources if source not in images)]


def read_image(path: Path | str) -> Image:
    """Return the image in a file as an array (h, w, 3) of uint8 in RGB order. The image is upright and has no alpha
    channel. The file must be a HEIC file, or have a format that OpenCV reads. Raises InputError, or MissingExtraError
    if the package for HEIC files is not installed."""
    path = Path(path)
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)  # imread fails on some paths on Windows
    except OSError as error:
        raise InputError(f"{path}: cannot read the image ({error.strerror}): check the path") from error
    if path.suffix.lower() in HEIF_SUFFIXES:
        return _heif(path, data)
    try:
        with quiet_stderr():
            image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:  # for example more pixels than OpenCV allows
        image = None
    if image is None:
        raise InputError(f"{path}: OpenCV cannot read this image, or it is damaged: convert it to JPEG or PNG")
    return _turned(_rgb(image), data)


def _turned(image: Image, data: NDArray[np.uint8]) -> Image:
    """Turn an AVIF image as its header says, because OpenCV ignores the fields `irot` and `imir`. The field `irot` is
    the number of quarter turns to the left. The field `imir` exchanges top and bottom if it is 0, and left and right if
    it is 1 (avif.h of libavif 1.0)."""
    header = data[:4096].tobytes().partition(b"mdat")[0]
    if header[4:12] not in (b"ftypavif", b"ftypavis"):
        return image
    for turns, axis in re.findall(rb"irot(.)|imir(.)", header, re.DOTALL):
        image = np.rot90(image, turns[0] & 3) if turns else np.flip(image, axis[0] & 1)
    return np.ascontiguousarray(image)


def _heif(path: Path, data: NDArray[np.uint8]) -> Image:
    with needs("heic"):
        import pillow_heif
    try:
        return np.array(pillow_heif.open_heif(data.tobytes()).to_pillow().convert("RGB"))
    except Exception as error:  # libheif raises exceptions of its own kinds
        raise InputError(f"{path}: libheif cannot read this image, or it is damaged: convert it to JPEG") from error


def _picture(path: Path) -> Frame:
    return Frame(path.name, lambda: read_image(path), path)


def _folder(path: Path) -> Source:
    there = sorted(file for file in path.iterdir() if not file.name.startswith("."))
    files = [file for file in there if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()]
    if not files:
        raise InputError(f"{path}: this folder contains no images: use a folder with JPEG, PNG or other images")
    left_out = tuple(file.name for file in there if file not in files)
    return Source("folder", path.name, path, map(_picture, files), len(files), files=tuple(files), left_out=left_out)


def _video(path: Path) -> Source:
    if not path.is_file():
        raise InputError(f"{path}: cannot read the video (no such file): check the path")
    with quiet_stderr():
        capture = cv2.VideoCapture(os.fsencode(path))  # type: ignore[call-overload]  # a str that is not UTF-8 crashes
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    total = count if count > 0 else None
    failure = f"{path}: OpenCV cannot read this video, or it is damaged: convert it to MP4"
    frames = _captured(capture, path.name, failure, total)
    return Source("video", path.name, path, frames, total, _fps(capture), files=(path,))


def _camera(address: int | str, name: str, path: Path, failure: str) -> Source:
    """Open a webcam, video device or network stream. Output files are named after the argument `path`."""
    with quiet_stderr():
        capture = cv2.VideoCapture(address)
    frames = _captured(capture, name, f"{name}: {failure}", quiet=isinstance(address, str))
    return Source("camera", name, path, frames, None, _fps(capture))


def _captured(
    capture: cv2.VideoCapture, name: str, failure: str, total: int | None = None, quiet: bool = True
) -> Iterator[Frame]:
    """Return the frames of an open video or camera. The function reads the first frame before it returns, so that
    a failure is reported immediately."""
    image = _read(capture, quiet=True)
    if image is None:
        capture.release()
        raise InputError(failure)
    return _rest(capture, name, image, total, quiet)


def _rest(capture: cv2.VideoCapture, name: str, image: Image | None, total: int | None, quiet: bool) -> Iterator[Frame]:
    """Yield all frames. Raises InputError at the end if a video has too few frames (see `CUT_OFF`)."""
    number, seconds, start = 0, 0.0, capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
    try:
        while image is not None:
            yield Frame(name, lambda image=image: image, seconds=seconds)  # type: ignore[misc]
            image, number = _read(capture, quiet), number + 1
            clock = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 - start  # of the frame just read
            seconds = clock if clock > seconds else seconds + 1 / _fps(capture)  # some formats have no clock
    finally:
        capture.release()
    if total and number < CUT_OFF * total:
        raise InputError(
            f"{name}: ends after {number} of {total} frames, because it is damaged or cut off: copy it again"
        )


def _read(capture: cv2.VideoCapture, quiet: bool) -> Image | None:
    # FFmpeg may print the address of a stream, with its password. For a webcam, nothing needs to be hidden.
    with quiet_stderr() if quiet else nullcontext():
        good, image = capture.read()
    return _rgb(image) if good else None


def _fps(capture: cv2.VideoCapture) -> float:
    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if 1 <= fps <= 1000 else _DEFAULT_FPS


def _rgb(image: cv2.typing.MatLike) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
