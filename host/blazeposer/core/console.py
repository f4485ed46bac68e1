"""A console of the package rich that removes control characters from text by other people (see `text.py`)."""

from __future__ import annotations

from typing import Any

import rich.console
from rich.text import Text

from blazeposer.core.text import plain


class Console(rich.console.Console):
    """A console of the package rich that prints strings as plain text without markup, also in the cells of a table."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, **options})

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError for `cli.main`, because a closed pipe is not a failure."""
        raise BrokenPipeError

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(plain(text), **options)
