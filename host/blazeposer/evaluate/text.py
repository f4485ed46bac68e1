"""Sections and tables of a report as text: in a terminal, and in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table as View

from blazeposer.core.console import Console
from blazeposer.core.text import plain
from blazeposer.evaluate.report import Picture, Section, Table


def show(section: Section) -> None:
    """Print a section's tables."""
    for part in section.parts:
        if isinstance(part, Table):
            show_table(part, section.title)


def show_table(table: Table, title: str = "", width: int = 160) -> None:
    """Print a table under its caption, else under `title`."""
    view = View(title=table.caption or title, caption=table.notes or None)
    for number, name in enumerate(table.head):
        view.add_column(name, justify="right" if number else "left")
    for row in table.rows:
        view.add_row(*row)
    Console(width=width).print(view)


def markdown(section: Section) -> str:
    """Return a section with its heading, less its images."""
    parts = [part for part in section.parts if not isinstance(part, Picture)]
    blocks = [part if isinstance(part, str) else with_notes(part) for part in parts]
    return plain("\n\n".join([f"## {section.title}", *blocks]) + "\n")


def with_notes(table: Table) -> str:
    """Return a table in Markdown, its caption above and its notes below it."""
    caption = f"{table.caption}:" if table.caption else ""
    return "\n\n".join(filter(None, (caption, markdown_table(table.head, table.rows), table.notes)))


def markdown_table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table in Markdown, columns of numbers set right. It ends without a line's end."""
    table = Table(list(head), [list(map(str, row)) for row in rows])
    rule = ["---:" if number else "---" for number in table.numeric]
    return "\n".join(map(_line, (table.head, rule, *table.rows)))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
