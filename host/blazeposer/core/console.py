"""Define a console for text from other people. Such text may contain markup or control characters (see `text.py`)."""

from typing import Any

import rich.console
from rich.text import Text

from blazeposer.core.text import plain


class Console(rich.console.Console):
    """A `rich.console.Console` that prints the markup in a string as normal text, and replaces control characters, also
    in tables."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, **options})

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError if the program that reads the output, for example `head`, has ended. The function
        `cli.main` handles this error."""
        raise BrokenPipeError

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(plain(text), **options)
