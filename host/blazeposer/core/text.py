"""Print text without control characters. Text from cameras, files and file names may contain control characters, which
a terminal would execute. BlazePoser replaces control characters before text reaches a terminal. The module `console.py`
replaces control characters in the text that the package rich prints.
"""

from __future__ import annotations

import unicodedata

import click


def plain(text: str) -> str:
    """Return the text with a visible sign in place of each control character. A terminal would execute control
    characters, for example escape sequences."""
    return "".join(letter if _is_shown(letter) else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or letter in "\n\t" or unicodedata.category(letter) == "Zs"


def say(text: str, *, err: bool = False) -> None:
    """Print a line of text without control characters."""
    click.echo(plain(text), err=err)
