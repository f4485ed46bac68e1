"""Text for people. What cameras, files and their names say is cleaned here, where it is printed: no escape sequence of
theirs reaches a terminal. `console.py` does so for rich."""

from __future__ import annotations

import unicodedata

import click


def plain(text: str) -> str:
    """Return the text with a sign in the place of each character that a terminal would obey instead of show."""
    return "".join(letter if _is_shown(letter) else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or letter in "\n\t" or unicodedata.category(letter) == "Zs"


def say(text: str, *, err: bool = False) -> None:
    """Print a line."""
    click.echo(plain(text), err=err)
