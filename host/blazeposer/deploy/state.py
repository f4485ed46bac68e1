"""Check the report that a camera sends about its own state. A camera may be broken or malicious, and values from its
report become file paths on this PC, lengths of data, and lines in a terminal."""

import hashlib
import json
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from blazeposer.core import boards
from blazeposer.core.boards import Board
from blazeposer.core.errors import BlazePoserError
from blazeposer.openmv import romfs

ROM = "/rom"
DRIVES = ("/flash", "/sdcard")
CARD = "blazeposer.card"
"""File with a number that identifies an SD card, because a camera cannot read the card's own serial number."""
_VERSION = re.compile(r"\d{1,3}(\.\d{1,3}){1,3}[\w.+-]{0,40}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{2,64}")
SHA256 = re.compile(r"[0-9a-f]{64}")
_LARGEST = 1 << 40
"""Upper limit in bytes for the size of a drive."""
_PARTITION = 1 << 26


@dataclass(frozen=True)
class Drive:
    """A drive of a camera. Sizes are in bytes."""

    cluster: int
    """Smallest unit of space. Every file occupies a whole number of clusters."""
    free: int


@dataclass(frozen=True)
class RomFileState:
    """A file in ROMFS. Positions are counted in bytes from the start of the ROMFS partition."""

    record: int
    """Position of the file's record, which consists of a header, the file's name and the file's contents."""
    offset: int
    """Position of the file's contents."""
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Rom:
    """The ROMFS partition. Sizes are in bytes."""

    size: int
    ranges: bool
    """True if an erase can start at any block of the partition. False if every erase must start at the first block."""
    used: int
    """Length of the ROMFS image at the partition's beginning, or 0 if there is no ROMFS image."""
    header: int
    """Length of the image's header, which `used` includes."""
    sha256: str
    """Hash of the files in the ROMFS image (`contents_sha256`). If `files` is None, this is the hash of the partition's
    first 4096 bytes, or "" if the partition is erased."""
    files: dict[str, RomFileState] | None
    """Files of the image, or None if the image is missing or damaged. If two files have the same path, only
    the first one is listed, because the camera uses only the first one."""
    behind: tuple[int, ...]
    """Positions of records that an earlier ROMFS image has left after the present image."""
    blank: int
    """Position where erased flash begins, after the ROMFS image and the records in `behind`."""
    room: int
    """Length of the erased flash from `blank` on. The camera counts only up to a limit that the PC has set, so
    the erased part may be longer."""


def contents_sha256(files: Mapping[str, tuple[int, str]]) -> str:
    """Return one sha256 for the paths, sizes and hashes of all files in ROMFS. The result does not depend on the
    files' positions."""
    return hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()


@dataclass(frozen=True)
class State:
    """A camera's report about its own state."""

    version: str
    board: Board
    id: str
    """Serial number in hexadecimal digits."""
    start: str
    """Drive from which the camera runs main.py: "/sdcard" if an SD card is inserted, else "/flash"."""
    drives: dict[str, Drive]
    files: dict[str, str]
    """The sha256 of each requested file, by the file's path. Files that do not exist have no entry."""
    sizes: dict[str, int] = field(repr=False)
    """Sizes of the same files in bytes."""
    rom: Rom | None
    """ROMFS partition, or None if the firmware has no ROMFS."""
    card: str = ""
    """Number of the inserted SD card, or "" if no card is inserted. A card without a number gets a new number."""

    def sha256(self, path: str) -> str | None:
        """Return the sha256 of a file, or None if no file exists at the path."""
        if path == ROM:
            return (self.rom.sha256 or None) if self.rom else None
        return self.files.get(path)


def read_state(answer: Mapping[str, Any], names: Collection[str]) -> State:
    """Check a camera's report. `names` are the names of the files that the PC has asked for. Raises ValueError if the
    report is not the report of an OpenMV camera. Raises BlazePoserError if the firmware is older than 5.0, or the board
    is unknown."""
    version = _text(answer.get("version"), _VERSION)
    if int(version.partition(".")[0]) < 5:
        raise BlazePoserError(
            f"the camera has firmware {version}, but BlazePoser needs OpenMV 5.0 or later: update it with OpenMV IDE"
        )
    start = _text(answer.get("start"))
    drives = {path: _drive(values) for path, values in _table(answer.get("drives")).items()}
    if start not in drives or not drives.keys() <= set(DRIVES):
        raise ValueError
    allowed = {f"{drive}/{name}" for drive in drives for name in names}
    found = {path: _file(values) for path, values in _table(answer.get("files")).items()}
    if not found.keys() <= allowed:
        raise ValueError
    rom = answer.get("rom")
    return State(
        version=version,
        board=boards.with_firmware(boards.find(_text(answer.get("arch"))), version),
        id=_text(answer.get("id"), _ID),
        start=start,
        drives=drives,
        files={path: digest for path, (_, digest) in found.items()},
        sizes={path: size for path, (size, _) in found.items()},
        rom=None if rom is None else _rom(_table(rom)),
        card=_card(_text(answer.get("card"))) if "/sdcard" in drives else "",
    )


def read_self_test(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checked values of a self-test. Raises ValueError."""
    equal, total, largest = (_number(answer.get(name), _PARTITION) for name in ("equal", "bytes", "largest"))
    faces, expected = answer.get("faces"), answer.get("expected")
    if equal > total or not isinstance(faces, list) or not isinstance(expected, list):
        raise ValueError
    passed = answer.get("passed") is True
    return {"equal": equal, "bytes": total, "largest": largest, "faces": faces, "expected": expected, "passed": passed}


def _drive(values: Any) -> Drive:
    cluster, free = _list(values, 2)
    size = _number(cluster, 1 << 20, least=1)
    return Drive(size, size * _number(free, _LARGEST // size))


def _file(values: Any) -> tuple[int, str]:
    size, digest = _list(values, 2)
    return _number(size, _LARGEST), _text(digest, SHA256)


def _rom(answer: Mapping[str, Any]) -> Rom:
    size = _number(answer.get("size"), _PARTITION)
    used = _number(answer.get("used"), size)
    digest, files = _text(answer.get("sha256")), None
    if digest and not SHA256.fullmatch(digest):
        raise ValueError
    if answer.get("files") is not None:
        files = {}
        for path, values in _table(answer["files"]).items():
            record, offset, length, of_file = _list(values, 4)
            romfs.check_path(path)
            at = _number(offset, used)
            files[path] = RomFileState(_number(record, at), at, _number(length, used - at), _text(of_file, SHA256))
        digest = contents_sha256({path: (file.bytes, file.sha256) for path, file in files.items()})
    blank = _number(answer.get("blank"), size)
    behind = answer.get("behind")
    if not isinstance(behind, list):
        raise ValueError
    return Rom(
        size=size,
        ranges=answer.get("ranges") is True,
        used=used,
        header=_number(answer.get("header"), used),
        sha256=digest,
        files=files,
        behind=tuple(_number(place, blank) for place in behind),
        blank=blank,
        room=_number(answer.get("room"), size - blank),
    )


def _card(mark: str) -> str:
    return mark if re.fullmatch("[0-9a-f]{32}", mark) else secrets.token_hex(16)


def _text(value: Any, pattern: re.Pattern[str] = re.compile(r"[ -~]{0,80}")) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError
    return value


def _number(value: Any, most: int, least: int = 0) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError
    return value


def _list(value: Any, length: int) -> list[Any]:
    if not isinstance(value, list) or len(value) != length:
        raise ValueError
    return value


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError
    return value
