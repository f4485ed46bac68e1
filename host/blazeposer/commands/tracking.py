"""`blazeposer tracking`: what smoothing, the closer look and the position are worth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import click

from blazeposer.core.errors import BlazePoserError
from blazeposer.core.text import say
from blazeposer.evaluate.datasets import read_dataset
from blazeposer.evaluate.datasets.pool import TEST_POOL, data_folder, read_backgrounds
from blazeposer.evaluate.report import Table
from blazeposer.evaluate.text import show_table, with_notes
from blazeposer.evaluate.tracking import closer, position, steady
from blazeposer.faces.detector import Detector, InputPath
from blazeposer.tflite.interpreter import RUNTIMES, Runtime


@click.command(short_help="Measure smoothing, the closer look and positions.")
@click.option("--only", type=click.Choice(["steady", "closer", "position"]), help="One of the tables.")
@click.option("--dataset", "name", default=TEST_POOL, show_default=True, help="Faces for the closer look, with poses.")
@click.option("--data", "folder", help="Folder of the data set and of faceless.zip (default: BLAZEPOSER_DATA).")
@click.option("--model", type=click.Path(path_type=Path), help="tflite file (default: the INT8 one of models/).")
@click.option("--runtime", type=click.Choice(RUNTIMES), default="reference", show_default=True)
@click.option("--input", "input_path", type=click.Choice(get_args(InputPath)), default="camera", show_default=True)
@click.option("--markdown", is_flag=True, help="Tables to paste into a page.")
def command(
    only: str | None,
    name: str,
    folder: str | None,
    model: Path | None,
    runtime: Runtime,
    input_path: InputPath,
    markdown: bool,
) -> None:
    """Measure the benefit of tracking: jitter and lag, small faces by a closer look, positions.

    Heads that turn and places in a room are drawn; the closer look needs the data.
    """
    detector = Detector(model, runtime, input_path, fast=True)

    def closer_table() -> Table:
        data = data_folder(folder)
        dataset = read_dataset(name, data)
        if not dataset.has_poses:
            raise BlazePoserError(f"{name} has no angles: choose a --dataset with poses, {TEST_POOL} for one")
        gain = closer.measure(dataset, read_backgrounds(data, test=name == TEST_POOL), detector)
        return closer.table(gain, f"Closer look: faces of {name} pasted into {closer.SIDE}x{closer.SIDE}")

    tables: dict[str, Callable[[], Table]] = {
        "steady": lambda: steady.measure(detector),
        "closer": closer_table,
        "position": lambda: position.measure(detector),
    }
    for title, make in tables.items():
        if only in (None, title):
            if markdown:
                say(f"{with_notes(make())}\n")
            else:
                show_table(make())
    kind = "INT8" if detector.network.is_int8 else "float"
    say(f"{kind} network, {runtime} kernels, {input_path} input")
