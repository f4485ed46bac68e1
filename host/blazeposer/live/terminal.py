"""Show a live session in a terminal. If the standard output is not a terminal, print one line for each pose record."""

import os
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from blazeposer.core.console import Console
from blazeposer.core.contract import ANGLES
from blazeposer.core.draw import ANGLE_COLORS, as_hex
from blazeposer.core.text import plain
from blazeposer.live.session import Moment
from blazeposer.stream.record import Counts

COLUMNS, ROWS = 21, 11
"""Size of a drawn head in Braille characters. Each character has 2 x 4 dots."""
RECENTRE = "r"
"""Key that sets the current pose as the zero pose."""
REFRESH = 12
"""Number of times per second at which the terminal is redrawn. A higher number has no advantage."""
_WIDTHS = {"face": 4, **dict.fromkeys(ANGLES, 6), "err": 4, "score": 5, "x cm": 4, "y cm": 4, "z cm": 4}
_HEAD = np.array([0.78, 1.0, 0.9])  # half axes of the ellipsoid
_BRAILLE = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])


class TerminalView:
    """A `View` that shows a session in a terminal. The display begins when the object is created, and ends when the
    caller closes `stack`. The lines `notes` are printed above the table of faces. The function `recentre` is called
    when the user presses the key `RECENTRE`."""

    def __init__(
        self, console: Console, notes: tuple[str, ...], recentre: Callable[[], None], stack: ExitStack
    ) -> None:
        self._console = console
        self._recentre = recentre
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._state = ""
        self._troubles: Mapping[str, str] = {}
        self._came = False
        self._drawn = 0.0
        self._keys = stack.enter_context(pressed()) if self._live else None
        for note in (*notes, f"Press {RECENTRE} to set the present pose as zero." if self._keys else ""):
            if note:
                console.print(Text(plain(note)), soft_wrap=True)
        if self._live:
            stack.enter_context(self._live)

    def show(self, moment: Moment) -> None:
        if self._keys and RECENTRE in self._keys():
            self._recentre()
        if moment.recentred:
            self._say("the present pose is the zero")
        if moment.state != self._state:
            self._say(moment.state or f"{moment.name} sends faces" + " again" * self._came)
            self._state = moment.state
        for name in {**self._troubles, **moment.troubles}:
            if (trouble := moment.troubles.get(name)) != self._troubles.get(name):
                self._say(f"{name}: {trouble or 'receives poses again'}")
        self._troubles = moment.troubles
        self._came = self._came or moment.record is not None
        now = time.monotonic()
        if moment.record and not self._live:
            self._console.print(Text(plain(line(moment))), soft_wrap=True)
        elif moment.record and self._live and now - self._drawn >= 1 / REFRESH:
            self._drawn = now
            self._live.update(panel(moment), refresh=True)

    def _say(self, words: str) -> None:
        self._console.print(Text(plain(f"{datetime.now():%H:%M:%S} {words}"), style="yellow"), soft_wrap=True)


@contextmanager
def pressed() -> Generator[Callable[[], str] | None, None, None]:
    """Yield a function that returns all keys pressed since its last call. Yield None if the program cannot read a
    keyboard, for example because it runs in the background."""
    try:
        at_terminal = sys.stdin is not None and sys.stdin.isatty()
    except ValueError:  # stdin was closed
        at_terminal = False
    if not at_terminal:
        yield None
    elif sys.platform == "win32":
        import msvcrt

        yield lambda: "".join(msvcrt.getwch() for _ in iter(msvcrt.kbhit, False))
    else:
        import select
        import termios
        import tty

        terminal = sys.stdin.fileno()
        if os.tcgetpgrp(terminal) != os.getpgrp():  # the terminal would stop a background process
            yield None
            return

        def keys() -> str:
            is_ready = select.select([terminal], [], [], 0)[0]
            return os.read(terminal, 100).decode(errors="replace") if is_ready else ""

        before = termios.tcgetattr(terminal)
        tty.setcbreak(terminal)
        try:
            yield keys
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def line(moment: Moment) -> str:
    """Return one line with the time and the face angles of a `Moment`. The caller ensures that `moment` contains a pose
    record."""
    assert moment.record
    faces = "; ".join(f"face {face.id} " + " ".join(f"{angle:+.1f}" for angle in face.angles) for face in moment.shown)
    return f"{moment.record.seq} {moment.record.t_ms / 1000:.2f} s: {faces or 'no face'}"


def panel(moment: Moment) -> RenderableType:
    """Return a table of the faces in a `Moment`, about 60 characters wide, and a drawing of each head. The caller
    ensures that `moment` contains a pose record."""
    record = moment.record
    assert record
    head = f"{moment.name}  {record.fps:.1f} frames per second"
    if ms := record.ms:
        head += f"\nimage {ms.picture:.0f}, network {ms.network:.0f}"
        head += f", decoding {ms.decode:.1f} ms" if ms.decode else " ms"
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, width in _WIDTHS.items():
        style = f"bold {as_hex(ANGLE_COLORS[heading])}" if heading in ANGLE_COLORS else None
        table.add_column(heading, justify="right", min_width=width, header_style=style)
    for face in moment.shown:
        angles = [f"{angle:+.1f}" for angle in face.angles]
        place = [str(round(value)) for value in face.position or ()]
        table.add_row(str(face.id), *angles, f"{face.err:.1f}", f"{face.score:.2f}", *place)
    heads = Columns([Text(drawn(face.rotation)) for face in moment.shown], padding=(0, 2))
    return Group(Text(plain(head)), Text(losses(moment.counts), style="dim"), table, heads)


def losses(counts: Counts) -> str:
    words = f"{counts.records} records, {counts.lost} lost, {counts.repeated} repeated, {counts.late} late, "
    words += f"{counts.garbled} garbled"
    if counts.skipped:
        words += f", {counts.skipped} skipped because newer ones were there"
    if counts.restarts:
        words += f", {counts.restarts} restarts"
    if counts.other_version:
        words += f", {counts.other_version} from another version: install the same blazeposer on camera and PC"
    return words


def _on_head(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the point on the surface of the head (an ellipsoid) for each direction in `points` (n, 3)."""
    return points / np.linalg.norm(points / _HEAD, axis=1, keepdims=True)


def _features() -> NDArray[np.float64]:
    """Return points (n, 3) on the eyes, the mouth and the nose, in the axes of `rotation.py`."""
    turn, along = np.linspace(0, 2 * np.pi, 16), np.linspace(-1, 1, 24)[:, None]
    ring = np.column_stack([np.cos(turn), 0.6 * np.sin(turn), 0 * turn]) * 0.14
    eyes = [_on_head(ring + np.array([side * 0.34, 0.22, 0.85])) for side in (-1, 1)]
    mouth = _on_head(np.hstack([0.28 * along, -0.45 + 0.06 * along**2, 0.75 + 0 * along]))
    nose = np.hstack([0 * along, 0.08 - 0.14 * along, 1.0 - 0.12 * along])
    return np.vstack([*eyes, mouth, nose])


_FEATURES = _features()
_OUTLINE = np.linspace(0, 2 * np.pi, 240)


def drawn(rotation: NDArray[np.float64]) -> str:
    """Return a drawing of a head that is turned by `rotation` (3, 3), in `ROWS` lines of Braille characters."""
    # Seen along z, the ellipsoid R diag(a^2) R^T is the ellipse of the matrix's upper left 2 x 2 block.
    shape = np.linalg.cholesky((rotation * _HEAD**2 @ rotation.T)[:2, :2])
    outline = shape @ [np.cos(_OUTLINE), np.sin(_OUTLINE)]
    turned = _FEATURES @ rotation.T
    normals = (_FEATURES / _HEAD**2) @ rotation.T
    points = np.vstack([outline.T, turned[normals[:, 2] > 0, :2]])
    height, width = 4 * ROWS, 2 * COLUMNS
    x = np.rint(width / 2 + points[:, 0] * height * 0.44).astype(int).clip(0, width - 1)
    y = np.rint(height / 2 - points[:, 1] * height * 0.44).astype(int).clip(0, height - 1)
    cells = np.zeros((ROWS, COLUMNS), int)
    np.bitwise_or.at(cells, (y // 4, x // 2), _BRAILLE[y % 4, x % 2])
    return "\n".join("".join(chr(0x2800 + cell) for cell in row) for row in cells)
