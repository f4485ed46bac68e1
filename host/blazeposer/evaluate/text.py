"""A section of a report as text: in a terminal, and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table as View

from blazeposer.core.console import Console
from blazeposer.core.text import plain
from blazeposer.evaluate.report import Picture, Section, Table


def show(section: Section) -> None:
    """Print a section's tables."""
    console = Console(width=160)
    for table in section.parts:
        if isinstance(table, Table):
            view = View(title=table.caption or section.title)
            for number, name in enumerate(table.head):
                view.add_column(name, justify="right" if number else "left")
            for row in table.rows:
                view.add_row(*row)
            console.print(view)


def markdown(section: Section) -> str:
    """A section with its heading, less its pictures."""
    blocks = [f"## {section.title}"]
    for part in section.parts:
        if isinstance(part, str):
            blocks.append(part)
        elif not isinstance(part, Picture):
            rule = "|---|" + "---:|" * (len(part.head) - 1)
            blocks += [f"{part.caption}:"] if part.caption else []
            blocks.append("\n".join([_line(part.head), rule, *map(_line, part.rows)]))
    return plain("\n\n".join(blocks) + "\n")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
