"""Print text without control characters. Control characters are removed when a program prints text from cameras, files
or file names. Therefore no escape sequence reaches a terminal. `console.py` does the same for the text that the package
rich prints.
"""

from __future__ import annotations

import unicodedata

import click


def plain(text: str) -> str:
    """Return the text with a visible sign in place of each control character. A terminal would execute control
    characters."""
    return "".join(letter if _is_shown(letter) else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or letter in "\n\t" or unicodedata.category(letter) == "Zs"


def say(text: str, *, err: bool = False) -> None:
    """Print a line, without control characters."""
    click.echo(plain(text), err=err)
