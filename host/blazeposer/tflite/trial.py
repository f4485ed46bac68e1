"""Try a tflite file in a separate process, because a damaged file can end the process that runs the file."""

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
"""Longest time for one inference in seconds. A network of this project takes less than one second."""
_complaints: dict[tuple[str, str], str] = {}
"""Reason why a file fails, by the file's sha256 and the runtime, or "" if the file runs."""


def is_known(path: Path, data: bytes) -> bool:
    """Return True if a file is the network of this package, or if the manifest beside the file describes the file."""
    try:
        read_manifest(path)
    except ModelError:
        return data == default_model().read_bytes()
    return True


def try_apart(path: Path, data: bytes, runtime: str) -> None:
    """Run a network in a separate process. Raises ModelError if it does not run. The caller has already checked that
    the network agrees with the model contract."""
    key = (hashlib.sha256(data).hexdigest(), runtime)
    if key not in _complaints:
        _complaints[key] = _complaint(path, runtime)
    if _complaints[key]:
        raise ModelError(f"{path}: {_complaints[key]}")


def _complaint(path: Path, runtime: str) -> str:
    """Return the reason why a network does not run, without the file's path. Return "" if the network runs."""
    command = [sys.executable, "-m", __name__, str(path), runtime]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, env=environment, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return f"{runtime} does not finish with this file: copy it again"
    if child.returncode not in (0, 1):
        return (
            f"{runtime} crashed with this file (exit status {child.returncode}), because it is damaged: copy it again"
        )
    return child.stdout.strip().removeprefix(f"{path}: ")


def _main(path: str, runtime: str) -> int:
    """Run a network. If it does not run, print the reason on stdout in one line."""
    from blazeposer.tflite.interpreter import Runtime, open_network

    try:
        network = open_network(path, cast(Runtime, runtime), is_tried=True)
        network.run(np.zeros((INPUT_SIZE, INPUT_SIZE, 3), np.uint8))
    except BlazePoserError as error:
        print(error)
    except Exception as error:  # a runtime may raise any exception
        print(f"{runtime} cannot run it ({' '.join(str(error).split())}): use a file from `blazeposer quantize`")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
