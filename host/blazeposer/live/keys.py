"""Read single keys of a terminal, without Enter."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def pressed() -> Generator[Callable[[], str] | None, None, None]:
    """Give a function that returns the keys pressed since the last call; None where nobody can press any."""
    try:
        at_terminal = sys.stdin is not None and sys.stdin.isatty()
    except ValueError:  # it was closed
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
        if os.tcgetpgrp(terminal) != os.getpgrp():  # in the background: whoever touches the terminal is stopped
            yield None
            return
        before = termios.tcgetattr(terminal)
        tty.setcbreak(terminal)
        try:
            yield (
                lambda: (
                    os.read(terminal, 100).decode(errors="replace") if select.select([terminal], [], [], 0)[0] else ""
                )
            )
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)
