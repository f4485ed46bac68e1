"""Print text without control characters. Text from cameras, files and file names is cleaned when it is printed, so that
no escape sequence reaches a terminal. `console.py` cleans the text that rich prints.
"""

from __future__ import annotations

import unicodedata

import click


def plain(text: str) -> str:
    """Return the text with a visible sign in place of each control character, because a terminal would obey control
    characters."""
    return "".join(letter if _is_shown(letter) else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or letter in "\n\t" or unicodedata.category(letter) == "Zs"


def say(text: str, *, err: bool = False) -> None:
    """Print a line, without control characters."""
    click.echo(plain(text), err=err)
