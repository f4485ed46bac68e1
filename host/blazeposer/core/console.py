"""rich's console for text that others may have written; see `text.py`."""

from __future__ import annotations

from typing import Any

import rich.console
from rich.text import Text

from blazeposer.core.text import plain


class Console(rich.console.Console):
    """rich's console; strings in it, in a table's cells too, are plain text and no markup."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, **options})

    def on_broken_pipe(self) -> None:
        """The reader has gone: `cli.main` knows that this is no failure."""
        raise BrokenPipeError

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(plain(text), **options)
