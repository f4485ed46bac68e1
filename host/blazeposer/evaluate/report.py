"""The report of `blazeposer validate`: report.json, and one page, report.html, that needs no other file and no network.

A part of the command gives a `Section`; this module alone knows how it looks, on a screen and on paper.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Literal

from blazeposer.core.errors import InputError
from blazeposer.media.output import make_folder

Verdict = Literal["passed", "failed", "not run"]


@dataclass(frozen=True)
class Picture:
    """An image file's bytes: SVG, PNG or JPEG."""

    data: bytes
    alt: str
    """What it shows, for those who do not see it."""
    caption: str = ""


@dataclass(frozen=True)
class Table:
    """Text and numbers; a column of numbers is set right. Numbers come rounded, as text (`f"{x:.2f}"`)."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


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


def verdict_of(sections: Sequence[Section]) -> str:
    """The verdict in one line: what failed, what was not run."""
    failed, left, passed = (_titled(sections, verdict) for verdict in ("failed", "not run", "passed"))
    parts = [f"FAILED: {', '.join(failed)}"] if failed else [f"PASSED: all {len(passed)} checks that were run"]
    return "; ".join([*parts, f"not run: {', '.join(left)}"] if left else parts)


def is_passed(sections: Sequence[Section]) -> bool:
    """Whether nothing failed."""
    return not _titled(sections, "failed")


def write_report(folder: Path, title: str, facts: Mapping[str, str], sections: Sequence[Section]) -> None:
    """Write report.json and report.html into a folder, which is made. Raises InputError.

    `facts` say what was validated and how.
    """
    make_folder(folder)
    checks = [
        {"title": item.title, "verdict": item.verdict, "finding": _finding(item), **item.data} for item in sections
    ]
    values = {
        "title": title,
        "passed": is_passed(sections),
        "verdict": verdict_of(sections),
        "facts": facts,
        "checks": checks,
    }
    page = _page(title, facts, sections)
    for name, text in (("report.json", json.dumps(values, indent=2) + "\n"), ("report.html", page)):
        try:
            (folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(f"{folder / name}: cannot be written ({error.strerror}): check --output") from error


def _titled(sections: Sequence[Section], verdict: str) -> list[str]:
    return [section.title for section in sections if section.verdict == verdict]


def _finding(section: Section) -> str:
    """Its first paragraph."""
    return next((part for part in section.parts if isinstance(part, str)), "")


def _page(title: str, facts: Mapping[str, str], sections: Sequence[Section]) -> str:
    kind = "passed" if is_passed(sections) else "failed"
    rows = "".join(f"<tr><th>{escape(key)}<td>{escape(value)}" for key, value in facts.items())
    judged = "".join(
        f'<tr><td><a href="#s{number}">{escape(section.title)}</a>'
        f'<td class="{_class(section)}">{escape(section.verdict)}<td>{escape(_finding(section))}'
        for number, section in enumerate(sections)
        if section.verdict
    )
    parts = [
        "<!doctype html>\n<html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f"<h1>{escape(title)}</h1>",
        f'<p class="verdict {kind}">{escape(verdict_of(sections))}</p>',
        f"<table class=facts>{rows}</table>",
        f"<table class=checks><tr><th>check<th>verdict<th>finding{judged}</table>",
        *(_section(number, section) for number, section in enumerate(sections)),
    ]
    return "\n".join(parts) + "\n"


def _section(number: int, section: Section) -> str:
    badge = f' <span class="{_class(section)}">{section.verdict}</span>' if section.verdict else ""
    parts = [f'<section><h2 id="s{number}">{escape(section.title)}{badge}</h2>']
    for part in section.parts:
        if isinstance(part, str):
            parts.append(f"<p>{escape(part)}</p>")
        elif isinstance(part, Table):
            parts.append(_table(part))
        else:
            parts.append(_picture(part))
    return "\n".join([*parts, "</section>"])


def _class(section: Section) -> str:
    return (section.verdict or "").replace(" ", "-")


def _table(table: Table) -> str:
    right = [all(map(_NUMBER.fullmatch, column)) for column in zip(*table.rows, strict=True)]
    right = right or [False] * len(table.head)

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f"<{tag} class=n>{escape(cell)}" if number else f"<{tag}>{escape(cell)}"
            for cell, number in zip(row, right, strict=True)
        )

    body = "".join(f"<tr>{cells('td', row)}" for row in table.rows)
    # A <caption> would be no wider than its table.
    caption = f"<p class=caption>{escape(table.caption)}</p>" if table.caption else ""
    return f"{caption}<div class=wide><table><thead><tr>{cells('th', table.head)}</thead>{body}</table></div>"


def _picture(picture: Picture) -> str:
    kind = {b"\x89PNG": "png", b"\xff\xd8\xff\xe0": "jpeg"}.get(picture.data[:4], "svg+xml")
    data = base64.b64encode(picture.data).decode()
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>" if picture.caption else ""
    return f'<figure><img alt="{escape(picture.alt)}" src="data:image/{kind};base64,{data}">{caption}</figure>'


_NUMBER = re.compile(r"[-+<>=]*[\d.,]+ ?(%|°|px|ms|s|KB| of [\d,]+)?|-|")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin-bottom: .5rem } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem }
h2 span { font-size: .85rem; font-weight: 600; margin-left: .4rem }
p, figcaption { color: #46515b; margin: .3rem 0 .6rem; text-align: left }
.verdict { font-weight: 600; padding: .7rem 1rem; border-left: 6px solid; border-radius: 3px }
p.passed { color: #0b5d1e; background: #e7f5ea } p.failed { color: #8c1515; background: #fdeaea }
span.passed, td.passed { color: #0b5d1e } span.failed, td.failed { color: #b00020; font-weight: 700 }
span.not-run, td.not-run { color: #7a5a00 } td.passed, td.failed, td.not-run { white-space: nowrap }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; margin: .6rem 0 }
th, td { padding: .25rem .6rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #e4e7ea }
.facts td, .checks td { overflow-wrap: anywhere } td.n { white-space: nowrap }
th { color: #46515b; font-weight: 600; vertical-align: bottom }
th.n, td.n { text-align: right; padding-left: .6rem } .facts td { font-family: ui-monospace, monospace }
.facts th, .checks th { white-space: nowrap } .facts th { vertical-align: top }
figure { margin: .8rem 0 } img { max-width: 100%; height: auto; display: block }
a { color: inherit } .wide { overflow-x: auto }
@media print { body { font-size: 10pt; margin: 0; max-width: none } h2 { break-after: avoid; margin-top: 1.4rem }
figure, tr, .wide, .verdict { break-inside: avoid } .caption { break-after: avoid }
img { max-height: 78mm } table { font-size: 8.5pt } thead { display: table-header-group }
.wide { overflow: visible } .verdict, p.passed, p.failed { print-color-adjust: exact } @page { margin: 16mm 14mm } }
"""
