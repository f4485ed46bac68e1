"""Write a report to the files `report.json` and `report.html`. The page `report.html` needs no other files and no
internet connection."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from blazeposer.core.text import plain
from blazeposer.evaluate.report import Section, is_passed, verdict_of
from blazeposer.media.output import write_file


def write_report(
    folder: Path,
    title: str,
    facts: Mapping[str, str],
    sections: Sequence[Section],
    values: Mapping[str, Any] | None = None,
) -> None:
    """Write report.json and report.html into a folder, which is created if needed. Raises InputError. `facts` says what
    was measured and how. `values` is the content of report.json. Without `values`, report.json contains the verdict
    (for example "passed") and the data of each section."""
    verdict = {"passed": is_passed(sections), "verdict": verdict_of(sections)}
    if values is None:
        checks = [
            {"title": item.title, "verdict": item.verdict, "finding": item.finding, **item.data} for item in sections
        ]
        values = {"title": title, **verdict, "facts": facts, "checks": checks}
    templates = Environment(loader=PackageLoader("blazeposer.evaluate", ""), autoescape=True)
    page = plain(templates.get_template("page.html").render(title=title, facts=facts, sections=sections, **verdict))
    for name, text in (("report.json", json.dumps(values, indent=2)), ("report.html", page)):
        write_file(folder / name, (text + "\n").encode())
