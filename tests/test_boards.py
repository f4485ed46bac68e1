"""The table of boards: what tells them apart, and where its figures come from."""

from pathlib import Path

import pytest
from openmv_ota.romfs.builder import build_image

from blazeposer.core import boards
from blazeposer.core.boards import BOARDS, KB, MB, OLD_USB_ID, Board, find
from blazeposer.core.contract import MAX_ARENA_BYTES, MAX_FILE_BYTES
from blazeposer.core.errors import BlazePoserError
from blazeposer.tflite.check import ROMFS_BYTES


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
    with pytest.raises(BlazePoserError, match=r"m4.*h7, h7plus, nicla, .*, n6") as caught:
        find("m4")
    assert "\n" not in str(caught.value)


def test_the_contract_s_limits_are_the_smallest_board_s() -> None:
    assert min(board.arena for board in BOARDS) == MAX_ARENA_BYTES
    assert min(board.romfs for board in BOARDS) >= MAX_FILE_BYTES + ROMFS_BYTES


@pytest.mark.parametrize("alignment", sorted({board.romfs_align for board in BOARDS}))
@pytest.mark.parametrize("size", [1, 125_000, 5_000_001])
def test_an_image_of_one_model_is_hardly_larger_than_the_model(tmp_path: Path, alignment: int, size: int) -> None:
    """`openmv-ota romfs pack` packs a file with a long name."""
    (tmp_path / "a_rather_long_name_of_a_model.tflite").write_bytes(b"\7" * size)
    image = build_image(str(tmp_path), [{"extension": "tflite", "alignment": alignment}])
    assert size < len(image) <= size + ROMFS_BYTES


@pytest.mark.parametrize(
    ("key", "vendor", "products", "romfs", "alignment"),
    [
        ("h7", 0x37C5, {0x1204}, 128 * KB, 16),
        ("h7plus", 0x37C5, {0x124A}, 8 * MB, 16),
        ("nicla", 0x2341, {0x005F, 0x045F, 0x055F, 0x025F, 0x805F}, 4 * MB, 16),
        ("puretherm", 0x37C5, {0x1205}, 8 * MB, 16),
        ("rt1062", 0x37C5, {0x1060}, 8 * MB, 16),
        ("portenta", 0x2341, {0x005B, 0x045B, 0x025B, 0x805B}, 4 * MB, 16),
        ("giga", 0x2341, {0x0066, 0x0466, 0x0266, 0x8066}, 4 * MB, 16),
        ("ae3", 0x37C5, {0x16E3}, 24 * MB, 16),
        ("n6", 0x37C5, {0x1206}, 24 * MB, 32),
    ],
)
def test_openmv_s_own_table_is_read_right(
    key: str, vendor: int, products: set[int], romfs: int, alignment: int
) -> None:
    """boards.json of openmv-ota 1.0.7; sizes and ids also as board_config.h and mpconfigboard.h of v5.0.0 have them."""
    board = find(key)
    assert set(board.usb_ids) == {(vendor, product) for product in products}
    assert (board.romfs, board.romfs_align, board.arch) == (romfs, alignment, "armv7emdp")


def test_a_table_of_another_form_is_one_line() -> None:
    with pytest.raises(BlazePoserError, match=r"OPENMV4.*pip install") as caught:
        boards._boards({"OPENMV4": {"display_name": "OpenMV Cam H7"}})
    assert "\n" not in str(caught.value)
