"""`blazeposer detect`: find faces in pictures, a folder of them, a video or a webcam."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, nullcontext, suppress
from itertools import islice
from pathlib import Path
from typing import get_args

import click
from rich.progress import track

from blazeposer.core.console import Console
from blazeposer.core.contract import ANGLES, SCORE_THRESHOLD
from blazeposer.core.decode import MAX_FACES
from blazeposer.core.draw import draw
from blazeposer.core.errors import InputError
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.core.text import say
from blazeposer.faces.closer import CloserLook
from blazeposer.faces.detector import Detector, InputPath
from blazeposer.faces.tracker import Tracker
from blazeposer.media.output import VideoWriter, write_image
from blazeposer.media.sources import Frame, Source, open_source
from blazeposer.stream.record import Record, as_line
from blazeposer.tflite.interpreter import RUNTIMES, Runtime

Show = Callable[[str, Image, list[Face]], None]


@click.command(short_help="Find faces and their pose.")
@click.argument("source")
@click.option("--json", "as_json", is_flag=True, help="Print one record a picture or frame, as a camera's stream does.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder or file for the annotated pictures or video.")
@click.option("--model", type=click.Path(path_type=Path), help="A tflite file, if not the one that comes along.")
@click.option(
    "--runtime",
    type=click.Choice(RUNTIMES),
    default="xnnpack",
    show_default=True,
    help="Kernels that run it: `xnnpack` is fast, `reference` equals a camera's, `micro` is that (extra `demo`).",
)
@click.option(
    "--input",
    "input_path",
    type=click.Choice(get_args(InputPath)),
    default="clean",
    show_default=True,
    help="`clean` sees the whole picture; `camera` its centred square, as coarse as a camera samples it.",
)
@click.option("--threshold", type=float, default=SCORE_THRESHOLD, show_default=True, help="Least score of a face.")
@click.option("--max-faces", type=click.IntRange(min=1), help=f"Best ones only [one look: {MAX_FACES}; else: all].")
@click.option(
    "--closer/--fast",
    default=None,
    help="Search for small faces, which takes many looks, or look once at each picture. Default: --closer for pictures,"
    " --fast for videos and webcams, where --closer follows the faces, as `blazeposer watch` does.",
)
@click.option("--careful", is_flag=True, help="Look twice, once at the mirror image: nearer, for twice the time.")
@click.option("--frames", type=click.IntRange(min=1), help="Stop after this many frames of a video or webcam.")
def command(
    source: str,
    as_json: bool,
    output: Path | None,
    model: Path | None,
    runtime: Runtime,
    input_path: InputPath,
    threshold: float,
    max_faces: int | None,
    closer: bool | None,
    careful: bool,
    frames: int | None,
) -> int:
    """Find faces in SOURCE: a picture, a folder of pictures, a video, or the index of a webcam (0 is the first).

    A webcam runs until ^C. Lengths are pixels; yaw, pitch and roll are degrees: positive yaw looks to the picture's
    left, positive pitch up, positive roll tilts clockwise; err is how far off this pose is expected to be. The drawn
    axes are x red (the head's left-right axis), y green (up) and z blue (where the face looks).
    """
    pictures = open_source(source)
    moves = pictures.kind in ("video", "camera")
    detector = Detector(
        model, runtime, input_path, threshold, max_faces, careful=careful, fast=moves or closer is False
    )
    find = _following(detector) if moves and closer else lambda image, _: detector(image)
    start = time.monotonic()
    total = min(filter(None, (pictures.total, frames)), default=None)
    failures = 0
    # A webcam ends with ^C, which is no failure.
    with suppress(KeyboardInterrupt) if pictures.kind == "camera" else nullcontext(), ExitStack() as stack:
        show = _drawing(pictures, output, stack) if output else None
        for number, frame in enumerate(_progress(islice(pictures.frames, frames), pictures, total)):
            try:
                image = frame.read()
            except InputError as error:
                if pictures.kind != "folder":
                    raise
                failures += 1
                say(f"blazeposer: {error}", err=True)
                continue
            t = number / pictures.fps if pictures.kind == "video" else time.monotonic() - start
            faces = find(image, t)
            t_ms = round(1000 * t) if pictures.fps else 0  # images of a folder have no time
            size = image.shape[1], image.shape[0]
            record = Record(number, t_ms, pictures.fps, tuple(faces), size, source=frame.name)
            say(as_line(record) if as_json else _as_text(pictures, record, detector.smallest_face(*size)))
            if show:
                show(frame.name, image, faces)
    return 1 if failures else 0


def _following(detector: Detector) -> Callable[[Image, float], list[Face]]:
    """Return a function that finds and follows the faces of an image at a time in seconds."""
    look, tracker = CloserLook(detector, mirror=True), Tracker()
    return lambda image, t: tracker.update(look(image), t)


def _as_text(pictures: Source, record: Record, smallest: int) -> str:
    """Return one line a face, or one that says that there is none of the smallest size, pixels, or larger."""
    name = record.source + (f" frame {record.seq}" if pictures.kind in ("video", "camera") else "")
    lines = [
        f"{name}: face at x {x:.0f} y {y:.0f} w {w:.0f} h {h:.0f}  score {face.score:.2f}  "
        + "  ".join(f"{angle} {value:+.1f}" for angle, value in zip(ANGLES, face.angles, strict=True))
        + f"  err {face.err:.1f}"
        for face in record.faces
        for x, y, w, h in [face.box]
    ]
    return "\n".join(lines) or f"{name}: no face of {smallest} pixels or more"


def _progress(frames: Iterator[Frame], pictures: Source, total: int | None) -> Iterable[Frame]:
    """The frames, with a bar and the time left on stderr, unless it is one picture or nobody is looking."""
    console = Console(stderr=True)
    if pictures.kind in ("image", "camera") or not console.is_terminal:
        return frames
    return track(frames, "faces", total=total, console=console)


def _drawing(pictures: Source, output: Path, stack: ExitStack) -> Show:
    """A function that draws the faces of one frame into `output`: a file if it has a suffix, else a folder."""
    to_file = bool(output.suffix) and not output.is_dir()
    if pictures.kind == "folder":
        if to_file:
            raise InputError(f"{output}: a folder of pictures needs a folder for --output, not a file")
        if output.resolve() == pictures.path.resolve():
            raise InputError(f"{output}: --output would overwrite the pictures: name another folder")
        return lambda name, image, faces: write_image(output / _writable(name), draw(image, faces))
    name = pictures.path.name if pictures.kind == "image" else f"{pictures.path.stem}.mp4"
    target = output if to_file else output / name
    if target.resolve() == pictures.path.resolve():
        raise InputError(f"{target}: --output would overwrite the input: name another file")
    if pictures.kind == "image":
        path = target if to_file else target.with_name(_writable(name))
        return lambda _, image, faces: write_image(path, draw(image, faces))
    video = stack.enter_context(VideoWriter(target, pictures.fps))
    return lambda _, image, faces: video.write(draw(image, faces))


def _writable(name: str) -> str:
    """The file name of an annotated picture: JPEG and PNG stay, all else becomes PNG."""
    path = Path(name)
    return name if path.suffix.lower() in (".jpg", ".jpeg", ".png") else f"{path.stem}.png"
