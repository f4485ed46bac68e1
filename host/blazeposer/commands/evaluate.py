"""`blazeposer evaluate`, `compare-detection` and `figures` measure networks, and write the figures into pages."""

from dataclasses import asdict
from pathlib import Path

import click

from blazeposer.commands.options import FOLDER, data_option, model_option
from blazeposer.core.contract import INPUT_SIZE
from blazeposer.core.errors import InputError, ModelError
from blazeposer.core.resources import default_model, models_dir, refuse_installed
from blazeposer.core.text import say
from blazeposer.evaluate import detection, plots
from blazeposer.evaluate.accuracy import INPUTS, Report, pose_table
from blazeposer.evaluate.accuracy import evaluate as measure
from blazeposer.evaluate.bench import Ours, machine
from blazeposer.evaluate.datasets import READERS, read_dataset
from blazeposer.evaluate.datasets.pool import TEST_POOL, data_folder
from blazeposer.evaluate.figures import MARKED_BLOCK, fill, read_manifests
from blazeposer.evaluate.metrics import MOST_FACES, PRECISION_OVERLAP
from blazeposer.evaluate.report import Table, show_table
from blazeposer.evaluate.sheet import Bin, draw_sheet, measure_sheet, sheet_dict, sheet_table
from blazeposer.media.output import make_folder, write_figure
from blazeposer.tflite.interpreter import RUNTIMES, Runtime, open_network
from blazeposer.tflite.manifest import record_figures

runtime_option = click.option("--runtime", type=click.Choice(RUNTIMES), default="reference", show_default=True,
                              help="Code that runs the network, as in `blazeposer detect`.")  # fmt: skip
models_option = click.option("--models", type=FOLDER, help="Folder that contains the networks.  [default: models]")


@click.command()
@click.option("--dataset", "name", default=TEST_POOL, show_default=True,
              help=f"Name of a data set ({', '.join(READERS)}) or of a pool.")  # fmt: skip
@data_option
@model_option
@click.option("--input", "inputs", multiple=True, type=click.Choice(list(INPUTS)), default=tuple(INPUTS),
              show_default=True, help="Quality of the network's input, as in `blazeposer detect`.")  # fmt: skip
@runtime_option
@click.option("--looks", type=click.Choice(["1", "2"]), default="1", show_default=True,
              help="With --looks 2, the command uses the mean of the results for the image and its mirror "
              "image.")  # fmt: skip
@click.option(
    "--sheet", is_flag=True, help="Also measure disturbed images. With --report, disturbed images are always measured."
)
@click.option("--report", "report_folder", type=FOLDER, help="Write report.json and report.html into this folder.")
@click.option("--record", is_flag=True,
              help="Write the measured figures into the model's manifest, and plots of the expected error into the "
              "manifest's folder.")  # fmt: skip
def evaluate(
    name: str, folder: str | None, model: Path | None, inputs: tuple[str, ...], runtime: Runtime, looks: str,
    sheet: bool, report_folder: Path | None, record: bool,
) -> None:  # fmt: skip
    """Measure the errors of a network's angles on labelled faces.

    The command reads the unpacked files of official data sets. The names of the official data sets are aflw2000
    (AFLW2000-3D), biwi (BIWI with all sequences, protocol 1), biwi-2 (BIWI with the 8 test sequences, protocol 2) and
    300w-lp (300W-LP).

    The command also reads pools, which are data sets in BlazePoser's format. A pool consists of the files NAME.zip,
    NAME.csv and NAME_landmarks68.npy. The name "val" stands for the validation faces of all training pools.

    With --sheet, the command also measures recall, error and expected error on turned, cut, near, blurred, dark,
    covered and small faces. To save time, --sheet always uses `--input clean` and the fast XNNPACK kernels.
    """
    path = model or default_model()
    if record:
        refuse_installed(path)
    if report_folder:
        make_folder(report_folder, "--report")  # fail before the work, not after it
    network = open_network(path, runtime)
    dataset = read_dataset(name, data_folder(folder))
    twice = looks == "2"
    of = f"{path.name} ({'INT8' if network.is_int8 else 'float'}, {runtime} kernels) on {name}"
    title = of + (", mean with the mirror image" if twice else "")
    scores = {key: measure(network, dataset, key, twice=twice) for key in inputs}
    if not all(row.found.any() for row in scores.values()):
        raise ModelError(
            f"{path} found none of {len(dataset)} faces: make the network again with `blazeposer quantize`"
        )
    table = pose_table(scores, title, dataset.rule.text)
    show_table(table, width=180)
    each = 1e3 * network.seconds / (len(inputs) * len(dataset.samples))
    say(f"The network takes {each:.1f} ms of processor time per image on {machine()}.")
    bins: list[Bin] = []
    if sheet or report_folder:
        bins = measure_sheet(Ours(path, MOST_FACES, careful=twice), dataset)
        show_table(sheet_table(bins, title))
    if record:
        recorded = name + ("_two_looks" if twice else "")
        record_figures(path, {recorded: {"runtime": runtime, **{key: row.as_dict() for key, row in scores.items()}}})
        if bins:
            record_figures(path, {f"{recorded}_sheet": {"runtime": "xnnpack", "bins": sheet_dict(bins)}})
        if recorded == TEST_POOL and network.is_int8:
            write_figure(path.with_name(f"{path.stem}_reliability.svg"), plots.reliability(next(iter(scores.values()))))
            if bins:
                write_figure(path.with_name(f"{path.stem}_sheet.svg"), draw_sheet(bins))
    if report_folder:
        Report(path, network.is_int8, runtime, dataset, table, scores, twice, bins).write(report_folder)
        say(f"Wrote {report_folder / 'report.html'}")


@click.command()
@data_option
@models_option
@click.option(
    "--wider", type=FOLDER, help="Measure only the average precision, on the data set WIDER FACE in this folder."
)
@click.option("--record", is_flag=True, help="Write the measured figures into the INT8 file's manifest.")
def compare_detection(folder: str | None, models: Path | None, wider: Path | None, record: bool) -> None:
    """Compare the detections of the INT8 and the float network with the detections of the original BlazeFace.

    The command uses the pools (labelled data sets) in the folder that --data names. With --wider, the command uses the
    validation images of the data set WIDER FACE in place of the pools. The folder of --wider must contain
    wider_face_split/wider_face_val_bbx_gt.txt and WIDER_val/images/EVENT/NAME.jpg.
    """
    if folder and wider:
        raise click.UsageError("--data and --wider cannot be used together: leave one out.")
    int8 = (models or models_dir()) / "blazeposer.tflite"
    if record:
        refuse_installed(int8)
    if wider:
        precision = detection.measure_wider(int8, wider)
        title = f"Average precision on {precision.images} validation images of WIDER FACE, by smallest size of a face"
        notes = (
            f"Average precision is at IoU {PRECISION_OVERLAP} with all-point interpolation. The size of a face is the "
            f"square root of its box's area in the {INPUT_SIZE} x {INPUT_SIZE} input. Boxes marked as invalid are "
            "ignored."
        )
        show_table(Table(["faces", *precision.average_precision], precision.rows(), title, notes), width=120)
        if record:
            record_figures(int8, {"wider": asdict(precision)})
        return
    found = detection.measure(int8, data_folder(folder))
    title = (
        f"Detection on {TEST_POOL}, {detection.SCENES}, {found.faceless_images} images without a face, "
        f"{found.hands} images of hands"
    )
    rows = detection.rows(found.figures, found.boxed_faces)
    show_table(Table(["", *found.figures], rows, title, found.near.line()), width=120)
    if record:
        named = {name: asdict(row) for name, row in found.figures.items()}
        counts = {"boxed_faces": found.boxed_faces, "faceless_images": found.faceless_images, "hands": found.hands}
        record_figures(int8, {"detection": {**named, "INT8_and_float": asdict(found.near), **counts}})


@click.command()
@click.argument("pages", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@models_option
def figures(pages: tuple[Path, ...], models: Path | None) -> None:
    """Write measured numbers from the networks' manifests into the marked blocks of the Markdown files PAGES."""
    manifests = read_manifests(models or models_dir())
    for page in pages:
        try:
            text = page.read_text(encoding="utf-8")
            page.write_text(fill(text, manifests), encoding="utf-8")
        except OSError as error:
            raise InputError(f"{page}: cannot rewrite the page ({error.strerror}): check the path") from error
        say(f"{page}: {len(MARKED_BLOCK.findall(text))} blocks written")
