"""A report: sections of text, tables and images. `page.py` makes files of it, `text.py` shows it in a terminal.

A part of a command returns a `Section`; these modules alone know how it looks.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["passed", "failed", "not run"]
_NUMBER = re.compile(r"[-+<>=]*[\d.,]+ ?(%|°|px|ms|s|KB| of [\d,]+)?|-|")


@dataclass(frozen=True)
class Picture:
    """An image file's bytes: SVG, PNG or JPEG."""

    data: bytes
    alt: str
    """What it shows, for those who do not see it."""
    caption: str = ""

    @property
    def source(self) -> str:
        """Return the image as an address that holds all of it."""
        kind = {b"\x89PNG": "png", b"\xff\xd8\xff\xe0": "jpeg"}.get(self.data[:4], "svg+xml")
        return f"data:image/{kind};base64,{base64.b64encode(self.data).decode()}"


@dataclass(frozen=True)
class Table:
    """Text and numbers. Numbers come rounded, as text (`f"{x:.2f}"`)."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    notes: str = ""
    """What stands below it."""

    @property
    def numeric(self) -> list[bool]:
        """Return which columns hold numbers alone, and are set right."""
        if not self.rows:
            return [False] * len(self.head)
        return [all(map(_NUMBER.fullmatch, column)) for column in zip(*self.rows, strict=True)]


@dataclass(frozen=True)
class Section:
    """One part of the report, in the order of its parts."""

    title: str
    parts: Sequence[str | Table | Picture]
    """A string is a paragraph of plain text."""
    verdict: Verdict | None = None
    """None where nothing is judged. One that failed or was not run says why in its first paragraph."""
    data: dict[str, Any] = field(default_factory=dict)
    """What report.json holds of it: whatever json can write."""

    @property
    def finding(self) -> str:
        """Return the first paragraph."""
        return next((part for part in self.parts if isinstance(part, str)), "")


def verdict_of(sections: Sequence[Section]) -> str:
    """Return the verdict in one line: what failed, what was not run."""
    failed, left, passed = (_titled(sections, verdict) for verdict in ("failed", "not run", "passed"))
    parts = [f"FAILED: {', '.join(failed)}"] if failed else [f"PASSED: all {len(passed)} checks that were run"]
    return "; ".join([*parts, f"not run: {', '.join(left)}"] if left else parts)


def is_passed(sections: Sequence[Section]) -> bool:
    """Return whether nothing failed."""
    return not _titled(sections, "failed")


def _titled(sections: Sequence[Section], verdict: str) -> list[str]:
    return [section.title for section in sections if section.verdict == verdict]
