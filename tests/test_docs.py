"""The pages: the site builds without a warning and needs no network; every command on them is one, and runs.

Commands stand in fences of `bash`. A word behind that, one of `conf.MARKS`, says why a command does not run here, or
how. In the middle of a sentence, and in the README's indented blocks, commands are only held against the command line.
"""

import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from markdown_it import MarkdownIt
from mpremote.main import _BUILTIN_COMMAND_EXPANSIONS, _COMMANDS

pytest.importorskip("sphinx", reason="needs the extra `docs`")
pytest.importorskip("torch", reason="the commands' page needs the extra `train`")
import browser
import generated
from blazeposer.cli import cli
from blazeposer.core.boards import BOARDS
from blazeposer.core.prepare import Image
from blazeposer.media.output import VideoWriter
from blazeposer.stream.record import Record, as_line, parse_line
from conf import MARKS, prepare

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "models" / "README.md", *sorted(DOCS.glob("*.md"))]
RUN = {"": "to its end", "live": "until it has said something", "background": "until the rest has run"}
"""Marks of blocks that run here, and how long."""
ENOUGH = 4
"""Lines after which what never ends has said something."""
MENTION = re.compile(r"(blazeposer|make|mpremote|pip install) [^.A-Z]")
TOOLS = {".", "dfu-util", "head", "mypy", "pytest", "python", "python3", "ruff"}


class Block(NamedTuple):
    """Commands, a line each."""

    mark: str
    lines: list[str]


def blocks(page: Path) -> list[Block]:
    """The commands that stand by themselves on a page."""
    found = []
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        lines = [line for line in token.content.splitlines() if line.strip()]
        if token.type == "code_block":
            assert not page.is_relative_to(DOCS), f"{page.name}: fence {lines[0]!r}, so that it runs"
            found.append(Block("indented", lines))
        elif token.type == "fence" and token.info.startswith("bash"):
            found.append(Block(token.info.removeprefix("bash").strip(), lines))
    return found


def mentions(page: Path) -> Iterator[str]:
    """The commands in a page's sentences and tables."""
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(page.read_text(encoding="utf-8")):
        for child in token.children or []:
            if child.type == "code_inline" and MENTION.match(child.content):
                yield from child.content.split("; ")


def sittings() -> list[list[Path]]:
    """Pages whose commands run one after the other: one each, but script.md goes on with the camera of start.md."""
    pages = [page for page in PAGES if page.stem != "script" and any(block.mark in RUN for block in blocks(page))]
    return [[page, DOCS / "script.md"] if page.stem == "start" else [page] for page in pages]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_are_commands(page: Path) -> None:
    for block in blocks(page):
        assert block.mark in {*MARKS, *RUN, "indented"}
        for line in block.lines:
            check(line)
    for line in mentions(page):
        check(line, whole=False)


def check(line: str, whole: bool = True) -> None:
    """Hold a command against what there is; if not `whole`, it may leave arguments out."""
    program, *words = shlex.split(line, comments=True)
    for word in words:
        if word.split("/")[0] in ("board", "docs", "host", "models", "tests") and not Path(word).stem.isupper():
            assert (ROOT / word).exists(), f"{line}: there is no {word}"
    if program == "blazeposer":
        check_blazeposer(words, whole)
    elif program == "make":
        makefile = (ROOT / "Makefile").read_text()
        for word in words:
            name, equals, _ = word.partition("=")
            assert f"$({name})" in makefile if equals else f"\n{name}:" in makefile, line
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        wanted = re.findall(r"[\w]+", "".join(re.findall(r"\[(.*)\]", line)))
        assert words[0] == "install" or words == ["uninstall", "blazeposer"]
        assert set(wanted) <= set(extras), line
    elif program == "mpremote":
        command = words[2] if words[0] == "connect" else words[0]
        assert command in {*_COMMANDS, *_BUILTIN_COMMAND_EXPANSIONS}, line
    else:
        assert program in TOOLS or (program == "export" and "=" in words[0]), f"{line}: what is {program}?"


def check_blazeposer(words: list[str], whole: bool) -> None:
    """Parse a command line as `blazeposer` does, and stop before it does anything."""
    with click.Context(cli, info_name="blazeposer", **cli.context_settings) as parent:
        option = words[0].startswith("-")
        _, command, rest = ("", cli, words) if option else cli.resolve_command(parent, words)
        assert command
        try:
            command.make_context(command.name, rest, parent=parent)
        except click.exceptions.Exit:  # --help
            pass
        except (click.MissingParameter, click.BadOptionUsage):  # of an argument; of an option's value
            if whole:
                raise


def test_a_wrong_command_is_found() -> None:
    for line in ("blazeposer deploi", "blazeposer deploy --too rom", "blazeposer deploy --to ram", "blazeposer replay",
                 "make dmo", "pip install '.[trian]'", "mpremote rum board/bench.py", "mpremote run board/banch.py",
                 "wget x"):  # fmt: skip
        with pytest.raises((AssertionError, click.UsageError)):
            check(line)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="the pages' commands are for a POSIX shell")
@pytest.mark.parametrize("pages", sittings(), ids=lambda pages: "-".join(page.stem for page in pages))
def test_commands_run(pages: list[Path], tmp_path: Path, portrait: Image, request: pytest.FixtureRequest) -> None:
    """They run in a copy of the repository that hides this PC's cameras and backups."""
    todo = [block for page in pages for block in blocks(page)]
    if any(line.startswith("blazeposer camera") for block in todo for line in block.lines):
        request.getfixturevalue("needs_virtual_camera")
    for entry in ROOT.iterdir():
        if entry.is_file() or entry.name == "models":  # commands rewrite them
            (shutil.copytree if entry.is_dir() else shutil.copy)(entry, tmp_path / entry.name)
        elif not entry.name.startswith(".") and entry.name not in ("build", "out", "runs"):
            (tmp_path / entry.name).symlink_to(entry)
    with VideoWriter(tmp_path / "out" / "demo" / "nod.mp4", 10.0) as video:  # in place of what `make demo` draws
        for _ in range(5):
            video.write(portrait)
    with closing(Shell(tmp_path)) as shell:
        for block in todo:
            # A fixed port may be taken here.
            text = "\n".join(block.lines).replace("--web", "--web --web-port 0")
            if block.mark in RUN:
                shell.run(text, block.mark)


class Shell:
    """Runs blocks one after the other; `close` ends those that still run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[str]] = []
        (folder / "temporary").mkdir()
        places = dict.fromkeys(("TMPDIR", "HOME", "XDG_DATA_HOME", "BLAZEPOSER_RUNTIME"), str(folder / "temporary"))
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**os.environ, **places, "PATH": path, "PYTHONUNBUFFERED": "1"}

    def run(self, text: str, mark: str) -> None:
        """Run commands as their mark says. Those that end have to end well, the others to say something."""
        process = subprocess.Popen(
            ["bash", "-e", "-c", text if "\n" in text else f"exec {text}"], cwd=self._folder, env=self._environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        if not mark:
            said, _ = process.communicate()
            assert process.returncode == 0, f"{text}\n{said}"
            return
        self._running.append(process)
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(1 if mark == "background" else ENOUGH)]
        assert all(lines), f"{text}\n{''.join(lines)}"  # else it ended by itself
        assert not any("Traceback" in line for line in lines), f"{text}\n{''.join(lines)}"
        if mark == "live":
            self._end(process)

    def close(self) -> None:
        while self._running:
            self._end(self._running[-1])

    def _end(self, process: subprocess.Popen[str]) -> None:
        self._running.remove(process)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate()
        assert "Traceback" not in said, said


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    recipe = re.search(r"^docs:.*\n\t\$\(BIN\)/sphinx-build (.*) out/docs$", (ROOT / "Makefile").read_text(), re.M)
    assert recipe
    build = [sys.executable, "-m", "sphinx", *recipe[1].split(), str(folder)]
    run = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    return folder


@pytest.mark.slow
def test_the_site_has_every_page(site: Path) -> None:
    for page in DOCS.glob("*.md"):
        text = (site / f"{page.stem}.html").read_text(encoding="utf-8")
        assert "<h1>" in text
        assert "{{" not in text, f"{page.name}: a part stands alone on its line"


@pytest.mark.slow
def test_the_site_needs_no_network(site: Path) -> None:
    foreign = re.compile(r"""(<(script|link|img|iframe)[^>]*(src|href)=["'](https?:)?//|url\(["']?https?:|@import)""")
    for file in site.rglob("*"):
        if file.suffix in (".html", ".css"):
            assert not (found := foreign.search(file.read_text(encoding="utf-8"))), f"{file.name}: {found and found[0]}"


@pytest.mark.slow
def test_formulas_and_drawings_show_in_a_browser(site: Path) -> None:
    asked: list[str] = []
    with browser.opened() as chromium:
        page = chromium.new_page()
        page.on("request", lambda request: asked.append(request.url))
        for name in ("how", "quantization", "angles"):
            page.goto((site / f"{name}.html").as_uri())
            heights = page.eval_on_selector_all("math, svg.drawing", "all => all.map(one => one.clientHeight || "
                                                "one.getBoundingClientRect().height)")  # fmt: skip
            assert heights
            assert min(heights) > 5
            assert page.locator("math merror").count() == 0
    assert all(url.startswith(("file:", "data:")) for url in asked)


@pytest.fixture
def example() -> Record:
    """The record on the stream's page, with numbers for its letters."""
    shown = generated.record().removeprefix("```text\n").removesuffix("\n```")
    record = parse_line(shown.replace("x, y, w, h", "1, 2, 3, 4").replace("x0, y0, ..., x5, y5", ", ".join("12" * 6)))
    assert record
    return record


def test_parts_say_what_the_code_says() -> None:
    boards = generated.boards()
    for board in BOARDS:
        assert f"| {board.name} | `{board.key}` |" in boards
    assert "| 264 KB | 128 KB | yes | `/rom` |" in boards
    assert "| positive yaw | to the left |" in generated.signs()
    assert "| positive pitch | up |" in generated.signs()
    assert "| positive roll | nowhere | to the right |" in generated.signs()


def test_every_field_of_the_stream_is_explained(example: Record) -> None:
    (face,) = example.faces
    for shown in (example, face, example.ms):
        assert all(said for _, said in generated.documented(type(shown)))


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(KeyError, match="bords"):
        prepare("{{ bords }}")


def test_the_reader_of_the_stream_s_page(example: Record) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = f"socket://127.0.0.1:{server.getsockname()[1]}"
        reader = subprocess.Popen(
            [sys.executable, "-u", DOCS / "scripts" / "read.py", port], stdout=subprocess.PIPE, text=True
        )
        assert reader.stdout
        try:
            while not select.select([server], [], [], 0.2)[0]:
                assert reader.poll() is None, "the script ended before it opened the port"
            link, _ = server.accept()
            while not select.select([reader.stdout], [], [], 0.2)[0]:  # it throws away what comes while it opens
                link.sendall(f"booting\n{as_line(example)}\n".encode())
            assert reader.stdout.readline() == "3456 1 looks at me\n"
        finally:
            reader.kill()
            reader.communicate()
        link.close()
