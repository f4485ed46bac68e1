"""Signals that end a program: what it began is put away first, as after Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

ENDINGS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
]  # Windows lacks the last two
"""By which a user, a terminal or a system ends a program."""


def end_in_order() -> None:
    """From now on let every one of `ENDINGS` leave all `with` blocks, where it would end the program at once."""
    if threading.current_thread() is threading.main_thread():  # which alone may set signals
        for number in ENDINGS:
            if signal.getsignal(number) is signal.SIG_DFL:  # not what `nohup` ignores, nor Python's own for Ctrl-C
                signal.signal(number, _end)


@contextlib.contextmanager
def awaited() -> Iterator[threading.Event]:
    """Let every one of `ENDINGS` do no more than set this event. For the main thread."""
    ended = threading.Event()
    before = {number: signal.getsignal(number) for number in ENDINGS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, lambda *_: ended.set())
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one would leave the blocks that put things away
    raise SystemExit(128 + number)
