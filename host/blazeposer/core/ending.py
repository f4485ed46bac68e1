"""Handle the signals that end a program. The program cleans up before it ends, as it does after Ctrl-C."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

ENDINGS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
]  # Windows lacks the last two


@contextlib.contextmanager
def in_order() -> Iterator[None]:
    """Make every signal of `ENDINGS` raise an exception, so that the program leaves all `with` blocks."""
    with _handled(_end, signal.SIG_DFL):  # Ctrl-C already raises an exception
        yield


@contextlib.contextmanager
def awaited() -> Iterator[threading.Event]:
    """Yield an event that every signal of `ENDINGS` sets. In the `with` block, these signals do not end the program."""
    ended = threading.Event()
    with _handled(lambda *_: ended.set(), signal.SIG_DFL, signal.default_int_handler, _end):
        yield ended


@contextlib.contextmanager
def _handled(handler: Callable[[int, FrameType | None], object], *instead_of: object) -> Iterator[None]:
    """Let `handler` handle the signals of `ENDINGS` in a `with` block. The function replaces only the handlers that
    `instead_of` contains. A signal that the program ignores, for example SIGHUP after `nohup`, stays ignored."""
    is_main = threading.current_thread() is threading.main_thread()  # only the main thread may set handlers
    before = {number: signal.getsignal(number) for number in ENDINGS if is_main}
    replaced = {number: old for number, old in before.items() if old in instead_of}
    for number in replaced:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in replaced.items():
            signal.signal(number, old)


def _end(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second signal would interrupt the cleaning up
    raise SystemExit(128 + number)
