"""Types for the scripts in board/: the stubs name what the virtual camera has, and mypy finds wrong uses by them."""

import ast
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from mypy import api

import blazeposer.camera
from blazeposer.camera import VirtualCamera
from blazeposer.core.resources import board_dir
from blazeposer.openmv.mpremote import mpremote

STUBS = board_dir() / "typings"
SHIMS = Path(blazeposer.camera.__file__).parent / "shims"
MODULES = sorted(path.relative_to(STUBS).with_suffix("") for path in STUBS.rglob("*.pyi"))

Names = dict[str, list[str]]
"""Public names of a module, "Class.name" those of its classes, with the parameters of functions."""


def public(name: str) -> bool:
    return not name.startswith("_")


def names_of(path: Path) -> Names:
    """Return the names that a module defines itself."""
    return defined(ast.parse(path.read_text()).body, "")


def defined(body: list[ast.stmt], prefix: str) -> Names:
    names: Names = {}
    for node in body:
        if isinstance(node, ast.ClassDef):
            names |= {node.name: []} | defined(node.body, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            parameters = [argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)]
            names[prefix + node.name] = sorted({*names.get(prefix + node.name, []), *parameters} - {"self"})
            for part in ast.walk(node):  # self.name = ...
                if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store) and prefix:
                    names[prefix + part.attr] = []
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for part in ast.walk(target):
                    if isinstance(part, ast.Name):
                        names[prefix + part.id] = []
    return {name: parameters for name, parameters in names.items() if all(map(public, name.split(".")))}


@pytest.mark.parametrize("module", [path for path in MODULES if (SHIMS / path).with_suffix(".py").exists()], ids=str)
def test_stubs_and_the_virtual_camera_name_the_same(module: Path) -> None:
    shim, stub = (names_of((root / module).with_suffix(end)) for root, end in ((SHIMS, ".py"), (STUBS, ".pyi")))
    assert shim.keys() <= stub.keys()
    for name, parameters in stub.items():
        if name in shim:
            assert set(parameters) <= set(shim[name])
        else:  # a function of MicroPython's own, see the next test
            assert "." not in name


@pytest.mark.usefixtures("needs_virtual_camera")
def test_every_module_and_name_is_there() -> None:
    names = {".".join(path.parts).removesuffix(".__init__"): names_of(STUBS / f"{path}.pyi") for path in MODULES}
    script = "\n".join(
        f"import {module}; print(all([hasattr({module}, name) for name in {[n for n in found if '.' not in n]}]))"
        for module, found in names.items()
    )
    with VirtualCamera([np.zeros((240, 320, 3), np.uint8)], board="h7") as camera:
        assert mpremote(camera.port, "exec", script).split() == ["True"] * len(MODULES)
        there = mpremote(camera.port, "exec", "import sys; print(' '.join(sys.modules))").split()
    modules = {name for name in there if not name.startswith("_") and name not in ("os", "sys", "uos", "vfs")}
    assert modules <= names.keys()


def check_types(folder: Path, *scripts: Path) -> tuple[str, str, int]:
    """mypy as for board/: what it prints, its failure, its status."""
    return api.run(
        ["--config-file", str(board_dir() / "mypy.ini"), "--cache-dir", str(folder / "cache"), *map(str, scripts)]
    )


@pytest.mark.parametrize("page", ["README.md", "docs/troubleshooting.md"])
def test_mypy_passes_the_python_of_a_page(page: str, tmp_path: Path) -> None:
    tokens = MarkdownIt().parse((board_dir().parent / page).read_text(encoding="utf-8"))
    fences = [token.content for token in tokens if token.type == "fence" and token.info == "python"]
    (code,) = [code for code in fences if "csi" in code]  # the other is for a PC
    script = tmp_path / "script.py"
    script.write_text(code if "import csi" in code else f"import csi\ncsi0 = csi.CSI()\n{code}")
    assert check_types(tmp_path, script)[1:] == ("", 0)


def test_mypy_finds_wrong_uses(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import csi, gc, ml, time\n"
        "from machine import PWM\n"
        "from blazeposer import BlazePoser\n"
        "model = ml.Model('/rom/blazeposer.tflite', postprocess=BlazePoser())\n"
        "img = csi.CSI().snapshot()\n"
        "img.draw_rectangle((1, 2, 3, 4))\n"
        "img.draw_rectangle(1, 2, 3, 4)\n"  # as before firmware 5.0
        "csi.CSI().set_framesize(csi.QVGA)\n"  # as in the module sensor
        "PWM('P7', freq=50, duty=8192)\n"
        "time.time_ms()\n"
        "gc.mem_free()\n"
        "model.predict(img)\n"
    )
    out, err, status = check_types(tmp_path, script)
    assert (err, status) == ("", 1)
    found = {int(line.split(":")[1]) for line in out.splitlines() if ": error: " in line}
    assert found == {7, 8, 9, 10, 12}
