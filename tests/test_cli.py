"""The command line: what it imports, and how it ends."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

import blazeposer
from blazeposer import cli
from blazeposer.core import errors
from blazeposer.tflite.manifest import read_manifest
from conftest import CommandLine

HEAVY = {"ai_edge_litert", "cv2", "mpremote", "numpy", "rich", "serial", "tensorflow", "torch"}
MODULES = {entry.place.partition(":")[0] for entry in cli.COMMANDS.values()}
HOST_COMMANDS = [module for module in MODULES if module.startswith("blazeposer.")]


def python(code: str) -> str:
    """Return the output of a fresh interpreter."""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_help_imports_nothing_heavy() -> None:
    modules = python("import sys; from blazeposer.cli import main; main(['--help']); print(*sys.modules)").split()
    assert "click" in modules
    assert HEAVY.isdisjoint(modules)


def test_the_package_imports_nothing_heavy() -> None:
    """And its exceptions are there at once."""
    modules = python("import sys, blazeposer; blazeposer.InputError; print(*sys.modules)").split()
    assert HEAVY.isdisjoint(modules)


def test_detect_needs_neither_torch_nor_tensorflow() -> None:
    modules = python("import sys, blazeposer.commands.detect; print(*sys.modules)").split()
    assert "cv2" in modules
    assert {"torch", "tensorflow", "tflite_micro"}.isdisjoint(modules)


def test_host_commands_import_without_posix_modules() -> None:
    """Windows has no pty, termios and fcntl: only the running virtual camera may ask for them."""
    # pyserial comes first: on Windows it takes another half of itself, which needs none of them.
    block = "import sys, serial; sys.modules.update(dict.fromkeys(['pty', 'tty', 'termios', 'fcntl']))"
    imported = python(
        f"{block}; import blazeposer.cli, blazeposer.stream.record, {', '.join(HOST_COMMANDS)}; print('good')"
    )
    assert imported == "good\n"


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help(blazeposer_command: CommandLine, name: str) -> None:
    if name in ("train", "quantize", "evaluate"):
        pytest.importorskip("torch", reason="the extra `train` is not installed")
    run = blazeposer_command(name, "--help")
    assert (run.status, run.err) == (0, "")
    assert run.out.startswith(f"Usage: blazeposer {name}")


def test_help_lists_every_command(blazeposer_command: CommandLine) -> None:
    for arguments in ([], ["--help"]):
        run = blazeposer_command(*arguments)
        assert run.status == 0
        for name, entry in cli.COMMANDS.items():
            assert f"{name} " in run.out
            assert entry.help in run.out
        assert [line[:-1] for line in run.out.splitlines() if line.endswith(":")] == ["Options", *cli.GROUPS]


def test_version_names_code_and_network(blazeposer_command: CommandLine, model_path: Path) -> None:
    network = read_manifest(model_path).sha256[:8]
    assert blazeposer_command("--version") == (0, f"blazeposer {blazeposer.__version__}, network {network}\n", "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["detct"], "No such command 'detct'. Did you mean 'detect'?"),
        (["detection"], "Did you mean 'detect' or 'compare-detection'?"),
        (["quantizing"], "Did you mean 'quantize'?"),
        (["xyzzy"], "No such command 'xyzzy'"),
        (["--colour"], "No such option"),
        (["detect", "--colour"], "No such option"),
        (["plot", "a", "b"], "unexpected extra argument"),
        (["detect", "a", "--max-faces", "none"], "is not a valid integer"),
    ],
)
def test_wrong_usage_is_one_line(blazeposer_command: CommandLine, arguments: list[str], complaint: str) -> None:
    run = blazeposer_command(*arguments)
    assert run.status == 2
    assert run.out == ""
    assert run.err.count("\n") == 1
    assert complaint in run.err
    assert run.err.rstrip().endswith("--help`.")


@pytest.mark.parametrize(
    ("failure", "status", "line"),
    [
        (errors.InputError("no such picture:\n check the path"), 1, "blazeposer: no such picture: check the path\n"),
        (click.ClickException("cannot do it"), 1, "blazeposer: cannot do it\n"),
        (KeyboardInterrupt(), 130, "\nblazeposer: interrupted\n"),  # click ends the line with ^C
        (BrokenPipeError(), 0, ""),
    ],
)
def test_a_failing_command_ends_in_one_line(
    blazeposer_command: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    status: int,
    line: str,
) -> None:
    @click.command()
    def command() -> None:
        raise failure

    install(monkeypatch, command)
    monkeypatch.setattr("os.dup2", lambda source, target: None)  # the test needs its stdout
    assert blazeposer_command("detect") == (status, "", line)


def test_a_status_is_passed_on(blazeposer_command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def command() -> int:
        return 7

    install(monkeypatch, command)
    assert blazeposer_command("detect").status == 7


def test_a_missing_extra_is_named(blazeposer_command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "blazeposer_training.learning.train", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    for module in [name for name in sys.modules if name.startswith("blazeposer_training")]:
        monkeypatch.delitem(sys.modules, module)
    run = blazeposer_command("train", "--help")
    assert run.status == 1
    assert run.err.startswith("blazeposer: torch")
    assert "pip install 'blazeposer[train]'" in run.err


def test_a_defect_of_ours_is_not_taken_for_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        cli.COMMANDS, "train", cli.Subcommand("blazeposer_training.no_such_module:command", "train", "")
    )
    with pytest.raises(ModuleNotFoundError):
        cli.main(["train"])


def install(monkeypatch: pytest.MonkeyPatch, command: click.Command) -> None:
    """Let `blazeposer detect` be another command."""
    module = ModuleType("replacement")
    module.command = command  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "replacement", module)
    monkeypatch.setitem(cli.COMMANDS, "detect", cli.Subcommand("replacement:command", "", "A stand-in."))
