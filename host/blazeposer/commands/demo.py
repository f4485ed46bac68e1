"""`blazeposer demo` compares the head poses that a virtual camera streams with the true poses of drawn heads."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import click
from rich.progress import Progress, track
from rich.table import Table

from blazeposer.commands.options import PATH
from blazeposer.core.console import Console
from blazeposer.core.contract import ANGLES
from blazeposer.core.prepare import Image
from blazeposer.demo.camera_stream import line, stream
from blazeposer.demo.compare import PoseAgreement, agreements, face_in_picture
from blazeposer.demo.pictures import picture, video_pages
from blazeposer.media.output import VideoWriter, make_folder, write_image
from blazeposer.scene.sequence import GESTURE_RATE, frames, gestures

FAST = 3
"""With --fast, the command uses only every `FAST`-th frame."""
VIDEO_RATE = 10.0  # frames per second
HONESTY = (
    "These parts are real: MicroPython, the scripts in board/, mpremote, and all output values of the network"
    " (TensorFlow Lite Micro). These parts are imitated: the sensor, its images, and the modules csi, image, ml, omv"
    " and ulab. Therefore the frame rate and the memory are not those of a camera."
)


@click.command()
@click.option("-o", "--output", type=PATH, default=Path("out/demo"), show_default=True, help="Folder for the results.")
@click.option("--fast", is_flag=True, help=f"Use only every {FAST}rd frame.")
def demo(output: Path, fast: bool) -> None:
    """Run BlazePoser's scripts and network on a virtual camera, and show the faces that the virtual camera finds.

    The command copies the scripts and the network to the virtual camera with mpremote. The virtual camera first sees a
    drawn head that turns, and then several heads. The command prints the differences between the true
    angles of the drawn head and the angles that the virtual camera streams.

    The command marks the found faces in the image demo.png and the video demo.mp4. The command also writes two videos
    without marks, which other commands can read. The video head.mp4 contains the images that the virtual camera sees.
    In the video nod.mp4, a head nods and shakes.
    """
    make_folder(output)  # fail before the work, not after it
    console = Console(highlight=False)
    sequence = frames()[:: FAST if fast else 1]
    found = {}
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("streaming", total=len(sequence))
        for number, record in stream(sequence, stage=console.print):
            found[number] = [face_in_picture(face) for face in record.faces]
            console.print(line(number, sequence[number], record), soft_wrap=True)
            progress.advance(task)
    results = agreements(sequence, found)
    write_image(output / "demo.png", picture(sequence, found, results))
    _write_film(output / "demo.mp4", video_pages(sequence, found), len(found), VIDEO_RATE, console)
    for name, shown, rate in (("head.mp4", sequence, VIDEO_RATE), ("nod.mp4", gestures(), GESTURE_RATE)):
        _write_film(output / name, (frame.picture for frame in shown), len(shown), rate, console)
    console.print(HONESTY)
    for name in ("demo.png", "demo.mp4", "head.mp4", "nod.mp4"):
        console.print(f"Wrote {output / name}", soft_wrap=True)
    console.print(_table(results))


def _write_film(path: Path, pages: Iterable[Image], count: int, rate: float, console: Console) -> None:
    with VideoWriter(path, rate) as video:
        for page in track(pages, path.name, total=count, console=console, disable=not console.is_terminal):
            video.write(page)


def _table(results: Mapping[str, PoseAgreement]) -> Table:
    table = Table("streamed and known angles", *ANGLES, "found", "false")
    for faces, result in results.items():
        correlation = (f"{value:.3f}" for value in result.correlation.values())
        table.add_row(
            f"{faces}, correlation", *correlation, f"{len(result.known)} of {result.people}", f"{result.extra}"
        )
        table.add_row("  mean difference, degrees", *(f"{value:.1f}" for value in result.difference.values()))
    return table
