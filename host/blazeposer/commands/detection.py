"""`blazeposer detection`: detections beside those of the original BlazeFace."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from blazeposer.core.resources import models_dir, refuse_installed
from blazeposer.evaluate.datasets.pool import TEST_POOL, data_folder
from blazeposer.evaluate.detection import SCENES, measure, rows
from blazeposer.evaluate.report import Table
from blazeposer.evaluate.text import show_table
from blazeposer.tflite.manifest import record_figures


@click.command(short_help="Compare detections with the original BlazeFace's.")
@click.option("--data", "folder", help="Folder of the pools (default: BLAZEPOSER_DATA).")
@click.option("--models", "models", type=click.Path(path_type=Path, file_okay=False),
              help="Folder of blazeposer.tflite and blazeposer_float.tflite (default: models).")  # fmt: skip
@click.option("--record", is_flag=True, help="Write the figures into the INT8 file's manifest.")
def command(folder: str | None, models: Path | None, record: bool) -> None:
    """Compare the detections of the INT8 and the float network with those of the original BlazeFace."""
    int8 = (models or models_dir()) / "blazeposer.tflite"
    if record:
        refuse_installed(int8)
    found = measure(int8, data_folder(folder))
    title = (
        f"Detection: {TEST_POOL}, {SCENES}, {found.faceless_pictures} pictures without a face, {found.hands} of hands"
    )
    table = Table(["", *found.figures], rows(found.figures, found.boxed_faces), title, found.near.line())
    show_table(table, width=120)
    if record:
        named = {name: asdict(row) for name, row in found.figures.items()}
        counts = {"boxed_faces": found.boxed_faces, "faceless_pictures": found.faceless_pictures, "hands": found.hands}
        record_figures(int8, {"detection": {**named, "INT8_and_float": asdict(found.near), **counts}})
