"""Heap and results of the scripts in board/ on a Cortex-M7 that QEMU emulates: `make m7`, see README.md."""

import argparse
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.progress import track

from blazeposer.camera import view
from blazeposer.core.boards import find
from blazeposer.core.contract import OUTPUTS
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.prepare import camera_input
from blazeposer.core.resources import board_dir, default_model
from blazeposer.scene.sequence import frames as demo_frames
from blazeposer.tflite.interpreter import open_network
from blazeposer.tflite.manifest import read_manifest
from m7.results import check_main, check_own
from outputs import Outputs, Quantization, synthetic_outputs

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "m7"
KB = 1024

HEAP = 40 * KB
"""In which each program has to run."""
H7_HEAP = tuple(sorted((block.size for block in find("h7").blocks), reverse=True))
"""The second: `OMV_GC_BLOCK1_SIZE` of boards/OPENMV4/board_config.h, openmv/openmv v5.0."""
_COMMANDS = {
    "make": "make",
    "gcc": "gcc",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
}
"""Programs that have to be installed, and the Debian packages that contain them."""
_OLDEST = (1, 25)
_TIMEOUT = 600.0


@dataclass(frozen=True)
class Program:
    """A program for the board."""

    name: str
    script: Path
    modules: tuple[str, ...]
    """Modules of board/ that the script needs beside it on the camera."""
    check: Callable[[Sequence[str], Sequence[Outputs], Quantization], int]
    """Holds what it printed for the raw outputs against the host: how many faces there are. Raises BlazePoserError."""
    options: tuple[str, ...] = ()
    """Names at the top of the script that are switched on."""


PROGRAMS = (
    Program("the decoder alone", HERE / "firmware" / "own.py", ("blazeposer",), check_own),
    Program(
        "main.py",
        board_dir() / "main.py",
        ("blazeposer", "find_model", "open_camera", "tracking"),
        partial(check_main, smooth=False),
    ),
    Program(
        "main.py, SMOOTH on",
        board_dir() / "main.py",
        ("blazeposer", "find_model", "open_camera", "tracking", "one_euro"),
        partial(check_main, smooth=True),
        ("SMOOTH",),
    ),
)
SUFFIXES = (".py", ".mpy")
"""Form of the modules: .py or .mpy. The script itself is always a .py."""
POINTS = ("before the model", "after import", "after frames")
"""At which firmware/modules/heap.py reports."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the firmware, run it, print the figures. 1 with one line on stderr where that cannot be."""
    parser = argparse.ArgumentParser(prog="make m7", description=__doc__)
    parser.add_argument("micropython", nargs="?", default=os.environ.get("MICROPYTHON", ""), help="source folder")
    parser.add_argument("--frames", type=int, default=1000)
    options = parser.parse_args(arguments)
    try:
        source = check(options.micropython)
        firmware, mpy_cross = build(source)
        report(firmware, mpy_cross, options.frames)
    except BlazePoserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def check(micropython: str) -> Path:
    """MicroPython's source folder; a BlazePoserError says what is missing on this machine."""
    missing = [packages for command, packages in _COMMANDS.items() if not shutil.which(command)]
    if missing:
        raise BlazePoserError(f"the emulated Cortex-M7 needs more programs: apt-get install {' '.join(missing)}")
    source = Path(micropython).expanduser().resolve()
    header = source / "py" / "mpconfig.h"
    text = header.read_text() if micropython and header.exists() else ""
    version = re.findall(r"define MICROPY_VERSION_(?:MAJOR|MINOR) (\d+)", text)
    if len(version) != 2 or tuple(map(int, version)) < _OLDEST:
        raise BlazePoserError(
            f"no source of MicroPython {'.'.join(map(str, _OLDEST))} or later in {micropython or 'MICROPYTHON'}: "
            "`apt-get source micropython` on Debian 13 or later, then `make m7 MICROPYTHON=its folder`"
        )
    return source


def build(source: Path) -> tuple[Path, Path]:
    """The firmware and MicroPython's compiler, built in build/m7."""
    BUILD.mkdir(parents=True, exist_ok=True)
    mpy_cross = BUILD / "mpy-cross" / "mpy-cross"
    steps = (
        ("MicroPython's compiler", source / "mpy-cross", f"BUILD={mpy_cross.parent}", "PROG=mpy-cross"),
        ("the firmware", HERE / "firmware", f"BUILD={BUILD / 'firmware'}", f"MICROPY_MPYCROSS={mpy_cross}"),
    )
    for name, folder, *variables in steps:
        log = BUILD / f"{folder.name}.log"
        with Console(stderr=True).status(f"Building {name}, minutes the first time"), log.open("w") as output:
            command = ["make", "-C", str(folder), f"MICROPYTHON={source}", *variables]
            if subprocess.run(command, stdout=output, stderr=output, check=False).returncode:
                raise BlazePoserError(f"{name} did not build from {source}: see {log}")
    return BUILD / "firmware" / "firmware.elf", mpy_cross


def report(firmware: Path, mpy_cross: Path, count: int) -> None:
    """Print every figure. A BlazePoserError if a heap does not suffice or results differ."""
    frames = list(track(_frames(count), "Raw outputs", total=count, console=Console(stderr=True), transient=True))
    quantization = open_network(default_model()).quantization
    print(f"{_version(firmware)}, single precision, on an emulated Cortex-M7")
    print(f"{count:,} frames in a heap of {HEAP:,} bytes")
    print(f"\n{'bytes':38}{'in use':^54}{'smallest heap':>15}")
    print(f"{'':24}{'modules':14}{''.join(f'{point:>18}' for point in POINTS)}{'that suffices':>15}{'faces':>8}")
    arena = read_manifest(default_model()).arena_bytes
    for program in PROGRAMS:
        for suffix in SUFFIXES:
            folder = _folder(program, suffix, mpy_cross)
            _write_outputs(folder, frames, quantization)
            lines = _complete(firmware, program, folder, (HEAP,))
            faces = program.check(lines, frames, quantization)
            in_use = [_in_use(lines, point) for point in POINTS]
            figures = "".join(f"{used:>18,}" for used in in_use) + f"{_smallest(firmware, program, folder):>15,}"
            print(f"{program.name:24}{suffix:14}{figures}{faces:>8,}", flush=True)
            if program is PROGRAMS[0] and suffix == ".py":
                garbage = _garbage(firmware, folder)
            _write_outputs(folder, frames, quantization, arena)
            program.check(_complete(firmware, program, folder, H7_HEAP), frames, quantization)
    print("every face as on the host")
    print(f"\n{'decoding a frame, bytes':50}{'allocated':>16}{'of them result':>16}")
    for found, (taken, kept) in sorted(garbage.items()):
        print(f"{f'with {found} faces':50}{taken:>16,}{kept:>16,}")
    blocks = " + ".join(f"{size // KB} KB" for size in H7_HEAP)
    print(f"\nall of them in the OpenMV H7's heap ({blocks}) with an arena of {arena:,} bytes: done, as on the host")


def _frames(count: int) -> Iterable[Outputs]:
    """No to four faces by turns, every tenth frame the network's outputs for the demo's, each 50th the worst case."""
    network = open_network(default_model())
    pictures = demo_frames()
    for number in range(count):
        if number % 50 == 49:  # one face that every anchor sees
            raw = synthetic_outputs(number, 1, network.quantization)
            raw[1][:] = raw[2][:] = 127
            yield raw
        elif number % 10 == 5:
            picture = pictures[number // 10 * 7 % len(pictures)].picture
            yield network.run(camera_input(view(picture)))
        else:
            yield synthetic_outputs(number, number % 5, network.quantization)


def _write_outputs(folder: Path, frames: Iterable[Outputs], quantization: Quantization, arena: int = 0) -> None:
    """outputs.bin as firmware/main.c reads it: its `header`, then the tensors of each frame."""
    with (folder / "outputs.bin").open("wb") as file:
        file.write(struct.pack("<I", arena))
        for output, (scale, zero_point) in zip(OUTPUTS, quantization, strict=True):
            file.write(struct.pack("<Ifi", int(np.prod(output.shape)), scale, zero_point))
        for frame in frames:
            file.write(b"".join(tensor.tobytes() for tensor in frame))


def _folder(program: Program, suffix: str, mpy_cross: Path) -> Path:
    """A folder with what goes onto a camera: the script, and its modules as they are or compiled."""
    folder = BUILD / "scripts" / (program.name + suffix)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    text = program.script.read_text()
    for option in program.options:
        text, count = re.subn(f"^{option} = False", f"{option} = True", text, flags=re.MULTILINE)
        assert count == 1
    (folder / program.script.name).write_text(text)
    shutil.copy(HERE / "firmware" / "garbage.py", folder)
    for module in program.modules:
        script = board_dir() / f"{module}.py"
        if suffix == ".mpy":
            subprocess.run([mpy_cross, "-o", folder / f"{module}.mpy", script], check=True)
        else:
            shutil.copy(script, folder)
    return folder


def _complete(firmware: Path, program: Program, folder: Path, heap: Sequence[int]) -> list[str]:
    """Return the output of a program. Raises BlazePoserError if it does not come to its end."""
    lines = _qemu(firmware, folder, program.script.name, heap)
    if not _ended(lines):
        said = (lines or ["nothing printed"])[-1]
        raise BlazePoserError(f"{folder.name} does not run in a heap of {' + '.join(map(str, heap))} bytes: {said}")
    return lines


def _in_use(lines: Sequence[str], point: str) -> int:
    """Bytes of the heap."""
    return next(int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"heap {point} "))


def _ended(lines: Sequence[str]) -> bool:
    return any(line.startswith(f"heap {POINTS[-1]} ") for line in lines)


def _smallest(firmware: Path, program: Program, folder: Path) -> int:
    """Bytes of the smallest heap in whole KB that suffices for all frames."""
    low, high = 0, HEAP // KB  # the first does not suffice, the second does
    while high - low > 1:
        middle = (low + high) // 2
        ended = _ended(_qemu(firmware, folder, program.script.name, (middle * KB,)))
        low, high = (low, middle) if ended else (middle, high)
    return high * KB


def _garbage(firmware: Path, folder: Path) -> dict[int, tuple[int, int]]:
    """Return by number of faces the bytes that decoding a frame allocates, and those that its result keeps; medians."""
    lines = _qemu(firmware, folder, "garbage.py", (512 * KB,))
    rows = [[int(word) for word in line.split()[1:]] for line in lines if line.startswith("frame")]
    if not rows:
        raise BlazePoserError(f"garbage.py failed on the emulated board: {(lines or ['nothing printed'])[-1]}")
    medians = {}
    for found in {row[0] for row in rows}:
        taken, kept = ([row[column] for row in rows if row[0] == found] for column in (1, 2))
        medians[found] = int(median(taken)), int(median(kept))
    return medians


def _qemu(firmware: Path, folder: Path, script: str, heap: Sequence[int]) -> list[str]:
    """Return the output of a script on the emulated board, whose files are those of `folder`."""
    words = ",".join(f"arg={word}" for word in ("firmware", script, *heap))
    command = ["qemu-system-arm", "-machine", "mps2-an500", "-nographic", "-monitor", "none", "-serial", "none"]
    command += ["-semihosting-config", f"enable=on,target=native,{words}", "-kernel", str(firmware)]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BlazePoserError(f"{script} did not end within {_TIMEOUT:g} s on the emulated board: try again") from error
    return (done.stdout + done.stderr).splitlines()


def _version(firmware: Path) -> str:
    found = re.search(rb"MicroPython v?[\d.]+[^;\0]*", firmware.read_bytes())
    return found[0].decode() if found else "MicroPython"


if __name__ == "__main__":
    sys.exit(main())
