"""Print text without control characters, which a terminal would execute. Text from cameras and files may contain
them."""

import unicodedata

import click


def plain(text: str) -> str:
    """Return the text with a visible sign in place of each control character."""
    return "".join(letter if _is_shown(letter) else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or letter in "\n\t" or unicodedata.category(letter) == "Zs"


def say(text: str, *, err: bool = False) -> None:
    click.echo(plain(text), err=err)
