"""Build a report from sections, which contain text, tables and images. `page.py` writes reports to files."""

import base64
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rich.table import Table as View

from blazeposer.core.console import Console
from blazeposer.core.text import plain

Verdict = Literal["passed", "failed", "not run"]
_NUMBER = re.compile(r"[-+<>=]*[\d.,]+ ?(%|°|px|ms|s|KB| of [\d,]+)?|-|")


@dataclass(frozen=True)
class Picture:
    """An image in the format SVG, PNG or JPEG."""

    data: bytes
    alt: str
    caption: str = ""

    @property
    def source(self) -> str:
        """Data URL of the image."""
        kind = {b"\x89PNG": "png", b"\xff\xd8\xff\xe0": "jpeg"}.get(self.data[:4], "svg+xml")
        return f"data:image/{kind};base64,{base64.b64encode(self.data).decode()}"


@dataclass(frozen=True)
class Table:
    """A table of strings. Numbers are already rounded."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    notes: str = ""
    """Text below the table."""

    @property
    def numeric(self) -> list[bool]:
        """For each column, True if the column contains only numbers. A report aligns such columns to the right."""
        if not self.rows:
            return [False] * len(self.head)
        return [all(map(_NUMBER.fullmatch, column)) for column in zip(*self.rows, strict=True)]


@dataclass(frozen=True)
class Section:
    title: str
    parts: Sequence[str | Table | Picture]
    """Parts in the order of the report. A string is a paragraph of plain text."""
    verdict: Verdict | None = None
    """Result of the check that the section describes, or None if the section describes no check. If the check failed or
    was not run, the first paragraph says why."""
    data: dict[str, Any] = field(default_factory=dict)
    """Values for report.json."""

    @property
    def finding(self) -> str:
        """First paragraph of the section."""
        return next((part for part in self.parts if isinstance(part, str)), "")


def verdict_of(sections: Sequence[Section]) -> str:
    failed, left, passed = (_titled(sections, verdict) for verdict in ("failed", "not run", "passed"))
    parts = [f"FAILED: {', '.join(failed)}"] if failed else [f"PASSED: all {len(passed)} checks that were run"]
    return "; ".join([*parts, f"not run: {', '.join(left)}"] if left else parts)


def is_passed(sections: Sequence[Section]) -> bool:
    return not _titled(sections, "failed")


def _titled(sections: Sequence[Section], verdict: str) -> list[str]:
    return [section.title for section in sections if section.verdict == verdict]


def show(section: Section) -> None:
    for part in section.parts:
        if isinstance(part, Table):
            show_table(part, section.title)


def show_table(table: Table, title: str = "", width: int = 160) -> None:
    """Print a table. If the table has no caption, `title` is printed above it."""
    view = View(title=table.caption or title, caption=table.notes or None)
    for number, name in enumerate(table.head):
        view.add_column(name, justify="right" if number else "left")
    for row in table.rows:
        view.add_row(*row)
    Console(width=width).print(view)


def markdown(section: Section) -> str:
    """Return a section as Markdown, with its heading but without its images."""
    parts = [part for part in section.parts if not isinstance(part, Picture)]
    blocks = [part if isinstance(part, str) else with_notes(part) for part in parts]
    return plain("\n\n".join([f"## {section.title}", *blocks]) + "\n")


def with_notes(table: Table) -> str:
    caption = f"{table.caption}:" if table.caption else ""
    return "\n\n".join(filter(None, (caption, markdown_table(table.head, table.rows), table.notes)))


def shown(value: float | None, digits: int = 2) -> str:
    """Return a number as text, or "-" for None and NaN."""
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def markdown_table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table as Markdown without a newline at the end. Columns of numbers are aligned to the right."""
    table = Table(list(head), [list(map(str, row)) for row in rows])
    rule = ["---:" if number else "---" for number in table.numeric]
    lines = ([cell.replace("|", "\\|") for cell in cells] for cells in (table.head, rule, *table.rows))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
