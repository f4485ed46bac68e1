"""`make m7` needs programs that few machines have: what it says without them, and what its checks do not let pass."""

import shutil
from pathlib import Path

import pytest

from blazeposer.core.decode import decode
from blazeposer.core.errors import BlazePoserError
from m7 import emulation
from m7.results import WINDOW, check_main, check_own
from outputs import QUANTIZATION, dequantized, synthetic_outputs

FRAMES = [synthetic_outputs(seed, faces=1 + seed % 3) for seed in range(4)]


@pytest.fixture
def _everything_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda command: f"/usr/bin/{command}")
    monkeypatch.delenv("MICROPYTHON", raising=False)


@pytest.mark.parametrize(
    ("command", "package"),
    [("qemu-system-arm", "qemu-system-arm"), ("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi")],
)
def test_missing_program_is_one_line_with_its_package(
    command: str, package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == command else f"/usr/bin/{name}")
    assert emulation.main([]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"apt-get install {package}")


@pytest.mark.usefixtures("_everything_installed")
@pytest.mark.parametrize("version", [None, (1, 19)])
def test_missing_or_old_source_is_one_line(
    version: tuple[int, int] | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if version:
        (tmp_path / "py").mkdir()
        major, minor = version
        text = f"#define MICROPY_VERSION_MAJOR {major}\n#define MICROPY_VERSION_MINOR {minor}\n"
        (tmp_path / "py" / "mpconfig.h").write_text(text)
    assert emulation.main([str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path) in line
    assert "apt-get source micropython" in line


@pytest.mark.usefixtures("_everything_installed")
def test_build_that_fails_names_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "source"
    (source / "py").mkdir(parents=True)
    text = "#define MICROPY_VERSION_MAJOR 1\n#define MICROPY_VERSION_MINOR 26\n"
    (source / "py" / "mpconfig.h").write_text(text)
    monkeypatch.setattr(emulation, "BUILD", tmp_path / "build")
    assert emulation.main([str(source)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    log = Path(line.rsplit(" ", 1)[-1])
    assert log.is_file()
    assert log.parent == tmp_path / "build"


def _printed() -> list[str]:
    """Return the output of firmware/own.py for a board that decodes as the host."""
    lines = []
    for frame in FRAMES:
        lines.append("frame")
        for face in decode(dequantized(frame)):
            seen = face.moved(0, 0, WINDOW, WINDOW)
            points = list(seen.keypoints)
            values = (tuple(map(float, seen.box)), seen.score, points, tuple(map(float, seen.angles)), seen.err)
            lines.append(", ".join(map(str, ("face", *values))))
    return lines


def test_faces_of_the_host_are_counted() -> None:
    lines = _printed()
    assert check_own(["heap after import 1", *lines], FRAMES, QUANTIZATION) == len(lines) - len(FRAMES) > len(FRAMES)


def test_a_face_that_is_off_or_missing_is_an_error() -> None:
    lines = _printed()
    place = next(i for i, line in enumerate(lines) if line.startswith("face"))
    shifted = lines[place].replace("face, (", "face, (1", 1)
    for wrong in ([*lines[:place], shifted, *lines[place + 1 :]], [*lines[:place], *lines[place + 1 :]]):
        with pytest.raises(BlazePoserError, match="frame 0"):
            check_own(wrong, FRAMES, QUANTIZATION)


def test_a_run_that_printed_too_few_frames_is_an_error() -> None:
    with pytest.raises(BlazePoserError, match="0 of 4 frames"):
        check_main([], FRAMES, QUANTIZATION, smooth=False)
    with pytest.raises(BlazePoserError, match="0 of 4 frames"):
        check_own([], FRAMES, QUANTIZATION)
