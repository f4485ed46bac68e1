"""Functions that generate parts of pages from the code. Each public function returns one part as Markdown."""

import ast
import inspect
import os
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from types import ModuleType

import click
import numpy as np

from blazeposer import cli
from blazeposer.commands.models import npu_cycles, time_notes, time_table
from blazeposer.core.boards import BOARDS, KB, MB
from blazeposer.core.contract import ANGLES, KEYPOINTS, OUTPUTS
from blazeposer.core.errors import MissingExtraError
from blazeposer.core.face import Face
from blazeposer.core.resources import board_dir, default_model, models_dir
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.evaluate.report import markdown_table
from blazeposer.stream import packed as layout
from blazeposer.stream import record as stream
from blazeposer.tflite.check import Verdict, examine, judge
from blazeposer.tflite.manifest import read_manifest
from blazeposer_training.learning.recipe import read_recipe

DOCS = Path(__file__).parent
NPUS = {"": "", "ethos-u55": ", NPU Ethos-U55", "neural-art": ", NPU Neural-ART"}


def boards() -> str:
    """Return a table of the boards with their memory, and with the places from which each board loads the network."""
    model = examine(default_model())
    heads = ("board", "`--board`", "processor", "heap, largest block", "for models", "card", "loads from")
    rows = (
        (b.name, f"`{b.key}`", b.cpu + NPUS[b.npu], size(b.heap), size(b.romfs), "yes" if b.sd else "no",
         _loads(judge(model, b)))
        for b in BOARDS
    )  # fmt: skip
    return markdown_table(heads, rows)


def _loads(verdict: Verdict) -> str:
    """Return the places from which the board loads the network, or a remark that the network must be compiled first."""
    return " ".join(f"`{store}`" for store in verdict.stores) or "`/rom`, after compilation"


def speeds() -> str:
    """Return a table of the network's estimated speed on each board, as in `blazeposer check`."""
    model = examine(default_model())
    cycles, npu_note = npu_cycles(model.path)
    (board, *heads), rows = time_table([judge(model, board) for board in BOARDS], cycles)
    return f"{markdown_table((f'`{board}`', *heads), rows)}\n\n{' '.join(time_notes(model, npu_note))}"


def needs() -> str:
    """Return the size of the network's file and of its arena, as text."""
    manifest = read_manifest(default_model())
    return (
        f"The network's file takes {manifest.file_bytes:,} bytes. The network's working memory (arena) takes "
        f"{manifest.arena_bytes:,} bytes in one block. TensorFlow Lite Micro measured the arena on a 64-bit PC. On "
        "a camera, the arena is not larger."
    )


def record() -> str:
    """Return the example of a record, copied from the docstring of `stream/record.py`."""
    example = inspect.getdoc(stream) or ""
    lines = [line for line in example.splitlines() if line.startswith("    ")]
    return "```text\n" + inspect.cleandoc("\n".join(lines)) + "\n```"


def record_fields() -> str:
    return _fields(stream.Record)


def face_fields() -> str:
    return _fields(Face)


def timing_fields() -> str:
    return _fields(stream.Timing)


def packed() -> str:
    """Return a table of the bytes of a record in Protocol V2."""
    said = dict(documented(layout))
    rows = (
        (part, f"`{packing.format}`", packing.size, said[name])
        for part, name, packing in (("head", "HEAD", layout.HEAD), ("each face", "FACE", layout.FACE))
    )
    return markdown_table(("part", "`struct`", "bytes", "values"), rows)


def keypoints() -> str:
    """Return a numbered list of the six keypoints in their order."""
    return "\n".join(f"1. {name.replace('_', ' ')}" for name in KEYPOINTS)


def outputs() -> str:
    """Return a table of the network's outputs, with the scales and zero points of the INT8 file."""
    manifest = read_manifest(default_model())
    rows = (
        (str(index), f"`{output.name}`", "x".join(map(str, output.shape)), f"{found['scale']:.5g}", found["zero_point"])
        for index, (output, found) in enumerate(zip(OUTPUTS, manifest.outputs, strict=True))
    )
    return markdown_table(("index", "name", "shape", "scale", "zero point"), rows)


def operations() -> str:
    """Return the operations of the network's file, with the number of times that each operation is used."""
    return ", ".join(f"{count} `{name}`" for name, count in read_manifest(default_model()).ops.items())


def signs() -> str:
    """Return a table of the directions in which positive angles move the nose and the crown of a head in the image."""
    heads = ("angle", "direction of the nose in the image", "direction of the crown in the image")
    rows = []
    for index, angle in enumerate(ANGLES):
        turned = rotation_from_angles(20 * np.eye(3)[index])
        nose, crown = turned @ [0, 0, 1], turned @ [0, 1, 0] - [0, 1, 0]
        rows.append((f"positive {angle}", _direction(nose), _direction(crown)))
    return markdown_table(heads, rows)


def _direction(point: np.ndarray) -> str:
    """Return the direction in the image of a movement `point` (x to the right, y up, z to the viewer)."""
    x, y, _ = point
    if max(abs(x), abs(y)) < 0.1:
        return "nowhere"
    if abs(x) > abs(y):
        return "to the right" if x > 0 else "to the left"
    return "up" if y > 0 else "down"


def loss_weights() -> str:
    """Return a table of the terms of the loss in training, with their weights."""
    return markdown_table(
        ("term", "weight"),
        ((f"`{name}`", f"{weight:g}") for name, weight in read_recipe("full").weights.items() if weight),
    )


def examples() -> str:
    """Return a section for each example script, with the comment at the top of the script."""
    return "\n\n".join(
        f"## {path.name}\n\n```text\n{_header(path)}\n```\n\n[{path.name}](../board/examples/{path.name})"
        for path in sorted((board_dir() / "examples").glob("*.py"))
    )


def _header(path: Path) -> str:
    """Return the comment at the top of a script, without the line for the licence."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = takewhile(lambda line: line.startswith("#"), lines)
    text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in comment if "SPDX" not in line).strip()
    return re.sub(r"^(\S.*)\n(?=\S)", r"\1 ", text, flags=re.MULTILINE)  # the page breaks lines at other places


def commands() -> str:
    """Return the `--help` text of every command."""
    parts = []
    with click.Context(cli.cli, info_name="blazeposer", **cli.cli.context_settings) as parent:
        for name in cli.COMMANDS:
            try:
                command = cli.cli.get_command(parent, name)
            except MissingExtraError as error:  # `make docs` installs only the extra `docs`
                parts.append(f"## {name}\n\n{cli.COMMANDS[name].help} The help text is not shown here: {error}.")
                continue
            assert command is not None
            with click.Context(command, info_name=name, parent=parent, max_content_width=100) as context:
                parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```")
    return "\n\n".join(parts)


def model_card() -> str:
    return _page(models_dir() / "README.md")


def model_licence() -> str:
    return (models_dir() / "LICENSE").read_text(encoding="utf-8")


def contributing() -> str:
    return _page(DOCS.parent / "CONTRIBUTING.md")


def _page(path: Path) -> str:
    """Return the text of a page in another folder, with links that work in the folder docs/."""

    def link(found: re.Match[str]) -> str:
        return f"]({Path(os.path.relpath(path.parent / found[1], DOCS)).as_posix()})"

    return re.sub(r"\]\((?!https?:|#)([^)]+)\)", link, path.read_text(encoding="utf-8"))


def size(count: int) -> str:
    """Return a number of bytes as text, as in data sheets."""
    return f"{count / MB:g} MB" if count >= MB else f"{count // KB} KB" if count else ""


def _fields(of: type) -> str:
    """Return a table of the fields of a dataclass, with the docstring of each field."""
    return markdown_table(("field", "what it is"), ((f"`{name}`", said) for name, said in documented(of)))


def documented(of: type | ModuleType) -> Iterator[tuple[str, str]]:
    """Yield the name and the docstring of each field of a dataclass, or of each constant of a module."""
    tree = ast.parse(inspect.getsource(of))
    definition = tree.body[0]
    body = definition.body if isinstance(definition, ast.ClassDef) else tree.body
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            (target,) = statement.targets if isinstance(statement, ast.Assign) else (statement.target,)
            said = following.value if isinstance(following, ast.Expr) else None
            text = said.value if isinstance(said, ast.Constant) else ""
            yield ast.unparse(target), " ".join(str(text).split())
