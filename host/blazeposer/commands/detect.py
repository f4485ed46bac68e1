"""`blazeposer detect` finds faces in images, folders of images, videos or the frames of a webcam."""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, nullcontext, suppress
from itertools import islice
from pathlib import Path
from typing import get_args

import click
from rich.progress import track

from blazeposer.commands.options import PATH, model_option
from blazeposer.core.console import Console
from blazeposer.core.contract import ANGLES, SCORE_THRESHOLD
from blazeposer.core.decode import MAX_FACES
from blazeposer.core.draw import draw
from blazeposer.core.errors import BlazePoserError, InputError
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.core.text import say
from blazeposer.faces.detector import Detector, InputPath
from blazeposer.faces.tracker import CloserLook, Tracker
from blazeposer.media.output import Annotated
from blazeposer.media.sources import Frame, Source, open_sources
from blazeposer.stream.record import Record, as_line
from blazeposer.tflite.interpreter import RUNTIMES, Runtime

Find = Callable[[Image, float], list[Face]]
"""Function that returns the faces of an image. Its second argument is the image's time in seconds."""
MOST_NAMED = 5
"""Largest number of left-out files whose names a summary contains."""


# fmt: off
@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON record per image, as in a camera's stream.")
@click.option("-o", "--output", type=PATH, help="Folder or file for the images or videos with drawn faces.")
@model_option
@click.option("--runtime", type=click.Choice(RUNTIMES), default="xnnpack", show_default=True,
              help="Code that runs the network. `xnnpack` is fast. `reference` computes the same values as a camera. "
              "`micro` is the code that runs on a camera (needs the extra `demo`).")
@click.option("--input", "input_path", type=click.Choice(get_args(InputPath)), default="clean", show_default=True,
              help="Input of the network. `clean` is the whole image at full quality. `camera` is the central square "
              "of the image at the quality of a camera.")
@click.option("--threshold", type=float, default=SCORE_THRESHOLD, show_default=True,
              help="Lowest score with which a detection counts as a face.")
@click.option("--max-faces", type=click.IntRange(min=1),
              help=f"Largest number of faces in an image.  [default: {MAX_FACES} with --fast, all with --closer]")
@click.option("--closer/--fast", default=None,
              help="--closer also searches for small faces, and runs the network many times per image. --fast runs the "
              "network once per image. The default is --closer for images, and --fast for videos and webcams. With "
              "--closer, the command tracks the faces of a video or webcam, as `blazeposer watch` does.")
@click.option("--careful", is_flag=True,
              help="Use the mean of the results for the image and its mirror image. With --careful, the errors are "
              "smaller, but the network takes twice the time.")
@click.option("--frames", type=click.IntRange(min=1), help="Stop after this many frames of a video or webcam.")
def detect(
    sources: tuple[str, ...], as_json: bool, output: Path | None, model: Path | None, runtime: Runtime,
    input_path: InputPath, threshold: float, max_faces: int | None, closer: bool | None, careful: bool,
    frames: int | None,
) -> int:
    # fmt: on
    """Find faces in each SOURCE.

    SOURCE is an image, a folder of images, a video, the index of a webcam (0 is the first), a video device
    (/dev/video0) or the address of a network stream (rtsp://, http://). Press Ctrl-C to stop a webcam.

    Lengths are in pixels. Yaw, pitch and roll are in degrees. Positive yaw turns the face to the left of the image,
    positive pitch turns the face up, and positive roll turns the face clockwise. The value err is the expected error of
    the pose in degrees.

    The drawn axes of a head are red (x, from ear to ear), green (y, up) and blue (z, out of the face).
    """
    opened = open_sources(sources)
    moving = [source.kind in ("video", "camera") for source in opened]
    detectors = [
        Detector(model, runtime, input_path, threshold, max_faces, careful=careful, fast=moves or closer is False)
        for moves in moving
    ]
    failures = 0
    with ExitStack() as stack:
        annotated = Annotated(output, opened, stack) if output else None
        for source, moves, detector in zip(opened, moving, detectors, strict=True):
            try:
                find = _following(detector) if moves and closer else lambda image, _, look=detector: look(image)
                failures += _detect(source, find, detector, as_json, annotated, frames)
            except InputError as error:
                failures += _complain(error)
    if annotated and annotated.wrote:
        first, *more = annotated.wrote
        say(f"Wrote {first}" + (f" and {len(more)} more files" if more else ""), err=True)
    return 1 if failures else 0


def _detect(
    source: Source, find: Find, detector: Detector, as_json: bool, annotated: Annotated | None, frames: int | None
) -> int:
    """Print and draw the faces of one source. For a folder, return the number of images that could not be processed.
    For any other source, a failure raises BlazePoserError."""
    start = time.monotonic()
    total = min(filter(None, (source.total, frames)), default=None)
    number = failures = seen = 0
    # Ctrl-C is the normal end for a webcam.
    with suppress(KeyboardInterrupt) if source.kind == "camera" else nullcontext():
        for number, frame in enumerate(_progress(islice(source.frames, frames), source, total)):
            try:
                image = frame.read()
                t = time.monotonic() - start if source.kind == "camera" else frame.seconds
                faces = find(image, t)
                seen += bool(faces)
                size = image.shape[1], image.shape[0]
                record = Record(number, round(1000 * t), source.fps, tuple(faces), size, source=frame.name)
                say(as_line(record) if as_json else _as_text(source, record, detector.smallest_face(*size)))
                if annotated:
                    annotated.write(source, frame, draw(image, faces))
            except BlazePoserError as error:
                if source.kind != "folder":
                    raise
                failures += _complain(error)
    if source.kind == "folder":
        say(_summary(source, number + 1, seen, failures), err=True)
    return failures


def _complain(error: BlazePoserError) -> int:
    """Print an error. Return 1, so that callers can add up the failures."""
    say(f"blazeposer: {error}", err=True)
    return 1


def _summary(source: Source, count: int, seen: int, failures: int) -> str:
    words = f"{source.name}: {count} images, {seen} with faces, {failures} failed"
    if source.left_out:
        more = len(source.left_out) - MOST_NAMED
        names = ", ".join(source.left_out[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        words += f"; {len(source.left_out)} other files left out: {names}"
    return words


def _following(detector: Detector) -> Find:
    """Return a function that finds and tracks the faces in successive images."""
    look, tracker = CloserLook(detector, mirror=True), Tracker()
    return lambda image, t: tracker.update(look(image), t)


def _as_text(source: Source, record: Record, smallest: int) -> str:
    """Return a line of text for each face. If there is no face, return a line that says that no face has a size of at
    least `smallest` pixels."""
    name = record.source + (f" frame {record.seq}" if source.kind in ("video", "camera") else "")
    lines = [
        f"{name}: face at x {x:.0f} y {y:.0f} w {w:.0f} h {h:.0f}  score {face.score:.2f}  "
        + "  ".join(f"{angle} {value:+.1f}" for angle, value in zip(ANGLES, face.angles, strict=True))
        + f"  err {face.err:.1f}"
        for face in record.faces
        for x, y, w, h in [face.box]
    ]
    return "\n".join(lines) or f"{name}: no face of at least {smallest} pixels"


def _progress(frames: Iterable[Frame], source: Source, total: int | None) -> Iterable[Frame]:
    """Return the frames. If stderr is a terminal, show a progress bar for a folder or a video."""
    console = Console(stderr=True)
    if source.kind in ("image", "camera") or not console.is_terminal:
        return frames
    return track(frames, "faces", total=total, console=console)
