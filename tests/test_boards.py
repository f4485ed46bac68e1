"""The table of boards: what tells them apart, and where its figures come from."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from openmv_ota.romfs.builder import build_image

from blazeposer.core.boards import BOARDS, OLD_USB_ID, Board, find
from blazeposer.core.contract import MAX_ARENA_BYTES, MAX_FILE_BYTES
from blazeposer.core.errors import BlazePoserError
from blazeposer.tflite.check import ROMFS_BYTES

PACKED_NAMES = {
    "h7": "OPENMV4", "h7plus": "OPENMV4P", "nicla": "ARDUINO_NICLA_VISION", "puretherm": "OPENMVPT",
    "rt1062": "OPENMV_RT1060", "portenta": "ARDUINO_PORTENTA_H7", "giga": "ARDUINO_GIGA", "ae3": "OPENMV_AE3",
    "n6": "OPENMV_N6",
}  # fmt: skip
"""Our keys -> openmv-ota's."""


@pytest.fixture(scope="module")
def packed() -> dict[str, Any]:
    """boards.json of PyPI's `openmv-ota`, OpenMV's own."""
    boards = json.loads((files("openmv_ota") / "data" / "boards.json").read_text())["boards"]
    assert isinstance(boards, dict)
    return boards


def test_boards_can_be_told_apart() -> None:
    for values in ([board.key for board in BOARDS], [board.omv_arch for board in BOARDS]):
        assert len(set(values)) == len(values) == 9
    ids = [usb_id for board in BOARDS for usb_id in board.usb_ids] + [OLD_USB_ID]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.key)
def test_a_board_is_found_by_key_name_and_answer(board: Board) -> None:
    for name in (board.key, board.key.upper(), board.name, board.omv_arch):
        assert find(name) is board


def test_an_unknown_board_is_one_line_with_all_keys() -> None:
    with pytest.raises(BlazePoserError, match=r"no board 'm4': use one of h7, h7plus, nicla, .*, n6") as caught:
        find("m4")
    assert "\n" not in str(caught.value)


def test_the_contract_s_limits_are_the_smallest_board_s() -> None:
    assert min(board.arena for board in BOARDS) == MAX_ARENA_BYTES
    assert min(board.romfs for board in BOARDS) >= MAX_FILE_BYTES + ROMFS_BYTES


@pytest.mark.parametrize("alignment", sorted({board.romfs_align for board in BOARDS}))
@pytest.mark.parametrize("size", [1, 125_000, 5_000_001])
def test_an_image_of_one_model_is_hardly_larger_than_the_model(tmp_path: Path, alignment: int, size: int) -> None:
    """As `openmv-ota romfs pack` packs it, with a long name."""
    (tmp_path / "a_rather_long_name_of_a_model.tflite").write_bytes(b"\7" * size)
    image = build_image(str(tmp_path), [{"extension": "tflite", "alignment": alignment}])
    assert size < len(image) <= size + ROMFS_BYTES


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.key)
def test_openmv_s_own_table_says_the_same(packed: dict[str, Any], board: Board) -> None:
    """Sizes, alignments, USB ids and answers of `omv.arch()` in boards.json of openmv-ota 1.0.7."""
    theirs = packed[PACKED_NAMES[board.key]]
    store = theirs["partitions"][0]
    rule = next(rule for rule in store["alignment_rules"] if rule["extension"] == "tflite")
    assert (board.romfs, board.romfs_align) == (store["size"], rule["alignment"])
    assert theirs["mpy_args"] == [f"-march={board.arch}"]
    assert theirs["arch"] == board.omv_arch
    npu = {"": None, "ethos-u55": "vela", "neural-art": "stedgeai"}[board.npu]
    assert (store["npu"] and store["npu"]["type"]) == npu
    flash = theirs["flash"]
    vendor = flash.get("runtime", flash["usb"] if "app" in flash else "").split(":")[0]
    products = flash["app"]["pids"] if "app" in flash else [flash["runtime"].split(":")[1]]
    for usb_vendor, usb_product in board.usb_ids:
        assert usb_vendor == int(vendor, 16)
        assert usb_product in [int(product, 16) for product in products]
