"""Define a console that extends the console of the Python package rich. The console removes control characters from
printed text, because the text may come from other people (see `text.py`)."""

from __future__ import annotations

from typing import Any

import rich.console
from rich.text import Text

from blazeposer.core.text import plain


class Console(rich.console.Console):
    """A `rich.console.Console` that prints strings as plain text. Markup such as `[bold]` has no effect in strings and
    in the cells of tables."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, **options})

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError if the program that reads the output has ended. The function `cli.main` catches
        BrokenPipeError, because the reading program may end early."""
        raise BrokenPipeError

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(plain(text), **options)
