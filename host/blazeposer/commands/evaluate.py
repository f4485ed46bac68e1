"""`blazeposer evaluate`: accuracy of a network on labelled faces."""

from __future__ import annotations

from pathlib import Path

import click

from blazeposer.core.errors import ModelError
from blazeposer.core.resources import default_model, refuse_installed
from blazeposer.core.text import say
from blazeposer.evaluate import plots
from blazeposer.evaluate.accuracy import INPUTS, detect, evaluate, pose_table, precision_dict, precision_table
from blazeposer.evaluate.accuracy_report import Report
from blazeposer.evaluate.bench import Ours, machine
from blazeposer.evaluate.datasets import READERS, read_dataset
from blazeposer.evaluate.datasets.pool import TEST_POOL, data_folder
from blazeposer.evaluate.metrics import MOST_FACES, Scores
from blazeposer.evaluate.sheet import Bin, draw_sheet, measure_sheet, sheet_dict, sheet_table
from blazeposer.evaluate.text import show_table
from blazeposer.media.output import write_figure
from blazeposer.tflite.interpreter import RUNTIMES, Runtime, open_network
from blazeposer.tflite.manifest import record_figures


@click.command(short_help="Measure a network on labelled faces.")
@click.option("--dataset", "name", default=TEST_POOL, show_default=True,
              help=f"{', '.join(READERS)}, or the name of a pool.")  # fmt: skip
@click.option("--data", "folder", help="Folder of the data set or of the pools (default: BLAZEPOSER_DATA).")
@click.option("--model", type=click.Path(path_type=Path), help="tflite file (default: the INT8 one of models/).")
@click.option("--input", "inputs", multiple=True, type=click.Choice(list(INPUTS)), default=tuple(INPUTS),
              show_default=True, help="How images reach the network.")  # fmt: skip
@click.option("--runtime", type=click.Choice(RUNTIMES), default="reference", show_default=True)
@click.option("--looks", type=click.Choice(["1", "2"]), default="1", show_default=True,
              help="2: the mean of a look and one at the mirror image.")  # fmt: skip
@click.option("--sheet", is_flag=True, help="Disturb the images, too; a report does so by itself.")
@click.option("--report", "report_folder", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for report.json and report.html, a page with plots.")  # fmt: skip
@click.option(
    "--record",
    is_flag=True,
    help="Write the figures into the manifest beside the model, and there the plots of its expected error.",
)
def command(
    name: str, folder: str | None, model: Path | None, inputs: tuple[str, ...], runtime: Runtime, looks: str,
    sheet: bool, report_folder: Path | None, record: bool,
) -> None:  # fmt: skip
    """Measure a network on labelled faces: angles where the data set has them, else average precision.

    Official data sets are read as they unpack: aflw2000 (AFLW2000-3D), biwi (protocol 1: every sequence), biwi-2
    (protocol 2: the 8 test sequences), 300w-lp, wider (WIDER FACE, validation). A pool is NAME.zip, NAME.csv and
    NAME_landmarks68.npy; val is the validation split of all training pools.

    The sheet is measured on the clean input alone: recall, error and expected error on turned, cut, near, blurred,
    dark, covered and small faces. That is 55 images a face, so XNNPACK's kernels look at them whatever --runtime
    says.
    """
    path = model or default_model()
    if record:
        refuse_installed(path)
    network = open_network(path, runtime)
    dataset = read_dataset(name, data_folder(folder))
    twice = looks == "2"
    of = f"{path.name} ({'INT8' if network.is_int8 else 'float'}, {runtime} kernels) on {name}"
    title = of + (", two looks" if twice else "")
    scores: dict[str, Scores] = {}
    if dataset.has_poses:
        scores = {key: evaluate(network, dataset, key, twice=twice) for key in inputs}
        if not all(row.found.any() for row in scores.values()):
            raise ModelError(f"{path} found none of {len(dataset)} faces: make it anew with `blazeposer quantize`")
        figures = {key: row.as_dict() for key, row in scores.items()}
        table = pose_table(scores, title, dataset.rule.text)
    else:
        figures = {key: precision_dict(detect(network, dataset, key, twice=twice)) for key in inputs}
        table = precision_table(figures, title)
    show_table(table, width=180)
    each = 1e3 * network.seconds / (len(inputs) * len(dataset.samples))
    say(f"{each:.1f} ms of processor time a picture in the network; {machine()}")
    bins: list[Bin] = []
    if scores and (sheet or report_folder):
        bins = measure_sheet(Ours(path, MOST_FACES, careful=twice), dataset)
        show_table(sheet_table(bins, title))
    if record:
        recorded = name + ("_two_looks" if twice else "")
        record_figures(path, {recorded: {"runtime": runtime, **figures}})
        if bins:
            record_figures(path, {f"{recorded}_sheet": {"runtime": "xnnpack", "bins": sheet_dict(bins)}})
        if recorded == TEST_POOL and network.is_int8:
            write_figure(path.with_name(f"{path.stem}_reliability.svg"), plots.reliability(next(iter(scores.values()))))
            if bins:
                write_figure(path.with_name(f"{path.stem}_sheet.svg"), draw_sheet(bins))
    if report_folder:
        Report(path, network.is_int8, runtime, dataset, table, figures, scores, twice, bins).write(report_folder)
        say(f"Wrote {report_folder / 'report.html'}")
