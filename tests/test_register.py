"""The register of virtual cameras is the user's own: nobody else can enter a camera there."""

import json
import os
import tempfile
from pathlib import Path

import platformdirs
import pytest

from blazeposer.core.errors import BlazePoserError
from blazeposer.openmv import ports, register

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows keeps each user's folders apart by itself")

ENTRY = {"port": "socket://127.0.0.1:1", "board": "", "process": os.getpid()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The register's folder, which is not there yet."""
    monkeypatch.setenv(register.RUNTIME, str(tmp_path))
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    return tmp_path / register.CAMERAS


def test_a_camera_is_entered_and_struck_off(folder: Path) -> None:
    register.add("12ab", "here")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert register.running() == {"12ab": ("here", "")}
    register.remove("12ab")
    assert register.running() == {}
    assert list(folder.iterdir()) == []


def test_the_shared_temporary_folder_is_not_believed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There anybody can make the folder first."""
    monkeypatch.setattr(tempfile, "tempdir", str(folder.parent))
    shared = folder.parent / f"blazeposer-cameras-{os.getuid()}"
    shared.mkdir()
    (shared / "12ab.json").write_text(json.dumps(ENTRY))
    assert ports.cameras() == []


def test_the_user_has_a_runtime_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(register.RUNTIME, raising=False)
    monkeypatch.setattr(platformdirs, "user_runtime_path", lambda *_, **__: tmp_path / "run")
    register.add("12ab", "here")
    assert (tmp_path / "run" / register.CAMERAS / "12ab.json").exists()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write(folder: Path, mode: int) -> None:
    folder.mkdir(parents=True)
    folder.chmod(mode)
    (folder / "12ab.json").write_text(json.dumps(ENTRY))
    assert ports.cameras() == []
    with pytest.raises(BlazePoserError, match=f"{folder}.*remove it"):
        register.add("34cd", "here")


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root gives files away")
def test_a_folder_of_another_user(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
    (folder / "12ab.json").write_text(json.dumps(ENTRY))
    os.chown(folder, 12345, 12345)
    assert ports.cameras() == []
    with pytest.raises(BlazePoserError, match="other users can access this folder"):
        register.add("34cd", "here")


def test_a_link_to_a_folder(folder: Path) -> None:
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir(mode=0o700)
    (elsewhere / "12ab.json").write_text(json.dumps(ENTRY))
    folder.symlink_to(elsewhere)
    assert ports.cameras() == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", "[" * 100_000, '{"port": "x"}', '{"port": "x", "board": "", "process": "all"}',
     '{"port": 3, "board": "", "process": 1}', '{"port": "x", "board": 2, "process": 1}',
     '{"port": "x", "board": "", "process": -1}', '{"port": "x", "board": "", "process": 1e999}'],
)  # fmt: skip
def test_an_entry_that_is_none(folder: Path, text: str) -> None:
    register.add("12ab", "here")
    (folder / "34cd.json").write_text(text)
    assert register.running() == {"12ab": ("here", "")}
