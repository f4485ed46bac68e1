"""The stream as it comes in, live in a terminal, or one line a frame where there is none."""

from __future__ import annotations

from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from blazeposer.core.console import Console
from blazeposer.core.contract import ANGLES
from blazeposer.scene.sequence import Frame
from blazeposer.stream.record import Record

SPAN = 45.0
"""Degrees at the ends of a bar."""
HALF = 20
"""Characters on each side of its middle."""
COLORS = ("red", "green", "blue")


class LiveView:
    """Use in a `with` statement; `stage` says what goes on, `show` takes one frame, in any order."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeRemainingColumn(), console=console,
        )  # fmt: skip
        self._task = self._progress.add_task("", total=total)
        self._live = Live(self._progress, console=console, transient=True) if console.is_terminal else None

    def __enter__(self) -> LiveView:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def stage(self, words: str) -> None:
        """Say what goes on now."""
        self._progress.update(self._task, description=words)
        if not self._live:
            self._console.print(words)

    def show(self, number: int, frame: Frame, record: Record) -> None:
        """Show what was streamed of a frame, beside the known angles."""
        self._progress.update(self._task, description="streaming", advance=1)
        if self._live:
            self._live.update(Group(_panel(number, frame, record), self._progress))
        else:
            self._console.print(_line(number, frame, record), soft_wrap=True)


def bar(streamed: float, known: float | None) -> Text:
    """An angle as a point on a line from -SPAN to SPAN degrees; the known one is a stroke behind it."""
    cells = ["─"] * (2 * HALF + 1)
    cells[HALF] = "┼"
    for value, mark in ((known, "│"), (streamed, "●")):
        if value is not None:
            cells[HALF + round(max(-1.0, min(1.0, value / SPAN)) * HALF)] = mark
    return Text("".join(cells))


def _panel(number: int, frame: Frame, record: Record) -> Panel:
    known = frame.people[0].angles if len(frame.people) == 1 else None
    rows = []
    for axis, (name, color) in enumerate(zip(ANGLES, COLORS, strict=True)):
        row = Text(f"{name:>5}  ", style=color)
        if record.faces:
            row += bar(record.faces[0].angles[axis], known[axis] if known else None)
            row.append(f"  {record.faces[0].angles[axis]:+6.1f}", style=f"bold {color}")
        if known:
            row.append(f"   known {known[axis]:+6.1f}", style="dim")
        rows.append(row)
    if record.faces:
        rows.append(Text(f"  err  {record.faces[0].err:.1f} degrees expected"))
    title = f"frame {number} · {len(record.faces)} of {len(frame.people)} faces · {record.fps:.1f} fps of a stand-in"
    return Panel(Group(*rows), title=title, expand=False)


def _line(number: int, frame: Frame, record: Record) -> str:
    """A frame in lines of up to 80 columns: of each face yaw, pitch, roll and expected error, and what is known."""
    faces = [" ".join(f"{angle:+6.1f}" for angle in face.angles) + f" err {face.err:.1f}" for face in record.faces]
    known = [" ".join(f"{angle:+6.1f}" for angle in person.angles) for person in frame.people]
    head = f"frame {number}: {len(faces)} of {len(known)} faces"
    if len(faces) == len(known) == 1:
        return f"{head}  {faces[0]}  known {known[0]}"
    return "\n".join([head, *(f"    {words}" for words in faces), *(f"    known {words}" for words in known)])
