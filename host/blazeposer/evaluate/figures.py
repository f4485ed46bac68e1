"""blazeposer figures README.md models/README.md CHANGELOG.md

Pages take their figures from the manifests, and those of the peers from docs/bench.md: what stands between
`<!-- NAME: blazeposer figures -->` and `<!-- end -->` is written anew, NAME being one of `BLOCKS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click

from blazeposer.core.contract import ANGLES
from blazeposer.core.errors import BlazePoserError, InputError
from blazeposer.core.resources import models_dir
from blazeposer.core.text import say
from blazeposer.evaluate.datasets.pool import TEST_POOL
from blazeposer.evaluate.detection import SIZES, Agreement, Figures, rows
from blazeposer.tflite.manifest import NOT_MEASURED, Manifest, read_manifest

_BLOCK = re.compile(r"(<!-- (\w+): blazeposer figures -->\n).*?(<!-- end -->)", re.DOTALL)
BENCH = models_dir().parent / "docs" / "bench.md"
"""What `blazeposer bench` wrote."""
_SIDE_BY_SIDE = re.compile(rf"## Accuracy on {TEST_POOL}\n\nSide by side:\n\n((?:\|.*\n)+)")
OTHERS = """\
| Abbaszadeh's thesis, INT8 / float ² | 109.5 KB / 104.1 K parameters | 7.29 / 6.85 | 4.70 / 3.86 | |
| HopeNet ² | 24 M parameters, needs a face detector | 6.16 | 5.18 | |
| 6DRepNet ² | 39 M parameters, needs a face detector | 3.97 | 3.47 | |
"""


class Manifests(NamedTuple):
    """Of the two files."""

    int8: Manifest
    float: Manifest


def headline(manifests: Manifests) -> str:
    """BlazePoser beside what its task's papers report."""
    int8, real = (_accuracy(manifest)["clean"] for manifest in manifests)
    sizes = (
        f"{manifests.int8.payload_bytes / 1000:.1f} KB of parameters, file {manifests.int8.file_bytes / 1000:.1f} KB"
    )
    return (
        "| | size | AFLW2000 | BIWI | on a camera |\n|---|---|---|---|---|\n"
        f"| **BlazePoser, INT8** | {sizes} | **{int8['mae']['mean']:.2f}** at recall {int8['recall']:.3f} ¹ "
        f"| {_biwi(manifests.int8)} | not measured |\n"
        f"| **BlazePoser, float** | {manifests.float.parameters / 1000:.1f} K parameters "
        f"| **{real['mae']['mean']:.2f}** at recall {real['recall']:.3f} ¹ | {_biwi(manifests.float)} | |\n{OTHERS}"
    )


def accuracy(manifests: Manifests) -> str:
    """Recall and errors of both files on both input paths."""
    lines = [
        "| file | input | found | recall | MAE | 95 % | yaw / pitch / roll | by \\|yaw\\| 0-30 / 30-60 / 60-99 "
        "| geodesic |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, manifest in zip(("INT8", "float"), manifests, strict=True):
        for path, row in _accuracy(manifest).items():
            if path == "runtime":
                continue
            mae, (low, high) = row["mae"], row["interval"]
            lines.append(
                f"| {name} | {path} | {row['found']} of {row['faces']} | {row['recall']:.4f} | **{mae['mean']:.2f}** "
                f"| {low:.2f} to {high:.2f} | {_slashed(mae[angle] for angle in ANGLES)} "
                f"| {_slashed(row['mae_by_yaw'].values())} | {row['geodesic']:.2f} |"
            )
    return "\n".join(lines) + "\n"


def certainty(manifests: Manifests) -> str:
    """What the expected error is worth."""
    row = _accuracy(manifests.int8)["clean"]
    half = row["surest_half"]
    return (
        f"The half of the faces of which the INT8 file is surest is off by {half['geodesic']:.1f} degrees, all by "
        f"{row['geodesic']:.1f}: a ratio of {half['ranking']:.2f}.\n"
    )


def size(manifests: Manifests) -> str:
    """What the files take."""
    int8 = manifests.int8
    return (
        f"{int8.parameters:,} parameters, {int8.macs / 1e6:.1f} M multiply-accumulates; "
        f"INT8: {int8.file_bytes:,} bytes, arena {int8.arena_bytes:,} bytes (TensorFlow Lite Micro, 64 bit).\n"
    )


def network(manifests: Manifests) -> str:
    """Which network ships, for the list of changes."""
    row = _accuracy(manifests.int8)["clean"]
    return (
        f"Its network is `{manifests.int8.sha256[:8]}`: {manifests.int8.file_bytes:,} bytes, "
        f"{row['mae']['mean']:.2f} degrees at recall {row['recall']:.3f} on {TEST_POOL}.\n"
    )


def detection(manifests: Manifests) -> str:
    """Detections of both files beside the original's."""
    figures = _measured(manifests.int8, "detection", "blazeposer detection --record")
    labels = {least: figures["boxed_faces"][str(least)] for least in SIZES}
    named = {name: Figures(**figures[name]) for name in ("BlazeFace", "float", "INT8")}
    lines = [f"| | {' | '.join(named)} |", "|---|" + "---:|" * len(named)]
    lines += [f"| {' | '.join(row)} |" for row in rows(named, labels)]
    return "\n".join([*lines, "", Agreement(**figures["INT8_and_float"]).line(), ""])


def peers(manifests: Manifests) -> str:
    """BlazePoser beside its peers on the same faces."""
    found = _SIDE_BY_SIDE.search(BENCH.read_text(encoding="utf-8")) if BENCH.is_file() else None
    if not found:
        raise BlazePoserError(
            f"{BENCH} has no accuracy: run `blazeposer bench --data DIR --output docs/bench.md` first"
        )
    return found[1]


BLOCKS: dict[str, Callable[[Manifests], str]] = {
    block.__name__: block for block in (headline, accuracy, certainty, size, network, detection, peers)
}


def fill(text: str, manifests: Manifests) -> str:
    """The page with its blocks written anew. Raises BlazePoserError for a block that is none of BLOCKS."""

    def block(found: re.Match[str]) -> str:
        start, name, end = found.groups()
        if name not in BLOCKS:
            raise BlazePoserError(f"there is no block {name!r}: use one of {', '.join(BLOCKS)}")
        return start + BLOCKS[name](manifests) + end

    return _BLOCK.sub(block, text)


def read_manifests(folder: Path) -> Manifests:
    """The manifests of a models folder. Raises ModelError."""
    return Manifests(*(read_manifest(folder / f"{name}.tflite") for name in ("blazeposer", "blazeposer_float")))


def _accuracy(manifest: Manifest) -> dict[str, Any]:
    return _measured(manifest, TEST_POOL, "blazeposer evaluate --record")


def _measured(manifest: Manifest, name: str, how: str) -> dict[str, Any]:
    figures = manifest.figures.get(name, NOT_MEASURED)
    if not isinstance(figures, dict):
        raise BlazePoserError(f"{manifest.file} has no figures of {name}: run `{how}` first")
    return figures


def _biwi(manifest: Manifest) -> str:
    figures = manifest.figures.get("biwi", NOT_MEASURED)
    return f"**{figures['clean']['mae']['mean']:.2f}**" if isinstance(figures, dict) else str(figures)


def _slashed(values: Any) -> str:
    return " / ".join(f"{value:.2f}" for value in values)


@click.command(short_help="Write the manifests' figures into pages.")
@click.argument("pages", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--models", type=click.Path(path_type=Path, file_okay=False), help="Their folder (default: models).")
def command(pages: tuple[Path, ...], models: Path | None) -> None:
    """Write the figures of the manifests and of docs/bench.md into the marked blocks of Markdown PAGES."""
    manifests = read_manifests(models or models_dir())
    for page in pages:
        try:
            text = page.read_text(encoding="utf-8")
            page.write_text(fill(text, manifests), encoding="utf-8")
        except OSError as error:
            raise InputError(f"{page}: cannot be rewritten ({error.strerror}): check its path") from error
        say(f"{page}: {len(_BLOCK.findall(text))} blocks")
