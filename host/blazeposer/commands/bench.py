"""`blazeposer bench` compares BlazePoser with similar systems."""

from itertools import islice
from pathlib import Path

import click
from rich.progress import Progress

from blazeposer.commands.options import PATH, data_option, model_option
from blazeposer.core.console import Console
from blazeposer.core.errors import needs
from blazeposer.core.prepare import Image
from blazeposer.core.text import say
from blazeposer.evaluate.bench import accuracy_section, measure, one_thread, open_systems, time_section
from blazeposer.evaluate.report import markdown, show
from blazeposer.media.output import make_folder, write_file
from blazeposer.media.sources import open_source
from blazeposer.scene.sequence import frames

DEMO_STEP = 4
"""The command uses every `DEMO_STEP`-th demo image with a single head."""
MOST_PICTURES = 100


@click.command()
@click.argument("source", required=False)
@model_option
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Number of times that each system processes all images.",
)
@data_option
@click.option("--dataset", "dataset_name", default="aflw2000_dev", show_default=True,
              help="Name of a data set or pool with labels, as in `blazeposer evaluate`.")  # fmt: skip
@click.option("-o", "--output", type=PATH, help="Write the tables to this Markdown page.")
def bench(
    source: str | None, model: Path | None, rounds: int, folder: str | None, dataset_name: str, output: Path | None,
) -> None:  # fmt: skip
    """Measure the time of BlazePoser and of similar systems on the images of SOURCE.

    SOURCE is an image, a folder of images or a video. Without SOURCE, the command uses images of `blazeposer demo`. All
    compared systems run in turn, on one CPU thread of this PC. Times on a camera differ from times on this PC. With
    --data, the command also measures the accuracy of all systems.

    The command compares BlazePoser with MediaPipe's networks BlazeFace and face mesh. The command also measures
    BlazeFace in INT8, and computes a pose from BlazeFace's keypoints with OpenCV's solvePnP.
    """
    if output:
        make_folder(output.parent)
    systems = open_systems(model)
    pictures = _pictures(source)
    with one_thread():
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("time", total=rounds * len(pictures))
            times = measure(systems, pictures, rounds, lambda: progress.advance(task))
        sections = [time_section(systems, times, pictures)]
        if folder:
            with needs("train"):
                from blazeposer.evaluate.datasets import labelled
            sections.append(accuracy_section(systems, times, labelled(dataset_name, folder)))
    for section in sections:
        show(section)
    name = f"images from {Path(source).name}" if source else "images from `blazeposer demo`, which show a turning head"
    measured = f"The times were measured on {name}."
    say(f"{measured} {sections[0].parts[1]}")
    if output:
        call = " --data DIR" * bool(folder)
        made = f"`blazeposer bench{call}` made this page.\n{measured}"
        head = f"# BlazePoser and its peers\n\n{made}\n"
        write_file(output, "\n".join([head, *map(markdown, sections)]).encode())
        say(f"Wrote {output}")


def _pictures(source: str | None) -> list[Image]:
    if source is None:
        return [frame.picture for frame in frames() if len(frame.people) == 1][::DEMO_STEP]
    return [frame.read() for frame in islice(open_source(source).frames, MOST_PICTURES)]
