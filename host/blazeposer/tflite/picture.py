"""A picture of a model's arena, which tensor lies where and how long, above bars of each operation's time."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from blazeposer.core.boards import BOARDS, KB
from blazeposer.tflite.arena import Arena, Placement, live_bytes, plan, planned_bytes
from blazeposer.tflite.graph import Graph, Tensor

WIDTH, HEIGHT = 1200, 760
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 84, 196
_BARS = 100
"""Height of the longest bar of time."""
_COLOURS = {
    "input": "#7f8c99", "CONV_2D": "#4c78a8", "DEPTHWISE_CONV_2D": "#f2a04a", "ADD": "#59a86b", "PAD": "#c9b458",
    "MAX_POOL_2D": "#9d7bb8", "RESHAPE": "#8dbfd9",
}  # fmt: skip
_OTHER = "#b5aaa2"
_PEAK = "#c0392b"


def memory_picture(graph: Graph, title: str, arena: Arena | None, times: Sequence[float | None] = ()) -> str:
    """Return an SVG: operations from left to right, addresses upwards, each tensor a box as long as it is needed.

    Boxes are where TFLite Micro's planner puts them. With a measured arena, what it keeps beside tensors lies on top.
    times: milliseconds of each operation, for the bars below; an operation whose time is not known has none.
    """
    placements = plan(graph)
    return _Picture(graph, placements, arena).draw(title, times)


class _Picture:
    def __init__(self, graph: Graph, placements: tuple[Placement, ...], arena: Arena | None) -> None:
        self.graph, self.placements, self.arena = graph, placements, arena
        self.steps = len(graph.operations)
        self.planned = planned_bytes(placements)
        self.smallest = min(BOARDS, key=lambda board: board.arena)
        self.highest = 1.06 * max(self.smallest.arena, self.planned, arena.total if arena else 0)
        self.writers = {index: operation.name for operation in graph.operations for index in operation.outputs}

    def draw(self, title: str, times: Sequence[float | None]) -> str:
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            f'<text x="{_LEFT}" y="24" font-size="17" font-weight="bold">{escape(title)}: memory over time</text>',
            *self._legend(),
            *self._axes(),
            *(self._tensor(place) for place in self.placements),
            *self._beside_tensors(),
            *self._limit(),
            *self._peak(),
            *self._times(times),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _x(self, step: float) -> float:
        """Left edge of an operation's column; -1 is the picture's input, the last one what reads the outputs."""
        return _LEFT + (step + 1) * (WIDTH - _LEFT - _RIGHT) / (self.steps + 2)

    def _y(self, size: float) -> float:
        return HEIGHT - _BOTTOM - size * (HEIGHT - _TOP - _BOTTOM) / self.highest

    def _kind(self, index: int) -> str:
        return self.writers.get(index, "input")

    def _tensor(self, place: Placement) -> str:
        tensor, kind = self.graph.tensors[place.tensor], self._kind(place.tensor)
        x, y = self._x(place.first), self._y(place.end)
        width, height = self._x(place.last + 1) - x, self._y(place.offset) - y
        described = (
            f"{tensor.name or kind} {_shape(tensor)}: {place.bytes:,} bytes, operations {place.first} to {place.last}"
        )
        colour = _COLOURS.get(kind, _OTHER)
        box = (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}" stroke="white" '
            f'stroke-width="0.6"><title>{escape(described)}</title></rect>'
        )
        label = _shape(tensor)
        return box + self._label(label, x + width / 2, y + height / 2, width, height)

    @staticmethod
    def _label(label: str, x: float, y: float, width: float, height: float) -> str:
        """Along the longer side, where there is room."""
        room = 6.6 * len(label) + 6
        if width >= room and height >= 13:
            return f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" fill="white">{label}</text>'
        if height >= room and width >= 12:
            turn = f'transform="rotate(-90 {x:.1f} {y:.1f})"'
            return f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" fill="white" {turn}>{label}</text>'
        return ""

    def _axes(self) -> list[str]:
        bottom, right = self._y(0), WIDTH - _RIGHT
        parts = []
        step = next(size for size in (16, 32, 64, 128, 256, 512, 1024, 4096) if self.highest / KB / size <= 12)
        for size in range(0, int(self.highest / KB) + 1, step):
            y = self._y(size * KB)
            parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#e3e3e3"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{size} KB</text>')
        every = max(1, round(self.steps / 16))
        for number in range(0, self.steps, every):
            x = self._x(number + 0.5)
            parts.append(f'<text x="{x:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{number}</text>')
        middle = (_LEFT + right) / 2
        parts.append(
            f'<text x="{middle}" y="{bottom + 34:.1f}" text-anchor="middle">operation, in the order of execution</text>'
        )
        return parts

    def _legend(self) -> list[str]:
        present = {self._kind(place.tensor) for place in self.placements}
        entries = [(colour, kind) for kind, colour in _COLOURS.items() if kind in present]
        if present - set(_COLOURS):
            entries.append((_OTHER, "others"))
        parts, x = [f'<text x="{_LEFT}" y="50">written by</text>'], _LEFT + 75.0
        for colour, text in entries:
            parts.append(f'<rect x="{x:.1f}" y="40" width="12" height="12" fill="{colour}"/>')
            parts.append(f'<text x="{x + 17:.1f}" y="50">{text}</text>')
            x += 40 + 7.6 * len(text)
        return parts

    def _beside_tensors(self) -> list[str]:
        if self.arena is None:
            return []
        y, height = self._y(self.arena.total), self._y(self.planned) - self._y(self.arena.total)
        text = f"{self.arena.persistent / KB:.0f} KB that TFLite Micro keeps about operations and channels, on this PC"
        return [
            f'<rect x="{_LEFT}" y="{y:.1f}" width="{WIDTH - _LEFT - _RIGHT}" height="{height:.1f}" fill="#dcdcdc"/>',
            f'<text x="{WIDTH - _RIGHT - 8}" y="{y + height / 2 + 4:.1f}" text-anchor="end" fill="#555">{text}</text>',
        ]

    def _limit(self) -> list[str]:
        y, right = self._y(self.smallest.arena), WIDTH - _RIGHT
        text = f"{self.smallest.arena / KB:.0f} KB: what the {self.smallest.name}, the smallest board, has for an arena"
        return [
            f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="black" stroke-dasharray="6 4"/>',
            f'<text x="{right - 8}" y="{y - 6:.1f}" text-anchor="end" paint-order="stroke" stroke="white" '
            f'stroke-width="4">{text}</text>',
        ]

    def _peak(self) -> list[str]:
        """Marks on all operations during which the highest address is in use."""
        highest = [place for place in self.placements if place.end == self.planned]
        steps = [s for s in range(self.steps) if any(place.first <= s <= place.last for place in highest)]
        top, above = self._y(self.planned), _TOP - 6
        numbers = ", ".join(map(str, steps[:8])) + (", ..." if len(steps) > 8 else "")
        text = f"peak: {self.planned / KB:.0f} KB during operation {numbers}"
        used = max(live_bytes(self.placements, step) for step in range(self.steps))
        if used < self.planned:
            text += f"; without gaps, {used / KB:.0f} KB would do"
        parts = [f'<text x="{self._x(steps[0]):.1f}" y="{_TOP - 12}" fill="{_PEAK}" font-weight="bold">{text}</text>']
        for x in (self._x(step + 0.5) for step in steps):
            tip = f"{x:.1f},{top:.1f} {x - 4:.1f},{top - 9:.1f} {x + 4:.1f},{top - 9:.1f}"
            parts.append(f'<line x1="{x:.1f}" y1="{above}" x2="{x:.1f}" y2="{top - 8:.1f}" stroke="{_PEAK}"/>')
            parts.append(f'<polygon points="{tip}" fill="{_PEAK}"/>')
        return parts

    def _times(self, times: Sequence[float | None]) -> list[str]:
        longest = max((time or 0 for time in times), default=0)
        if not longest:
            return []
        bottom = HEIGHT - 20
        parts = [
            f'<text x="{_LEFT - 6}" y="{bottom - _BARS + 10}" text-anchor="end">{longest:.1f} ms</text>',
            f'<text x="{(_LEFT + WIDTH - _RIGHT) / 2}" y="{bottom + 15}" text-anchor="middle">'
            "time of each operation, estimated</text>",
        ]
        for step, time in enumerate(times):
            x, width, height = self._x(step), self._x(step + 1) - self._x(step), _BARS * (time or 0) / longest
            name = self.graph.operations[step].name
            parts.append(
                f'<rect class="time" x="{x:.1f}" y="{bottom - height:.1f}" width="{width:.1f}" height="{height:.1f}" '
                f'fill="{_COLOURS.get(name, _OTHER)}" stroke="white" stroke-width="0.6"/>'
            )
        return parts


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape[1:] or tensor.shape))
