"""Drawings for the pages, as SVG in the colour of the text. Each public function returns one drawing."""

from collections.abc import Sequence
from itertools import accumulate, groupby
from operator import itemgetter

from blazeposer.core.contract import GRIDS, INPUT_SIZE
from blazeposer_training.network.architecture import ARCHITECTURE, INPUT_CHANNELS

LINE, GAP = 17, 26  # height of a line and distance between boxes, in units of the SVG image


def path() -> str:
    """Return a drawing of the path from the sensor to the programs that use the faces."""
    boxes = (
        ("sensor", ("image, RGB565",)),
        ("ml.Model", ("a square part,", f"as {INPUT_SIZE}x{INPUT_SIZE} INT8")),
        ("the network", ("8 raw tensors",)),
        ("blazeposer.py", ("faces: box, points,", "angles, err")),
        ("your script", ("or main.py: one", "JSON line a frame")),
        ("USB", ("blazeposer watch,", "any serial reader")),
    )
    parts, x = [], 0
    for index, (title, lines) in enumerate(boxes):
        parts.append(_box(x, 0, 132, 74, title, lines))
        if index:
            parts.append(_arrow(x - GAP, 37, x - 3, 37))
        x += 132 + GAP
    return _svg(x - GAP, 74, parts, "From the sensor to the PC")


def network() -> str:
    """Return a drawing of the shipped network's feature maps, and of the outputs that are computed from these maps."""
    maps = [(INPUT_SIZE, ("image", f"{INPUT_CHANNELS} channels"))]
    halvings = accumulate(block.stride == 2 for block in ARCHITECTURE.blocks)
    for stage, blocks in groupby(zip(halvings, ARCHITECTURE.blocks, strict=True), key=itemgetter(0)):
        channels = [block.channels for _, block in blocks]
        widths = " to ".join(str(width) for width in dict.fromkeys((channels[0], channels[-1])))
        stem = "" if stage else f"stem of {ARCHITECTURE.stem}, "
        count = f"{len(channels)} block{'s' * (len(channels) > 1)}"
        lines = (f"{stem}{count}", f"{widths} channels")
        maps.append((INPUT_SIZE // 2 ** (stage + 1), lines))
    parts, middle = [], 70
    for index, (side, lines) in enumerate(maps):
        x, height = index * (140 + GAP), 60 + side * 0.6
        parts.append(_box(x, middle - height / 2, 140, height, f"{side}x{side}", lines))
        if index:
            parts.append(_arrow(x - GAP, middle, x - 3, middle))
        for grid in GRIDS:
            if grid.side == side:
                anchors, cells = f"{grid.count} anchors: score,", f"{grid.cells} cells: rotation,"
                heads = (anchors, "box, six points", cells, "expected error")
                parts += [_arrow(x + 70, middle + height / 2, x + 70, 147), _box(x - 10, 150, 160, 92, "heads", heads)]
    return _svg(len(maps) * (140 + GAP) - GAP + 10, 242, parts, "The network")


def tuning() -> str:
    """Return a drawing of the parts of the network in quantization-aware fine-tuning."""
    steps = (
        ("1 backbone to 16x16", "features"),
        ("2 backbone to 8x8", "features"),
        ("3 detection heads", "scores, boxes"),
        ("4 pose heads", "rotations, bins"),
    )
    parts, x = [_label(0, 24, "float"), _label(0, 136, "INT8")], 50.0
    for name, taught in steps:
        parts += [_box(x, 0, 160, 40, name), _box(x, 112, 160, 40, name)]
        parts += [_arrow(x + 50, 42, x + 50, 109), _label(x + 60, 80, taught)]
        x += 160 + GAP
    return _svg(x - GAP, 152, parts, "Each INT8 part learns the values of the same float part")


def _svg(width: float, height: float, parts: Sequence[str], title: str) -> str:
    """Return an SVG image of `parts`, as a block of raw HTML for a page."""
    return (
        "```{raw} html\n"
        f'<svg class="drawing" role="img" viewBox="-2 -2 {width + 4:g} {height + 4:g}" width="{width:g}" '
        'font-family="sans-serif" font-size="13" fill="currentColor" stroke="none">'
        f'<title>{title}</title><defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="currentColor"/></marker></defs>'
        f"{''.join(parts)}</svg>\n```"
    )


def _box(x: float, y: float, w: float, h: float, title: str, lines: Sequence[str] = ()) -> str:
    top = y + h / 2 - LINE * len(lines) / 2 + 5
    said = [f'<text x="{x + w / 2:g}" y="{top:g}" text-anchor="middle" font-weight="bold">{title}</text>']
    for index, line in enumerate(lines, 1):
        said.append(f'<text x="{x + w / 2:g}" y="{top + LINE * index:g}" text-anchor="middle">{line}</text>')
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="5" fill="none" '
        f'stroke="currentColor" stroke-width="1.5"/>{"".join(said)}'
    )


def _arrow(x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<path d="M{x0:g} {y0:g} {x1:g} {y1:g}" stroke="currentColor" stroke-width="1.5" marker-end="url(#tip)"/>'


def _label(x: float, y: float, text: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-style="italic">{text}</text>'
