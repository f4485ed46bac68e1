"""Write images, plots and videos to files. A command never overwrites one of its input files, and never writes two of
its outputs to one file. Images are arrays (h, w, 3) of uint8 in RGB order."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from blazeposer.core.errors import InputError
from blazeposer.core.prepare import Image
from blazeposer.core.streams import quiet_stderr
from blazeposer.core.text import plain
from blazeposer.media.sources import Frame, Source

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def make_folder(path: Path, option: str = "--output") -> None:
    """Make a folder and its parents. Raises InputError, whose message names `option`, the path's command-line
    option."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot make this folder ({error.strerror}): check {option}") from error


def write_file(path: Path, data: bytes, option: str = "--output") -> None:
    """Write a file, and make its folder. Raises InputError, whose message names `option`, the path's command-line
    option."""
    make_folder(path.parent, option)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path}: cannot write it ({error.strerror}): check {option}") from error


def write_image(path: Path, image: Image) -> None:
    """Write an image in the format of the file's suffix, and make the file's folder. Raises InputError."""
    suffix = path.suffix.lower()
    if not (suffix.isascii() and cv2.haveImageWriter(f"image{suffix}")):  # OpenCV aborts if a str is not UTF-8
        raise InputError(f"{path}: OpenCV cannot write {path.suffix or 'a file without suffix'}: use .jpg or .png")
    try:
        with quiet_stderr():
            good, data = cv2.imencode(suffix, image[..., ::-1])
    except cv2.error:
        good = False
    if not good:  # for example, a side of a JPEG has at most 65,535 pixels, and a PGM is grey
        height, width = image.shape[:2]
        raise InputError(f"{path}: {suffix} cannot hold a coloured image of {width} x {height}: use .png")
    write_file(path, data.tobytes())


def write_figure(path: Path, figure: Figure) -> None:
    """Write a plot in the format of the file's suffix (.png, .svg or .pdf). Raises InputError."""
    try:
        data = render(figure, path.suffix)
    except ValueError as error:
        raise InputError(
            f"{path}: this kind of image cannot be written: use a name that ends with .png, .svg or .pdf"
        ) from error
    write_file(path, data)


def render(figure: Figure, suffix: str = ".svg") -> bytes:
    """Return a plot as the bytes of an image file. The bytes contain no date, so the same plot always gives the same
    bytes. Raises ValueError if matplotlib cannot write the format `suffix`."""
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "blazeposer"}):
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix)
        figure.savefig(buffer, format=suffix.removeprefix("."), dpi=150, metadata=metadata)
    return buffer.getvalue()


class VideoWriter(AbstractContextManager["VideoWriter"]):
    """A writer of a video file (MPEG-4), for a `with` statement. The caller must write images of one size only."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.fps = fps
        self._writer: cv2.VideoWriter | None = None

    def __exit__(self, *_: object) -> None:
        if self._writer:
            self._writer.release()

    def write(self, image: Image) -> None:
        """Append one image to the video. Raises InputError if the video file cannot be made."""
        if self._writer is None:
            self._writer = self._open(image.shape[1], image.shape[0])
        self._writer.write(np.ascontiguousarray(image[..., ::-1]))

    def _open(self, width: int, height: int) -> cv2.VideoWriter:
        make_folder(self.path.parent)
        with quiet_stderr():
            writer = cv2.VideoWriter(os.fsencode(self.path), cv2.VideoWriter.fourcc(*"mp4v"), self.fps, (width, height))  # type: ignore[call-overload]
        if not writer.isOpened():
            raise InputError(f"{self.path}: OpenCV cannot write this video: use a file name that ends with .mp4")
        return writer


class Annotated:
    """A writer of a command's annotated images and videos. The caller's `stack` (an `ExitStack`) closes the video
    files. The path `output` means a file if it has a suffix and is not the path of an existing folder. Raises
    InputError if `output` would overwrite an input, or if `output` is a file and the sources need several files."""

    def __init__(self, output: Path, sources: Sequence[Source], stack: ExitStack) -> None:
        self.wrote: list[Path] = []
        self._stack = stack
        self._output = output
        self._is_file = bool(output.suffix) and not output.is_dir()
        self._taken = {_key(file) for source in sources for file in source.files}
        self._videos: dict[str, VideoWriter] = {}
        if self._is_file and (len(sources) > 1 or sources[0].kind == "folder"):
            raise InputError(f"{output}: several images or videos: --output needs a folder, not a file")
        if any(source.kind == "folder" and _key(source.path) == _key(output) for source in sources):
            raise InputError(f"{output}: --output would overwrite the images: name another folder")
        if self._is_file and _key(output) in self._taken:
            raise InputError(f"{output}: --output would overwrite the input: name another file")

    def write(self, source: Source, frame: Frame, image: Image) -> None:
        """Write the annotated image of a frame to an image file or a video file. Raises InputError."""
        if source.kind in ("image", "folder"):
            name = frame.path.name  # is kept for JPEG and PNG; other formats become PNG
            is_kept = frame.path.suffix.lower() in (".jpg", ".jpeg", ".png")
            path = self._path(name if is_kept else f"{frame.path.stem}.png")
            write_image(path, image)
            self.wrote.append(path)
            return
        if source.name not in self._videos:
            video = VideoWriter(self._path(f"{source.path.stem}.mp4"), source.fps)
            self._videos[source.name] = self._stack.enter_context(video)
        video = self._videos[source.name]
        video.write(image)
        if video.path not in self.wrote:
            self.wrote.append(video.path)

    def _path(self, name: str) -> Path:
        """Return the path of an output file, with a number in the name if another file already uses the path."""
        if self._is_file:
            return self._output
        path = self._output / plain(name).replace("\N{REPLACEMENT CHARACTER}", "_")  # control characters, broken UTF-8
        free = (path if number == 1 else path.with_stem(f"{path.stem}-{number}") for number in count(1))
        path = next(path for path in free if _key(path) not in self._taken)
        self._taken.add(_key(path))
        return path


def _key(path: Path) -> str:
    """Return the same text for all paths that lead to one file."""
    return str(path.resolve()).casefold()
