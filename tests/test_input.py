"""Input as people have it: every kind of file, names of every kind, films with odd clocks, streams, full disks."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from blazeposer.commands.camera import frames_of
from blazeposer.core.prepare import Image
from blazeposer.media.output import VideoWriter, write_image
from blazeposer.media.sources import open_source, read_image
from blazeposer.stream.record import Record, parse_line
from conftest import CommandLine
from waiting import HANG

NOT_UTF8 = os.fsdecode(b"caf\xe9")
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names and no such streams")


@pytest.fixture(scope="module")
def head(portrait: Image) -> Image:
    """A head, whose face has 45 pixels; small, as the tests find many."""
    return cv2.resize(portrait[:300, 80:380], (150, 150), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def records_of(printed: str) -> list[Record]:
    return [record for line in printed.splitlines() if (record := parse_line(line))]


def run_apart(*arguments: str | Path, **streams: object) -> subprocess.CompletedProcess[bytes]:
    """Run `blazeposer` as a shell does, with streams of its own."""
    command = [sys.executable, "-m", "blazeposer", *map(str, arguments)]
    return subprocess.run(command, **({"stdout": -1, "stderr": -1} | streams), timeout=HANG, check=False)  # type: ignore[call-overload]


def make_folder_of_everything(folder: Path, head: Image) -> dict[str, list[str]]:
    """Fill a folder with 60 files; return their names by what becomes of them: read, failed, left out."""
    made: dict[str, list[str]] = {"read": [], "failed": [], "left out": []}
    for suffix in [
        ".jpg",
        ".JPEG",
        ".jpe",
        ".png",
        ".PNG",
        ".bmp",
        ".webp",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".jp2",
        ".avif",
    ]:
        for name in ("same", "photo 1", "顔"):
            coded = cv2.imencode(suffix.lower(), head[..., ::-1] if suffix != ".pgm" else head[..., 0])[1].tobytes()
            (folder / f"{name}{suffix}").write_bytes(coded)
            made["read"].append(f"{name}{suffix}")
    jpeg = cv2.imencode(".jpg", head[..., ::-1])[1].tobytes()
    for name in ("saved.jfif", f"{NOT_UTF8}.jpg", f"{NOT_UTF8}.jfif"):
        (folder / name).write_bytes(jpeg)
        made["read"].append(name)
    write_image(folder / "wide.png", np.full((20, 70_000, 3), 90, np.uint8))
    made["read"].append("wide.png")
    for number, data in enumerate((b"", b"text", jpeg[:300], b"\x89PNG\r\n\x1a\n", b"ftypheic")):
        for suffix in (".jpg",) if number else (".png", ".heic"):
            (folder / f"damaged{number}{suffix}").write_bytes(data)
            made["failed"].append(f"damaged{number}{suffix}")
    while sum(map(len, made.values())) < 60:
        name = f"note{len(made['left out']):02}.txt"
        (folder / name).write_text("not a picture")
        made["left out"].append(name)
    return made


@posix
def test_every_file_of_a_folder_is_accounted_for(blazeposer_command: CommandLine, head: Image, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    made = make_folder_of_everything(folder, head)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert len(before) == 60
    run = blazeposer_command("detect", folder, "--json", "--output", out)
    assert run.status == 1
    records = records_of(run.out)
    assert sorted(record.source for record in records) == sorted(made["read"])
    assert all(len(record.faces) == (record.source != "wide.png") for record in records)
    *complaints, summary, wrote = run.err.splitlines()
    assert len(complaints) == len(made["failed"])
    assert all(any(name in line for line in complaints) for name in made["failed"])
    pictures = len(made["read"]) + len(made["failed"])
    assert f"{pictures} images, {len(made['read']) - 1} with faces, {len(made['failed'])} failed" in summary
    assert f"{len(made['left out'])} other files left out: note00.txt" in summary
    assert wrote.endswith(f" and {len(made['read']) - 1} more files")
    assert len(list(out.iterdir())) == len(made["read"])
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_outputs_are_not_written_over_one_another(blazeposer_command: CommandLine, head: Image, tmp_path: Path) -> None:
    for name in ("a/same.webp", "a/same.png", "b/same.png", "b/SAME.PNG"):
        write_image(tmp_path / name, head)
    run = blazeposer_command("detect", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "out")
    assert run.status == 0
    written = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert len({name.casefold() for name in written}) == len(written) == len(list((tmp_path / "b").iterdir())) + 2


def test_several_files_and_a_glob(blazeposer_command: CommandLine, head: Image, tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.jpg"):
        write_image(tmp_path / name, head)
    with VideoWriter(tmp_path / "clip.mp4", 10.0) as video:
        video.write(head)
    run = blazeposer_command("detect", tmp_path / "*.png", tmp_path / "c.jpg", tmp_path / "clip.mp4", "--json")
    assert run.status == 0
    sources = [record.source for record in records_of(run.out)]
    assert sources == [str(tmp_path / "a.png"), str(tmp_path / "b.png"), str(tmp_path / "c.jpg"), "clip.mp4"]


@posix
def test_a_video_whose_name_is_not_utf8(head: Image, tmp_path: Path) -> None:
    """The command runs in a process of its own, because the name used to end the process."""
    with VideoWriter(tmp_path / "clip.mp4", 10.0) as video:
        video.write(head)
    clip = (tmp_path / "clip.mp4").rename(tmp_path / f"{NOT_UTF8}.mp4")
    run = run_apart("detect", clip, "--output", tmp_path / "out")
    assert (run.returncode, run.stdout.count(b"face at")) == (0, 1), run.stderr
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["caf_.mp4"]


def test_heic(
    portrait: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blazeposer_command: CommandLine
) -> None:
    heif = pytest.importorskip("pillow_heif", reason="the extra `heic` is not installed")
    path = tmp_path / "phone.HEIC"
    heif.from_bytes("RGB", (512, 512), portrait.tobytes()).save(path)
    assert np.abs(read_image(path).astype(int) - portrait).mean() < 4
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    run = blazeposer_command("detect", path)
    assert run == (1, "", "blazeposer: pillow_heif is not installed: run `pip install 'blazeposer[heic]'`\n")


def test_avif_of_pillow_is_upright(tmp_path: Path, head: Image) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    for orientation in range(1, 9):
        exif = pillow.Exif()
        exif[0x112] = orientation
        marked = head.copy()
        marked[:40, :70] = (255, 0, 0)
        for name in ("a.avif", "a.jpg"):
            pillow.fromarray(marked[:, :120]).save(tmp_path / name, exif=exif.tobytes(), quality=95)
        avif, jpeg = read_image(tmp_path / "a.avif"), read_image(tmp_path / "a.jpg")
        assert avif.shape == jpeg.shape
        assert np.abs(avif.astype(int) - jpeg).mean() < 12


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [("a.jpg", (70_000, 20), ".jpg cannot hold"), ("a.pgm", (40, 30), ".pgm cannot hold")],
)
def test_what_a_format_cannot_hold_is_one_line(
    blazeposer_command: CommandLine, tmp_path: Path, name: str, size: tuple[int, int], words: str
) -> None:
    write_image(tmp_path / "in.png", np.full((*size[::-1], 3), 90, np.uint8))
    run = blazeposer_command("detect", tmp_path / "in.png", "--output", tmp_path / name)
    assert run.status == 1
    assert run.err.count("\n") == 1
    assert words in run.err


# Streams.


@pytest.mark.parametrize(
    "address", ["rtsp://admin:s3cret@127.0.0.1:1/live?token=s3cret", "http://u:s3cret@127.0.0.1:1/"]
)
@pytest.mark.parametrize("command", ["detect", "watch"])
def test_no_password_of_a_stream_is_printed(
    blazeposer_command: CommandLine, monkeypatch: pytest.MonkeyPatch, address: str, command: str
) -> None:
    asked = []

    class Capture:
        def __init__(self, source: object) -> None:
            asked.append(source)
            os.write(2, str(source).encode())  # as FFmpeg does

        def read(self) -> tuple[bool, None]:
            return False, None

        def get(self, _: int) -> float:
            return 0.0

        def release(self) -> None:
            pass

    monkeypatch.setattr("cv2.VideoCapture", Capture)
    run = blazeposer_command(command, *(["--source"] if command == "watch" else []), address)
    assert asked == [address]
    assert run.status == 1
    assert "127.0.0.1:1/" in run.err
    assert "check address, user and password" in run.err
    assert "s3cret" not in run.out + run.err


# Films.


def test_time_is_the_film_s_own(
    blazeposer_command: CommandLine, head: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0, 40.0, 80.0, 580.0, 1080.0]

    class Film:
        """Five frames of a variable rate; the container says 10 a second."""

        def __init__(self, _: object) -> None:
            self.number = -1

        def read(self) -> tuple[bool, Image | None]:
            self.number += 1
            return (True, head) if self.number < len(clock) else (False, None)

        def get(self, what: int) -> float:
            return {cv2.CAP_PROP_POS_MSEC: clock[min(self.number, 4)], cv2.CAP_PROP_FPS: 10.0}.get(what, 5.0)

        def release(self) -> None:
            pass

    (tmp_path / "film.mp4").touch()
    monkeypatch.setattr("cv2.VideoCapture", Film)
    run = blazeposer_command("detect", tmp_path / "film.mp4", "--json")
    assert [record.t_ms for record in records_of(run.out)] == [0, 40, 80, 580, 1080]
    run = blazeposer_command("watch", "--source", tmp_path / "film.mp4", "--record", tmp_path / "film.jsonl")
    assert run.status == 0
    seen = records_of((tmp_path / "film.jsonl").read_text())
    assert {record.seq: record.t_ms for record in seen}.items() <= dict(enumerate([0, 40, 80, 580, 1080])).items()
    lost = 5 - len(seen)
    assert f"{len(seen)} records, {lost} lost" in run.out


def test_a_film_that_is_cut_off_is_told(blazeposer_command: CommandLine, portrait: Image, tmp_path: Path) -> None:
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (512, 512))
    for _ in range(20):
        writer.write(portrait)
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = open_source(str(path))
    run = blazeposer_command("detect", path, "--json", "--output", tmp_path / "out")
    records = records_of(run.out)
    assert 0 < len(records) < (source.total or 0) == 20
    assert run.status == 1
    assert f"film.avi: ends after {len(records)} of 20 frames" in run.err
    assert (tmp_path / "out" / "film.mp4").stat().st_size
    played = frames_of(str(path))  # the virtual camera plays what there is, again and again
    assert callable(played)
    assert all(played(number).shape == portrait.shape for number in range(2 * len(records) + 1))


# Where what is printed goes.


@posix
@pytest.mark.parametrize("redirected", [">&-", "2>&-", ">&- 2>&-", "> /dev/full", "2> /dev/full", "> /dev/full 2>&1"])
def test_streams_that_are_closed_or_full(tmp_path: Path, head: Image, redirected: str) -> None:
    write_image(tmp_path / "a.png", head)
    command = f"'{sys.executable}' -m blazeposer detect a.png -o b.png {redirected}"
    run = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=HANG, check=False)
    is_full = redirected.startswith("> /dev/full")
    assert "Traceback" not in run.stdout + run.stderr
    assert run.returncode == (1 if is_full or redirected == "2> /dev/full" else 0)
    if redirected == "> /dev/full":
        assert run.stderr.splitlines()[-1].startswith("blazeposer: cannot write the output")
    if not is_full:
        assert read_image(tmp_path / "b.png").shape == head.shape


def test_names_that_the_code_page_of_a_file_lacks(tmp_path: Path, head: Image) -> None:
    write_image(tmp_path / "顔.png", head)
    run = run_apart("detect", tmp_path / "顔.png", env={**os.environ, "PYTHONIOENCODING": "cp1252"})
    assert (run.returncode, run.stderr) == (0, b"")
    assert run.stdout.startswith(b"\\u9854.png: face at")


def test_help_by_its_short_name(blazeposer_command: CommandLine) -> None:
    for arguments in (("-h",), ("detect", "-h")):
        run = blazeposer_command(*arguments)
        assert run.status == 0
        assert "--help" in run.out
