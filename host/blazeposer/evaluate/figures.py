"""Copy the measured numbers from the manifests (the JSON files beside the network files) into the blocks of the
documentation pages. A block is between the comments `<!-- NAME: blazeposer figures -->` and `<!-- end -->`. NAME is a
key of `BLOCKS`."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from blazeposer.core.boards import find
from blazeposer.core.contract import ANGLES
from blazeposer.core.errors import BlazePoserError
from blazeposer.evaluate.datasets.pool import TEST_POOL
from blazeposer.evaluate.datasets.pools import BIWI_DEV, VALIDATION
from blazeposer.evaluate.detection import SIZES, Agreement, Figures, rows
from blazeposer.evaluate.report import markdown_table
from blazeposer.evaluate.sheet import FEWEST, is_true
from blazeposer.tflite.arena import Arena, plan, planned_bytes
from blazeposer.tflite.cost import camera_arena, estimate, milliseconds, speed
from blazeposer.tflite.graph import read_graph
from blazeposer.tflite.manifest import NOT_MEASURED, Manifest, read_manifest

MARKED_BLOCK = re.compile(r"(<!-- (\w+): blazeposer figures -->\n).*?(<!-- end -->)", re.DOTALL)
OTHERS = (
    ("Abbaszadeh's thesis, INT8 / float ³", "109.5 KB / 104.1 K parameters", "7.29 / 6.85", "4.70 / 3.86", "", ""),
    ("HopeNet ³", "24 M parameters, needs a face detector", "6.16", "5.18", "", ""),
    ("6DRepNet ³", "39 M parameters, needs a face detector", "3.97", "3.47", "", ""),
)
STOCK = 154.6e6
"""Number of instructions for one run of BlazeFace in INT8. The instructions were counted on the emulated Cortex-M7, in
the same way as for `tflite/cost.py`."""
MEASURED = (TEST_POOL, BIWI_DEV)
TURNS = ("45", "60", "90", "180")
TWO_LOOKS = "_two_looks"
"""Suffix of a data set's name if the results for each image and its mirror image were averaged."""
SHEETS = (TEST_POOL, VALIDATION)
TIMED = tuple(find(key) for key in ("h7", "rt1062", "portenta"))
"""Boards in the table of `headline`: the smallest, the fastest and the slowest board."""


class Manifests(NamedTuple):
    int8: Manifest
    float: Manifest
    folder: Path


def headline(manifests: Manifests) -> str:
    """Return a table that compares BlazePoser with BlazeFace and with published networks for head pose."""
    int8, real, _ = manifests
    sizes = f"file {int8.file_bytes / 1000:.1f} KB, {int8.payload_bytes / 1000:.1f} KB of it parameters"
    speeds = f"estimated frames a second: {' / '.join(board.key for board in TIMED)}"
    head = ("", "size", "AFLW2000", "BIWI", "BIWI, after offset", speeds)
    rows = [
        ("**BlazePoser, INT8**", sizes, *_heads(int8), _frames(manifests)),
        ("**BlazePoser, float**", f"{real.parameters / 1000:.1f} K parameters", *_heads(real), ""),
        ("BlazeFace, INT8 ⁴", "133 KB", "no pose", "no pose", "", _slashed(_stock(), ".1f")),
    ]
    return markdown_table(head, [*rows, *OTHERS]) + "\n"


def accuracy(manifests: Manifests) -> str:
    """Return a table with the errors of the INT8 network and the float network on each data set in MEASURED."""
    head = ("data", "file", "input", "found", "recall", "MAE", "95 %", "yaw / pitch / roll",
            "by |yaw| 0-30 / 30-60 / 60-99", "bias", "after offset", "pitch slope", "geodesic")  # fmt: skip
    table = []
    for dataset in MEASURED:
        measured = (
            ("INT8", _accuracy(manifests.int8, dataset)),
            ("float", _accuracy(manifests.float, dataset)),
            ("INT8, two looks", _accuracy(manifests.int8, dataset + TWO_LOOKS)),
        )
        rows = [(name, path, row) for name, inputs in measured for path, row in inputs.items() if path != "runtime"]
        for name, path, row in rows:
            mae, (low, high) = row["mae"], row["interval"]
            table.append((
                dataset, name, path, f"{row['found']} of {row['faces']}", f"{row['recall']:.4f}",
                f"**{mae['mean']:.2f}**", f"{low:.2f} to {high:.2f}", _slashed(mae[angle] for angle in ANGLES),
                _slashed(row["mae_by_yaw"].values()), _slashed(row["bias"].values(), "+.1f"),
                f"{row['mae_after_offset']:.2f}", f"{row['pitch_slope']:.2f}", f"{row['geodesic']:.2f}",
            ))  # fmt: skip
    return markdown_table(head, table) + "\n"


def sheet(manifests: Manifests) -> str:
    """Return the expected and the true errors of the INT8 network on disturbed images."""
    parts = []
    for dataset in SHEETS:
        if f"{dataset}_sheet" not in manifests.int8.figures:
            parts.append(f"On `{dataset}`: {NOT_MEASURED}.\n")
            continue
        bins = _sheet(manifests, dataset)
        head = (dataset, "level: expected / true error, degrees (share of faces found)")
        table = [(name, "; ".join(_bin(level, row) for level, row in levels.items())) for name, levels in bins.items()]
        judged = [row for levels in bins.values() for row in levels.values() if row["found"] >= FEWEST]
        wrong = sum(not is_true(row["expected"], row["geodesic"]) for row in judged)
        parts.append(
            f"{markdown_table(head, table)}\n\nOn `{dataset}`, {wrong} of {len(judged)} expected errors "
            "differ from the true error by more than a quarter.\n"
        )
    return "\n".join(parts)


def limits(manifests: Manifests) -> str:
    """Return the results for faces in rotated images, and for a face that almost fills the image."""
    bins = _sheet(manifests, TEST_POOL)
    turned, near = bins["turned image"], bins["near"]["0.9"]
    found = _listed(f"{100 * turned[level]['recall']:.0f}" for level in TURNS)
    true, expected = (_listed(f"{turned[level][key]:.0f}" for level in TURNS) for key in ("geodesic", "expected"))
    return (
        f"If faces are turned in the image by {_listed(TURNS)} degrees, the network finds {found} % of them. The mean "
        f"error of their rotation is {true} degrees, and the mean `err` is {expected} degrees. If a face fills 0.9 of "
        f"the image, the MAE is {near['mae']:.2f} degrees at recall {near['recall']:.3f}. The mean error of the "
        f"rotation is then {near['geodesic']:.1f} degrees, and the mean `err` is {near['expected']:.1f} degrees.\n"
    )


def certainty(manifests: Manifests) -> str:
    """Return the mean error of all faces, and of the half of the faces with the smaller expected errors."""
    row = _accuracy(manifests.int8, TEST_POOL)["clean"]
    half = row["surest_half"]
    return (
        f"The mean error of the rotation is {row['geodesic']:.1f} degrees for all faces. It is {half['geodesic']:.1f} "
        f"degrees for the half of the faces with the smaller expected errors: a ratio of {half['ranking']:.2f}.\n"
    )


def size(manifests: Manifests) -> str:
    int8 = manifests.int8
    return (
        f"{int8.parameters:,} parameters, {int8.macs / 1e6:.1f} M multiply-accumulates; "
        f"INT8: {int8.file_bytes:,} bytes, arena {int8.arena_bytes:,} bytes (TensorFlow Lite Micro, 64 bit).\n"
    )


def network(manifests: Manifests) -> str:
    """Return a short description of the shipped network for the changelog."""
    row = _accuracy(manifests.int8, TEST_POOL)["clean"]
    return (
        f"The network is `{manifests.int8.sha256[:8]}`. Its file has {manifests.int8.file_bytes:,} bytes. Its mean "
        f"error on {TEST_POOL} is {row['mae']['mean']:.2f} degrees at recall {row['recall']:.3f}.\n"
    )


def detection(manifests: Manifests) -> str:
    """Return a table with the detection results of the INT8 network, the float network and the original BlazeFace."""
    figures = _measured(manifests.int8, "detection", "blazeposer compare-detection --record")
    labels = {least: figures["boxed_faces"][str(least)] for least in SIZES}
    named = {name: Figures(**figures[name]) for name in ("BlazeFace", "float", "INT8")}
    near = Agreement(**figures["INT8_and_float"]).line()
    return f"{markdown_table(['', *named], rows(named, labels))}\n\n{near}\n"


BLOCKS: dict[str, Callable[[Manifests], str]] = {
    block.__name__: block for block in (headline, accuracy, sheet, limits, certainty, size, network, detection)
}


def fill(text: str, manifests: Manifests) -> str:
    """Return the text of a page with new numbers in its blocks. Raises BlazePoserError for an unknown block."""

    def block(found: re.Match[str]) -> str:
        start, name, end = found.groups()
        if name not in BLOCKS:
            raise BlazePoserError(f"there is no block {name!r}: use one of {', '.join(BLOCKS)}")
        return start + BLOCKS[name](manifests) + end

    return MARKED_BLOCK.sub(block, text)


def read_manifests(folder: Path) -> Manifests:
    int8, real = (read_manifest(folder / f"{name}.tflite") for name in ("blazeposer", "blazeposer_float"))
    return Manifests(int8, real, folder)


def _accuracy(manifest: Manifest, dataset: str) -> dict[str, Any]:
    name, twice, _ = dataset.partition(TWO_LOOKS)
    return _measured(manifest, dataset, f"blazeposer evaluate --dataset {name}{' --looks 2' if twice else ''} --record")


def _measured(manifest: Manifest, name: str, how: str) -> dict[str, Any]:
    figures = manifest.figures.get(name, NOT_MEASURED)
    if not isinstance(figures, dict):
        raise BlazePoserError(f"{manifest.file} has no figures of {name}: run `{how}` first")
    return figures


def _sheet(manifests: Manifests, dataset: str) -> dict[str, dict[str, Any]]:
    """Return the measured values for each disturbance and each level."""
    how = f"blazeposer evaluate --dataset {dataset} --sheet --record"
    bins: dict[str, dict[str, Any]] = _measured(manifests.int8, f"{dataset}_sheet", how)["bins"]
    return bins


def _listed(values: Iterable[str]) -> str:
    *most, last = values
    return f"{', '.join(most)} and {last}"


def _heads(manifest: Manifest) -> tuple[str, str, str]:
    """Return the table cells with a network's errors on AFLW2000 and on BIWI."""
    aflw, biwi = (_accuracy(manifest, dataset)["clean"] for dataset in MEASURED)
    return (
        f"**{aflw['mae']['mean']:.2f}** at recall {aflw['recall']:.3f} ¹",
        f"**{biwi['mae']['mean']:.2f}** at recall {biwi['recall']:.3f} ²",
        f"{biwi['mae_after_offset']:.2f} ²",
    )


def _frames(manifests: Manifests) -> str:
    """Return the estimated frames per second on each board in `TIMED`."""
    graph = read_graph((manifests.folder / manifests.int8.file).read_bytes(), manifests.int8.file)
    planned = planned_bytes(plan(graph))
    arena = camera_arena(Arena(planned, manifests.int8.arena_bytes - planned))
    found = [estimate(graph, board, arena) for board in TIMED]
    return " / ".join(f"{each.frames_per_second:.1f}" if each else "unknown" for each in found)


def _stock() -> Iterator[float]:
    """Yield the estimated frames per second of BlazeFace on each board in `TIMED`. The estimate counts only the time
    for running the network. It assumes that the arenas of BlazeFace and of BlazePoser are in the same memory."""
    for board in TIMED:
        found = speed(board, "SRAM" if board.key == "h7" else "SDRAM")
        assert found
        yield 1000 / milliseconds(STOCK, board, found)


def _bin(level: str, row: dict[str, Any]) -> str:
    if not row["found"]:
        return f"{level}: none found"
    bold = "" if row["found"] < FEWEST or is_true(row["expected"], row["geodesic"]) else "**"
    text = f"{bold}{row['expected']:.1f} / {row['geodesic']:.1f}{bold} ({row['recall']:.0%})"
    return f"{level}: {text}" if level else text


def _slashed(values: Any, how: str = ".2f") -> str:
    return " / ".join(f"{value:{how}}" for value in values)
