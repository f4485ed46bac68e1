"""`blazeposer compare-architectures`: costs, the errors in the logs of trainings, and the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blazeposer.core.errors import InputError
from blazeposer_training.network.architecture import ARCHITECTURES
from blazeposer_training.studies.architectures import Result, read_results
from conftest import CommandLine


def log(path: Path, architecture: str, seed: int, mae: float, step: int = 4000, **other: float) -> None:
    """Write the log of a training whose last validation is at `step`."""
    recipe = {"architecture": architecture, "seed": seed, "steps": 4000, **other}
    lines: list[dict[str, object]] = [{"recipe": recipe}]
    for at, error in ((500, 9.0), (step, mae)):
        lines.append({"step": at, "val": {"mae": {"mean": error}, "recall": 0.99}})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"expected_error": {}}]))


def test_the_last_validation_of_each_log_counts(tmp_path: Path) -> None:
    log(tmp_path / "a" / "log.jsonl", "plain-65", 0, 3.5)
    log(tmp_path / "b" / "log.jsonl", "plain-65", 1, 3.7)
    log(tmp_path / "c.jsonl", "dense-47", 0, 4.0)
    found = read_results(tmp_path)
    assert found["plain-65"] == [Result(0, 3.5, 0.99), Result(1, 3.7, 0.99)]
    assert found["dense-47"] == [Result(0, 4.0, 0.99)]


def test_logs_that_cannot_be_compared_end_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no log"):
        read_results(tmp_path)
    log(tmp_path / "a.jsonl", "plain-65", 0, 3.5)
    log(tmp_path / "b.jsonl", "plain-57", 0, 3.5, batch=16)
    with pytest.raises(InputError, match=r"b\.jsonl.*recipe differs"):
        read_results(tmp_path)
    log(tmp_path / "b.jsonl", "plain-57", 0, 3.5, step=3500)
    with pytest.raises(InputError, match=r"b\.jsonl.*stopped at step 3500 of 4000"):
        read_results(tmp_path)
    for text in ("", "[]\n", "no log\n", '{"recipe": {}}\n', '{"recipe": 1}\n'):
        (tmp_path / "b.jsonl").write_text(text)
        with pytest.raises(InputError, match=r"b\.jsonl.*not the log"):
            read_results(tmp_path)


@pytest.mark.slow
def test_the_page_shows_cost_and_error_of_each_architecture(tmp_path: Path, blazeposer_command: CommandLine) -> None:
    for number, name in enumerate(ARCHITECTURES):
        log(tmp_path / "runs" / f"{name}.jsonl", name, 0, 3.0 + number)
    output = tmp_path / "new" / "search.md"
    run = blazeposer_command("compare-architectures", "--runs", tmp_path / "runs", "--output", output)
    assert run.status == 0, run.err
    text = output.read_text()
    assert output.with_suffix(".svg").read_text().count("<svg") == 1
    for number, name in enumerate(ARCHITECTURES):
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
        assert f"| {3 + number}.00 | 0.9900 |" in row
        if name == "plain-65":
            instructions = int(row.split("|")[9].replace(",", ""))
            assert 60e6 < instructions < 68e6


def test_a_page_needs_errors(tmp_path: Path, blazeposer_command: CommandLine) -> None:
    run = blazeposer_command("compare-architectures", "--output", tmp_path / "page.md")
    assert run.status == 2
    assert "--runs" in run.err
    log(tmp_path / "runs" / "a.jsonl", "plain-1", 0, 3.5)
    run = blazeposer_command("compare-architectures", "--runs", tmp_path / "runs")
    assert run.status == 1
    assert "plain-1" in run.err
