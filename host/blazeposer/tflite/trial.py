"""Try a tflite file in a process of its own: a damaged one can end the process that runs it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import numpy as np

from blazeposer.core.contract import INPUT_SIZE
from blazeposer.core.errors import BlazePoserError, ModelError
from blazeposer.core.resources import default_model
from blazeposer.tflite.manifest import read_manifest

PATIENCE = 300
"""Seconds for one inference; a network of ours takes a fraction of one."""
_complaints: dict[tuple[str, str], str] = {}
"""(sha256, runtime) -> what went wrong with these bytes; each is tried once."""


def is_known(path: Path, data: bytes) -> bool:
    """Return whether these bytes are known: the shipped network, or the file that the manifest beside it describes."""
    try:
        read_manifest(path)
    except ModelError:
        return data == default_model().read_bytes()
    return True


def try_apart(path: Path, data: bytes, runtime: str) -> None:
    """Load and run a file that keeps the contract once, elsewhere. Raises ModelError where that fails."""
    key = (hashlib.sha256(data).hexdigest(), runtime)
    if key not in _complaints:
        _complaints[key] = _complaint(path, runtime)
    if _complaints[key]:
        raise ModelError(f"{path}: {_complaints[key]}")


def _complaint(path: Path, runtime: str) -> str:
    """Return what went wrong, without the path; empty if nothing did."""
    command = [sys.executable, "-m", __name__, str(path), runtime]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, env=environment, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return f"{runtime} did not come to an end with it: copy it anew"
    if child.returncode not in (0, 1):
        return f"{runtime} broke down with it (exit status {child.returncode}): it is damaged, copy it anew"
    return child.stdout.strip().removeprefix(f"{path}: ")


def _main(path: str, runtime: str) -> int:
    """Run a file in the child. Return 0 where it runs; else 1, after one line on stdout."""
    from blazeposer.tflite.interpreter import Runtime, open_network

    try:
        network = open_network(path, cast(Runtime, runtime), is_tried=True)
        network.run(np.zeros((INPUT_SIZE, INPUT_SIZE, 3), np.uint8))
    except BlazePoserError as error:
        print(error)
    except Exception as error:  # the runtimes raise anything
        print(f"{runtime} cannot run it ({' '.join(str(error).split())}): use a file of `blazeposer quantize`")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
