"""Write the annotated images and videos of a run: nothing over an input, and no two over one another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path

from blazeposer.core.errors import InputError
from blazeposer.core.prepare import Image
from blazeposer.core.text import plain
from blazeposer.media.output import VideoWriter, write_image
from blazeposer.media.sources import Frame, Source


class Annotated:
    """Files in `output`: itself if it has a suffix, else a folder. Used in a `with` statement."""

    def __init__(self, output: Path, sources: Sequence[Source]) -> None:
        """Check where to write. Raises InputError."""
        self.wrote: list[Path] = []
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

    def __enter__(self) -> Annotated:
        return self

    def __exit__(self, *_: object) -> None:
        for video in self._videos.values():
            video.close()

    def write(self, source: Source, frame: Frame, image: Image) -> None:
        """Write the annotated image of a frame. Raises InputError."""
        if source.kind in ("image", "folder"):
            name = frame.path.name  # JPEG and PNG stay, all else becomes PNG
            is_kept = frame.path.suffix.lower() in (".jpg", ".jpeg", ".png")
            path = self._path(name if is_kept else f"{frame.path.stem}.png")
            write_image(path, image)
            self.wrote.append(path)
            return
        if source.name not in self._videos:
            self._videos[source.name] = VideoWriter(self._path(f"{source.path.stem}.mp4"), source.fps)
        video = self._videos[source.name]
        video.write(image)
        if video.path not in self.wrote:
            self.wrote.append(video.path)

    def _path(self, name: str) -> Path:
        """Return where to write a file of a name, or with a number after it where the name is taken."""
        if self._is_file:
            return self._output
        path = self._output / plain(name).replace("\N{REPLACEMENT CHARACTER}", "_")  # not UTF-8, or would move a cursor
        free = (path if number == 1 else path.with_stem(f"{path.stem}-{number}") for number in count(1))
        path = next(path for path in free if _key(path) not in self._taken)
        self._taken.add(_key(path))
        return path


def _key(path: Path) -> str:
    """Return what is the same of two paths to one file, on systems too that take capitals for small letters."""
    return str(path.resolve()).casefold()
