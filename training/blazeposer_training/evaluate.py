"""blazeposer evaluate --data DIR [--model models/blazeposer.tflite] [--input camera] [--record]

Accuracy of a tflite file, INT8 or float, on the test pool: AFLW2000-3D's true labels, every picture squeezed whole into
the input. The figures come from the file itself, run by an interpreter.
"""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from blazeposer.contract import SCORE_THRESHOLD
from blazeposer.errors import ModelError
from blazeposer.interpreter import RUNTIMES, Network, Runtime, open_network
from blazeposer.manifest import record_figures
from blazeposer.prepare import camera_input, clean_input
from blazeposer.resources import default_model

from .data import TEST_POOL, Pool, data_folder, read_pool
from .metrics import MATCH_OVERLAP, YAW_RANGES, Scores, find, score

INPUTS = {"clean": clean_input, "camera": camera_input}


def evaluate(network: Network, pool: Pool, input_path: str) -> Scores:
    """Scores of a network on every face of a pool; `input_path` is a key of INPUTS."""
    found = []
    for face in track(range(len(pool)), description=f"{input_path} input", console=Console(stderr=True)):
        image = pool.images[pool.image_of[face]]
        height, width = image.shape[:2]
        box = pool.boxes[face] / (width, height, width, height)
        found.append(find(network.outputs(INPUTS[input_path](image)), box))
    return score(found, pool.rotations, pool.angles)


def table(rows: dict[str, Scores], title: str) -> Table:
    """One row a set of scores: recall, MAE by angle and by |yaw|, bootstrap interval of the mean, geodesic error."""
    view = Table(title=title, caption=f"degrees on detected faces; found: score >= {SCORE_THRESHOLD}, "
                 f"best overlap with the landmarks' box > {MATCH_OVERLAP}")  # fmt: skip
    ranges = [f"|yaw| {low}-{high}" for low, high in YAW_RANGES]
    for name in ("input", "N", "found", "recall", "MAE", "95 %", "yaw", "pitch", "roll", *ranges, "geodesic"):
        view.add_column(name, justify="right")
    for name, scores in rows.items():
        low, high = scores.interval()
        angles = scores.errors.mean(axis=0)
        parts = [scores.within(*limits).mean for limits in YAW_RANGES]
        geodesic = scores.geodesic[scores.found].mean()
        values = [f"{value:.2f}" for value in (*angles, *parts, geodesic)]
        counts = (str(len(scores.labels)), str(scores.found.sum()), f"{scores.recall:.4f}")
        view.add_row(name, *counts, f"{scores.mean:.2f}", f"{low:.2f}-{high:.2f}", *values)
    return view


@click.command()
@click.option("--data", "folder", help="Folder of the pools (default: BLAZEPOSER_DATA).")
@click.option("--model", type=click.Path(path_type=Path), help="tflite file (default: the INT8 one of models/).")
@click.option("--input", "inputs", multiple=True, type=click.Choice(list(INPUTS)), default=tuple(INPUTS),
              show_default=True, help="How pictures reach the network.")  # fmt: skip
@click.option("--runtime", type=click.Choice(RUNTIMES), default="reference", show_default=True)
@click.option("--record", is_flag=True, help="Write the figures into the manifest beside the model.")
def command(folder: str | None, model: Path | None, inputs: tuple[str, ...], runtime: Runtime, record: bool) -> None:
    """Measure a network on labelled faces."""
    path = model or default_model()
    network = open_network(path, runtime)
    pool = read_pool(data_folder(folder), TEST_POOL)
    rows = {name: evaluate(network, pool, name) for name in inputs}
    if not all(scores.found.any() for scores in rows.values()):
        raise ModelError(f"{path} found none of {len(pool)} faces: make it anew with `blazeposer quantize`")
    kind = "INT8" if network.is_int8 else "float"
    Console(width=160).print(table(rows, f"{path.name} ({kind}, {runtime} kernels) on {TEST_POOL}"))
    if record:
        figures = {name: scores.as_dict() for name, scores in rows.items()}
        record_figures(path, {TEST_POOL: {"runtime": runtime, **figures}})
