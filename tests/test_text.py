"""No escape sequence of a camera, of a file or of its name reaches a terminal."""

import io
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from rich.table import Table

import blazeposer
from blazeposer.cli import main
from blazeposer.core.console import Console
from blazeposer.core.errors import PortError
from blazeposer.core.text import plain, say
from blazeposer.evaluate.page import write_report
from blazeposer.evaluate.report import Section
from blazeposer.evaluate.report import Table as Rows
from blazeposer.live.terminal import TerminalView
from blazeposer.openmv import mpremote
from blazeposer.tflite.rewrite import rewritten
from conftest import CommandLine
from standin import standin

EVIL = "\x1b[2J\x1b]0;mine\x07\x9b31m\u202egnp.\r\x08\udcff[/][bold]$_$"
SHOWN = "\ufffd[2J\ufffd]0;mine\ufffd\ufffd31m\ufffdgnp.\ufffd\ufffd\ufffd[/][bold]$_$"


def harmless(text: str) -> bool:
    return all(letter.isprintable() or letter in "\n\t" for letter in text)


def test_plain() -> None:
    assert plain(EVIL) == SHOWN
    assert plain("a line\n\tof 10\xa0°, 한국어, ç\n") == "a line\n\tof 10\xa0°, 한국어, ç\n"


def test_say(capsys: pytest.CaptureFixture[str]) -> None:
    say(EVIL)
    say(EVIL, err=True)
    assert capsys.readouterr() == (SHOWN + "\n", SHOWN + "\n")


def test_a_console_shows_strings_as_they_are() -> None:
    text = io.StringIO()
    console = Console(file=text, width=200)
    table = Table()
    table.add_column(EVIL)
    table.add_row(EVIL)
    console.print(EVIL)
    console.print(table)
    assert text.getvalue().count(SHOWN) == 3
    assert harmless(text.getvalue())


def test_a_session_shows_names_as_they_are() -> None:
    text = io.StringIO()
    with ExitStack() as stack:
        TerminalView(Console(file=text, width=200), (f"Recording to {EVIL}",), lambda: None, stack)
    assert SHOWN in text.getvalue()
    assert harmless(text.getvalue())


@pytest.mark.parametrize("command", ["detect", "check", "inspect", "deploy", "plot", "replay", "camera"])
def test_a_file_name_in_an_error(command: str, blazeposer_command: CommandLine) -> None:
    run = blazeposer_command(command, EVIL.replace("/", "") + ".tflite")
    assert run.status
    assert harmless(run.err)
    assert run.err.count("\n") == 1


def test_what_a_camera_complains_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """mpremote prints an exception's text, which a script of the camera chooses."""

    def fail(*_: Any, **__: Any) -> None:
        raise mpremote._error("/dev/camera", "exec", f"Traceback\nValueError: {EVIL}\n")

    monkeypatch.setattr("blazeposer.cli.cli.main", fail)
    assert main([]) == 1
    assert harmless(capsys.readouterr().err)
    with pytest.raises(PortError):
        fail()


@pytest.fixture
def evil_model(tmp_path: Path) -> Path:
    """A network of which one operation has a name to fear."""

    def rename(model: Any) -> None:
        model.operatorCodes[0].builtinCode = 32  # CUSTOM
        model.operatorCodes[0].deprecatedBuiltinCode = 32
        model.operatorCodes[0].customCode = EVIL.replace("\udcff", "").encode()

    path = tmp_path / "evil.tflite"
    path.write_bytes(rewritten(standin(), rename))
    return path


@pytest.mark.parametrize("command", ["check", "inspect"])
def test_an_operation_s_name(
    evil_model: Path, command: str, blazeposer_command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(evil_model.parent)
    run = blazeposer_command(command, evil_model)
    assert "\ufffd[2J" in run.out + run.err
    assert harmless(run.out)
    assert harmless(run.err)
    assert "Traceback" not in run.err


def test_a_report(tmp_path: Path) -> None:
    evil = EVIL.replace("\udcff", "")
    write_report(tmp_path, evil, {"file": evil}, [Section(evil, [evil, Rows([evil], [[evil]])], "passed")])
    assert harmless((tmp_path / "report.html").read_text(encoding="utf-8").replace("\r\n", "\n"))


def test_everything_is_printed_through_these() -> None:
    """Else the next command forgets it."""
    host = Path(blazeposer.__file__).parent
    forbidden = re.compile(r"click\.echo\(|^from rich\.console import .*\bConsole\b|rich\.print", re.MULTILINE)
    found = {path.relative_to(host).as_posix() for path in host.rglob("*.py") if forbidden.search(path.read_text())}
    assert found == {"core/text.py"}
