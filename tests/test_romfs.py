"""ROMFS images: what `openmv-ota` says of them, what a camera makes of them, and what a merge keeps."""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from blazeposer.core.boards import BOARDS, Board, find
from blazeposer.core.errors import BlazePoserError
from blazeposer.deploy.bundle import IMAGE, MODEL, make
from blazeposer.openmv import flash, romfs
from deploying import STOCK

H7 = find("h7")
BOARD_NAMES = {
    "h7": "OPENMV4", "h7plus": "OPENMV4P", "nicla": "ARDUINO_NICLA_VISION", "puretherm": "OPENMVPT",
    "rt1062": "OPENMV_RT1060", "portenta": "ARDUINO_PORTENTA_H7", "giga": "ARDUINO_GIGA", "ae3": "OPENMV_AE3",
    "n6": "OPENMV_N6",
}  # fmt: skip
"""Name of each board in `openmv-ota`."""


def openmv_ota(*arguments: object) -> subprocess.CompletedProcess[str]:
    code = "import sys; from openmv_ota.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "romfs", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.key)
def test_openmv_ota_accepts_the_image_of_every_board(board: Board, model_path: Path, tmp_path: Path) -> None:
    """`openmv-ota romfs verify -b` checks parsing and alignment by its own table. An N6's model is not ours to make:
    a plain one stands for it."""
    image = tmp_path / IMAGE
    merged, dropped = romfs.merge(STOCK, {MODEL: model_path.read_bytes()}, board)
    image.write_bytes(merged)
    assert dropped == [] or board.key == "h7"
    run = openmv_ota("verify", "-b", BOARD_NAMES[board.key], image)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.key)
def test_store_and_alignment_are_those_of_openmv_ota(board: Board) -> None:
    """PyPI openmv-ota, data/boards.json."""
    table = json.loads(files("openmv_ota").joinpath("data/boards.json").read_text())["boards"]
    partition = table[BOARD_NAMES[board.key]]["partitions"][0]
    assert partition["size"] == board.romfs
    assert partition["erase_size"] == flash.of(board).block
    rules = {rule["extension"]: rule["alignment"] for rule in partition["alignment_rules"]}
    assert rules["tflite"] == board.romfs_align
    assert set(rules) <= set(romfs.ALIGNED)


def test_bundle_image_is_for_every_board_without_an_npu(model_path: Path, tmp_path: Path) -> None:
    image = tmp_path / IMAGE
    image.write_bytes(make(model_path).files[IMAGE])
    for board in BOARDS:
        run = openmv_ota("verify", "-b", BOARD_NAMES[board.key], image)
        assert run.returncode == 0, run.stdout + run.stderr


def test_shipped_model_fits_the_smallest_store(model_path: Path) -> None:
    """openmv v5.0, boards/OPENMV4/board_config.h: OMV_ROMFS_PART0_LENGTH is 128 KB."""
    image, dropped = romfs.merge({}, {MODEL: model_path.read_bytes()}, H7)
    assert H7.romfs == 131_072
    assert len(image) <= H7.romfs
    assert dropped == []


def test_what_mpremote_builds_is_not_aligned(model_path: Path, tmp_path: Path) -> None:
    """mpremote 1.29, romfs.py has no alignment: why images are packed by openmv-ota."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / MODEL).write_bytes(model_path.read_bytes())
    (tmp_path / "files" / "a.txt").write_text("before it")
    image = tmp_path / "its.romfs"
    command = [sys.executable, "-m", "mpremote", "romfs", "--no-mpy", "-o", image, "build", tmp_path / "files"]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    assert romfs.read(image.read_bytes())[MODEL].offset % H7.romfs_align
    assert openmv_ota("verify", "-b", "OPENMV4", image).returncode


def test_read_is_the_inverse_of_pack() -> None:
    image = romfs.pack({**STOCK, MODEL: b"model" * 100}, 32)
    found = romfs.read(image)
    assert {path: file.data for path, file in found.items()} == {**STOCK, MODEL: b"model" * 100}
    assert all(image[file.offset :].startswith(file.data) for file in found.values())
    assert found[MODEL].offset % 32 == 0
    assert romfs.stated_length(image + b"\xff" * 99) == len(image)


def test_pack_does_not_leave_the_image() -> None:
    with pytest.raises(ValueError, match="is no path of a file"):
        romfs.pack({"../outside": b""}, 16)


def test_merge_replaces_and_keeps() -> None:
    image, dropped = romfs.merge({**STOCK, MODEL: b"old"}, {MODEL: b"new"}, find("nicla"))
    assert dropped == []
    assert {path: file.data for path, file in romfs.read(image).items()} == {**STOCK, MODEL: b"new"}


def test_merge_lets_the_largest_go_until_it_fits() -> None:
    old = {"a": bytes(60_000), "b": bytes(40_000), "c": bytes(20_000), "d": bytes(1_000)}
    image, dropped = romfs.merge(old, {MODEL: bytes(100_000)}, H7)
    assert dropped == ["a", "b"]
    assert set(romfs.read(image)) == {"c", "d", MODEL}
    assert len(image) <= H7.romfs


def test_too_large_for_the_store() -> None:
    with pytest.raises(BlazePoserError, match=r"131,072 bytes for models.* --to sdcard"):
        romfs.merge(STOCK, {MODEL: bytes(131_072)}, H7)


@pytest.mark.parametrize("image", [b"", b"\xff" * 4096, b"\xd2\xcd\x31" + b"\xff" * 200, b"not one"])
def test_what_is_no_image(image: bytes) -> None:
    with pytest.raises(ValueError, match=r"image|magic|integer"):
        romfs.read(image)
