"""Test the distribution's requirements and content."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

import blazeposer
from blazeposer.core import errors, resources
from blazeposer.evaluate.validate import golden
from conftest import CommandLine

ROOT = Path(__file__).parents[1]

# What any Linux system with a Python has: the C and C++ runtimes and zlib.
SYSTEM_LIBRARIES = {"ld-linux", "libc", "libdl", "libgcc_s", "libm", "libpthread", "librt", "libstdc++", "libz"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere OpenCV's wheels need nothing from the system")
def test_opencv_needs_no_desktop_libraries() -> None:
    """The build with windows pulls libGL, libglib and libxcb from the system, which a server or container lacks."""
    code = (
        "import numpy; before = set(open('/proc/self/maps')); import cv2; print(cv2.__file__);"
        "print(*sorted({line.split()[-1] for line in set(open('/proc/self/maps')) - before if '.so' in line}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    extension, loaded = run.stdout.splitlines()
    packages = Path(extension).resolve().parents[1]
    foreign = {Path(path) for path in loaded.split() if not Path(path).is_relative_to(packages)}
    names = {re.split(r"[-.]\d*", path.name)[0] if "ld-" not in path.name else "ld-linux" for path in foreign}
    python = {name for name in names if name.startswith(("libpython", "libffi", "_"))}  # Python's own modules
    assert any("cv2" in path for path in loaded.split())
    assert names - python <= SYSTEM_LIBRARIES


def test_base_dependencies_are_few_and_without_windows(project: dict[str, Any]) -> None:
    names = {re.split(r"[<>=~!;\[ ]", line)[0] for line in project["dependencies"]}
    expected = {
        "ai-edge-litert", "click", "filelock", "flatbuffers", "mpremote", "numpy", "opencv-python-headless",
        "openmv-ota", "platformdirs", "pyserial", "rich",
    }  # fmt: skip
    assert names == expected


def test_linux_only_wheels_are_marked(project: dict[str, Any]) -> None:
    marker = "; sys_platform == 'linux' and platform_machine == 'x86_64'"
    assert all(line.endswith(marker) for line in project["optional-dependencies"]["demo"])


def test_tools_are_pinned_once(project: dict[str, Any]) -> None:
    pinned = [line for line in project["optional-dependencies"]["dev"] if re.fullmatch(r"(ruff|mypy)==[\d.]+", line)]
    assert len(pinned) == 2


def test_a_checkout_finds_board_and_models() -> None:
    assert resources.board_dir() == ROOT / "board"
    assert resources.models_dir() == ROOT / "models"
    assert resources.default_model().is_file()


def test_a_wheel_carries_board_models_and_assets(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    for folder in ("board", "models"):
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and file.suffix != ".pyc":
                assert f"blazeposer/data/{file.relative_to(ROOT).as_posix()}" in inside
    for package in ("host/blazeposer", "training/blazeposer_training"):
        for file in (ROOT / package).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert file.relative_to((ROOT / package).parent).as_posix() in inside
    assert not {name for name in inside if name.startswith("tests/") or name.endswith(".pyc")}
    licences = {name.split("/licenses/")[1] for name in inside if "/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE", "models/LICENSE"}


def test_the_changes_name_the_versions_that_ship() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {blazeposer.__version__}\n" in changes
    network = resources.model_version()
    assert f"`{network}`" in changes, "run `blazeposer figures CHANGELOG.md`"


def test_an_unpacked_wheel_finds_its_own_files(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "from blazeposer.core.resources import *; print(board_dir(), default_model(), default_model().is_file())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
    )
    home = tmp_path / "blazeposer" / "data"
    assert run.stdout.split() == [str(home / "board"), str(home / "models" / "blazeposer.tflite"), "True"]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a new environment that holds the wheel and what pip brings with it, nothing else."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    install = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", str(wheel)]
    run = subprocess.run(install, capture_output=True, text=True, check=False)
    if "NewConnectionError" in run.stderr or "Temporary failure" in run.stderr:
        pytest.skip("no package index can be reached")
    assert run.returncode == 0, run.stderr
    return python


def run_installed(python: Path, folder: Path, *arguments: str | Path) -> str:
    """Return what a command in the new environment prints, run in a folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    run = subprocess.run([python, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.mark.slow
def test_the_page_from_python_works_in_an_empty_environment(
    installed: Path, tmp_path: Path, portrait_path: Path
) -> None:
    """Its five lines; and a type checker, which knows nothing but what is installed, takes all its scripts."""
    shutil.copy(portrait_path, tmp_path / "photo.jpg")
    for name in ("photo.py", "video.py", "read.py"):
        shutil.copy(ROOT / "docs" / "scripts" / name, tmp_path)
    line = run_installed(installed, tmp_path, "photo.py")
    box, *numbers = re.findall(r"\(.*?\)|-?[\d.]+", line)
    assert box.count(",") == 3
    assert len(numbers) == 5
    check = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--python-executable", str(installed), "."]
    run = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


@pytest.mark.slow
def test_commands_write_nothing_into_the_installation(installed: Path, tmp_path: Path, portrait_path: Path) -> None:
    site = next(installed.parents[1].rglob("site-packages"))
    before = {path: path.stat().st_mtime_ns for path in site.rglob("*") if path.suffix != ".pyc" and path.is_file()}
    for command in (["detect", portrait_path, "--output", "seen.jpg"], ["check"], ["inspect"], ["package"]):
        run_installed(installed, tmp_path, "-m", "blazeposer", *command)
    after = {path: path.stat().st_mtime_ns for path in site.rglob("*") if path.suffix != ".pyc" and path.is_file()}
    assert after == before


def test_networks_of_an_installation_stay_as_they_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model_path: Path, blazeposer_command: CommandLine
) -> None:
    """New networks go into the current folder, and nothing is written beside those that came along."""
    shutil.copytree(model_path.parent, tmp_path / "data" / "models")
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path)
    monkeypatch.setattr(resources, "_ROOTS", (tmp_path / "data",))
    assert resources.output_models_dir() == Path("models")
    for command in ("evaluate", "compare-detection"):
        run = blazeposer_command(command, "--record")
        assert run.status == 1
        assert "cannot be changed: copy its folder, and use the copy" in run.err
    with pytest.raises(errors.ModelError, match="copy its folder"):
        golden.write_beside(resources.default_model())


def test_the_page_of_a_package_index_shows_no_broken_image(wheel: Path) -> None:
    """The README's images and links are files of the repository, which has no known address yet."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        head, _, page = archive.read(name).decode().partition("\n\n")
    assert "Author: BlazePoser contributors" in head
    assert page.startswith("# BlazePoser\n")
    assert re.findall(r"\]\((?!https?:|#)", page) == []


def test_a_broken_installation_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resources, "_ROOTS", (tmp_path,))
    with pytest.raises(errors.BlazePoserError, match="reinstall blazeposer"):
        resources.board_dir()
