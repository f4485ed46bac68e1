"""How much working memory a tflite takes, as TensorFlow Lite Micro counts it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from blazeposer.errors import BlazePoserError

_REPORT = """
import sys
from tflite_micro import runtime
runtime.Interpreter.from_file(sys.argv[1]).print_allocations()
"""


def arena_bytes(path: Path) -> int:
    """Arena of a tflite on this (64-bit) PC; on a 32-bit camera pointers are half as large. Raises BlazePoserError.

    TFLite Micro prints its count on the process's stderr, so it is asked in a process of its own.
    """
    report = subprocess.run([sys.executable, "-c", _REPORT, str(path)], capture_output=True, text=True, check=False)
    total = re.search(r"Arena allocation total (\d+) bytes", report.stderr)
    if report.returncode or not total:
        reason = (report.stderr.strip().splitlines() or ["no report"])[-1]
        raise BlazePoserError(f"TFLite Micro cannot measure {path.name} ({reason}): pip install 'blazeposer[demo]'")
    return int(total[1])
