"""The camera's modules in CPython: PC and camera track with the same code."""

from __future__ import annotations

import builtins
from functools import cache
from types import ModuleType
from typing import Any

from blazeposer.core.resources import board_dir


@cache
def board_module(name: str) -> ModuleType:
    """Return the module `board/NAME.py`.

    What it imports comes from `board/` too, never from `sys.modules`: on a PC `blazeposer` is this package, on a camera
    it is the post-processor. MicroPython's `const` returns its argument.
    """
    path = board_dir() / f"{name}.py"
    module = ModuleType(f"{__name__}.{name}")
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), module.__dict__)
    return module


def _import(name: str, *arguments: Any) -> ModuleType:
    """Import as MicroPython does where `board/` lies on the camera's drive."""
    if name == "micropython":
        return _MICROPYTHON
    if (board_dir() / f"{name}.py").exists():
        return board_module(name)
    return builtins.__import__(name, *arguments)


_MICROPYTHON = ModuleType("micropython")
_MICROPYTHON.__dict__["const"] = lambda value: value
