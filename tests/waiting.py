"""Wait in tests for an event, however long a busy PC takes. Only a hang fails."""

import threading
import time
from collections.abc import Callable

HANG = 600.0
"""Seconds after which what was waited for will never come. `timeout` in pyproject.toml is longer."""


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that happens in another thread or process, or fail."""
    deadline = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in {HANG:.0f} seconds"
        time.sleep(0.02)


class InThread:
    """Runs something beside a test; `join` passes on how it ended."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._error = error

    def is_running(self) -> bool:
        """Return whether it has not ended yet."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join(HANG)
        assert not self._thread.is_alive()
        if self._error:
            raise self._error
