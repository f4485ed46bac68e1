"""Use the program mpremote to read from a camera and to write to a camera. A mapping of type `Contents` maps paths on
the camera to bytes. A path such as "/flash/main.py" means a file, and the value None means that the file does not
exist. The path "/rom" means the beginning of the ROMFS partition, and the value None means that the partition is
empty."""

import binascii
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from blazeposer.core.errors import BlazePoserError, PortError
from blazeposer.deploy.state import CARD, State, read_self_test, read_state
from blazeposer.openmv import flash, ports
from blazeposer.openmv.mpremote import Complaint, NoRepl, mpremote
from blazeposer.openmv.ports import Port
from blazeposer.stream.record import Record, read_records

SUFFIX = ".blazeposer"
"""Suffix of a temporary file's name. The file gets its final name later."""
FILE_RATE, ROM_RATE, READ_RATE = 16_000, 40_000, 100_000
"""Rates in bytes per second: for writing files, for writing ROMFS, and for reading from the camera. Nobody has measured
the rates on hardware."""
PATIENCE = 90.0
"""Longest time, in seconds, to wait for the camera's first pose record after a reset."""
BATCH = 24
"""Largest number of elements of `calls` (see `Camera.write`) for one run of mpremote, because the length of mpremote's
command line is limited."""
_ROOM = 4 << 20  # limit in bytes for counting erased flash; no model is larger
_SCRIPTS = Path(__file__).parent / "scripts"

Contents = Mapping[str, bytes | None]
Advance = Callable[[int], None]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Camera:
    """A camera at a serial port. Most methods stop the script on the camera. After the last of these methods, the
    caller has to call `restart`, which starts the script again."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.patience = PATIENCE
        self.is_stopped = False
        """True if the camera's script has been stopped and not started again."""

    def state(self, names: Iterable[str]) -> State:
        """Return the camera's state. `names` are the names of the files to look for on each drive. Raises
        BlazePoserError."""
        wanted = [name + suffix for name in names for suffix in ("", SUFFIX)]
        question = script("state.py", NAMES=wanted, CARD=CARD, ROOM=_ROOM, TAILS=flash.tails())
        try:
            answer = self._answer(self._run("exec", question))
            self.is_stopped = True
            return read_state(answer, wanted)
        except ValueError as error:
            raise self._nonsense() from error
        except PortError as error:
            if "no module named 'omv'" not in str(error):
                raise
            raise PortError(
                f"{self.port.device} runs MicroPython, but not OpenMV's firmware: install the firmware with OpenMV IDE"
            ) from error

    def read(self, lengths: Mapping[str, int], advance: Advance) -> dict[str, bytes]:
        """Read whole files, and the beginning of ROMFS. `lengths` maps each path to the number of bytes to read. For a
        file, this is the file's size. Raises PortError."""
        lines: dict[str, list[bytes]] = {}
        digests: dict[str, str] = {}
        path = ""

        def take(line: str) -> None:
            nonlocal path
            if line.startswith("# "):
                path = line[2:]
            elif line.startswith("= "):
                digests[path] = line[2:]
            elif line:
                try:
                    lines.setdefault(path, []).append(binascii.a2b_base64(line, strict_mode=True))
                except binascii.Error as error:
                    raise self._nonsense() from error
                advance(len(lines[path][-1]))

        expected = sum(lengths.values()) / READ_RATE
        self._run("exec", script("read.py", LENGTHS=dict(lengths)), expected=expected, said=take)
        contents = {path: b"".join(lines.get(path, [])) for path in lengths}
        for path, data in contents.items():
            if len(data) != lengths[path] or sha256(data) != digests.get(path):
                raise PortError(f"{path} was damaged while it was read: check the cable and run the command again")
        return contents

    def write(self, files: Contents, calls: Sequence[str], state: State, seconds: float, advance: Advance) -> None:
        """Write files and change ROMFS. Raises PortError.

        First, all new files are written under temporary names beside the old files. After ROMFS has been changed, all
        new files get their final names. If writing is interrupted, every file on the camera is either completely old or
        completely new. `calls` are lines of Python that call functions of `scripts/flash.py`. `seconds` is the expected
        time of these calls.
        """
        sent = [data for data in files.values() if data is not None]
        with tempfile.TemporaryDirectory() as folder:
            copies = [
                ["fs", "cp", "-f", _stored(folder, data), f":{path}{SUFFIX}"]
                for path, data in files.items()
                if data is not None
            ]
            hashes = [(path, None if data is None else sha256(data)) for path, data in files.items()]
            switch = [["exec", script("switch.py", HASHES=hashes, SUFFIX=SUFFIX)]] if files else []
            values = {"BLOCK": flash.of(state.board).block, "RANGES": bool(state.rom and state.rom.ranges)}
            functions = script("flash.py", **values)
            parts = [
                [["run", _stored(folder, source.encode())] for source in (functions, *calls[at : at + BATCH])]
                for at in range(0, len(calls), BATCH)
            ] or [[]]
            parts[0] = copies + parts[0]
            parts[-1] = parts[-1] + switch
            said = _follow([len(data) for data in sent], advance)
            expected = sum(map(len, sent)) / FILE_RATE + seconds
            for commands in parts:
                arguments = [word for command in commands for word in ("+", *command)]
                self._run(*arguments[1:], expected=expected, said=said)

    def self_test(self) -> dict[str, Any]:
        """Run board/selftest.py on the camera, and return the values in the last line that the script prints."""
        try:
            said = self._run("exec", "import selftest")
            if "BlazePoser stopped: no file at" in said:  # printed by board/find_model.py
                raise BlazePoserError(
                    "the self-test does not find its files on the camera: run `blazeposer deploy` again"
                )
            return read_self_test(self._answer(said))
        except ValueError as error:
            raise BlazePoserError(
                "the self-test gave no result: run `blazeposer restore` to undo the deploy"
            ) from error
        except Complaint as error:
            raise BlazePoserError(
                f"the self-test stopped ({error.reason}): run `blazeposer restore` to undo the deploy"
            ) from error

    def run_scripts(self, sources: Sequence[str], said: Callable[[str], None]) -> None:
        """Run several scripts one after the other. `sources` are the texts of the scripts. Each script can use the
        names that earlier scripts have defined."""
        self.is_stopped = True
        with tempfile.TemporaryDirectory() as folder:
            arguments = [word for source in sources for word in ("+", "run", _stored(folder, source.encode()))]
            self._run(*arguments[1:], expected=float(len(sources)), said=said)

    def restart(self) -> None:
        """Reset the camera if its script was stopped, and wait until the camera is back. After the reset, main.py runs.
        Raises PortError."""
        if self.is_stopped:
            self.port = ports.reset(self.port, lambda: self._run("reset"), self.patience)
            self.is_stopped = False

    def first_record(self) -> Record:
        """Return the first record after a restart. After the restart, the camera may be at another serial port. Raises
        PortError."""
        deadline = time.monotonic() + self.patience
        error = PortError(f"the camera at {self.port.device} did not restart: unplug it, and plug it in again")
        while time.monotonic() < deadline:
            time.sleep(0.1)
            if (port := ports.again(self.port)) is None:
                continue
            self.port = port
            try:
                return next(read_records(port.device, silence=self.patience))
            except PortError as lost:
                error = lost
        raise error

    def _run(self, *arguments: str, expected: float = 0, said: Callable[[str], None] = lambda _: None) -> str:
        if (found := ports.again(self.port)) is None or found.device != self.port.device:
            raise PortError(f"the connection to {self.port.device} was lost: check the cable and run the command again")
        try:
            return mpremote(self.port.device, *arguments, expected=expected, said=said)
        except NoRepl:  # mpremote 1.29 sends Ctrl-C only once, and a camera that has just started can miss it
            return mpremote(self.port.device, *arguments, expected=expected, said=said)

    def _answer(self, text: str) -> dict[str, Any]:
        with suppress(ValueError, RecursionError):
            answer = json.loads((text.strip().splitlines() or [""])[-1])
            if isinstance(answer, dict):
                return answer
        raise self._nonsense()

    def _nonsense(self) -> PortError:
        return PortError(
            f"{self.port.device} does not answer like an OpenMV camera: reset the camera, close OpenMV IDE and run the "
            "command again"
        )


def script(name: str, **values: Any) -> str:
    """Return a script of `scripts/`. Lines at the start set the script's parameters to `values`."""
    settings = "".join(f"{key} = {value!r}\n" for key, value in values.items())
    return settings + (_SCRIPTS / name).read_text(encoding="utf-8")


def _stored(folder: str, data: bytes) -> str:
    """Write a new file, and return its path."""
    path = Path(folder, f"{len(os.listdir(folder))}.py")
    path.write_bytes(data)
    return str(path)


def _follow(sizes: list[int], advance: Advance) -> Callable[[str], None]:
    """Return a function that reads the progress from the lines that mpremote 1.29 and `scripts/flash.py` print. `sizes`
    are the sizes of the copied files in bytes."""
    begun = done = 0

    def said(line: str) -> None:
        nonlocal begun, done
        if line.startswith("cp "):  # mpremote begins with the next file
            position = sum(sizes[:begun])
            begun += 1
        elif found := re.fullmatch(r"wrote (\d+)", line):
            position = max(done, sum(sizes)) + int(found[1])
        else:
            return
        advance(position - done)
        done = position

    return said
