"""Define a console of the package rich. The console removes control characters from text that may come from other
people (see `text.py`)."""

from __future__ import annotations

from typing import Any

import rich.console
from rich.text import Text

from blazeposer.core.text import plain


class Console(rich.console.Console):
    """A console of the package rich that prints strings as plain text. Markup in a string, or in a cell of a table, has
    no effect."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, **options})

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError, which `cli.main` catches, because a closed pipe is not a failure."""
        raise BrokenPipeError

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(plain(text), **options)
