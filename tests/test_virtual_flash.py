"""The virtual camera's imitation of the flash behind /rom, each rule with its source.

"MicroPython 1.28" is what OpenMV 5.0.0 is built on; what comes after it (pull request 19348) is OpenMV's next release.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from blazeposer.camera import VirtualCamera, device
from blazeposer.camera.virtual import FIRMWARES
from blazeposer.core.boards import BOARDS, find, firmware_at_least, with_firmware
from blazeposer.core.errors import BlazePoserError, PortError
from blazeposer.openmv import flash, romfs
from blazeposer.openmv import mpremote as mpremote_module
from blazeposer.openmv.mpremote import mpremote
from deploying import FRAME, STOCK

pytestmark = pytest.mark.usefixtures("needs_virtual_camera")
NEXT = FIRMWARES["5.1"]
MAPPED = [board.key for board in BOARDS if flash.of(board).kind != "device"]


def said(camera: VirtualCamera, *lines: str) -> list[str]:
    """Return the output of a script that has `vfs` and the partition `d`."""
    return mpremote(camera.port, "exec", "\n".join(("import vfs", "d = vfs.rom_ioctl(2, 0)", *lines))).splitlines()


@contextmanager
def silence(seconds: float, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give up after a moment, because the code here never ends."""
    monkeypatch.setattr(mpremote_module, "PATIENCE", seconds)
    with pytest.raises(PortError, match="does not answer"):
        yield
    monkeypatch.undo()


@pytest.mark.parametrize("board", MAPPED)
def test_firmware_5_0_has_neither_ranges_nor_block_sizes(board: str) -> None:
    """MicroPython 1.28, ports/stm32/vfs_rom_ioctl.c and ports/alif/vfs_rom_ioctl.c: 1 to 4 and nothing else; a fourth
    argument of 3 is not looked at, and the third is the length."""
    with VirtualCamera([FRAME], board=board) as camera:
        camera.device.burn(romfs.pack(STOCK, 16))
        camera.reset()
        least, block = ("16" if board == "h7" else "4"), flash.of(find(board)).block
        assert said(
            camera,
            "print(vfs.rom_ioctl(1), len(d), bytes(d[:4]).hex(), vfs.rom_ioctl(2, 1))",
            "print(vfs.rom_ioctl(6, 0), vfs.rom_ioctl(5, 0), vfs.rom_ioctl(9, 0), vfs.rom_ioctl(3, 0))",
            f"print(vfs.rom_ioctl(3, 0, 0, {block}), bytes(d[:4]).hex())",
            "print(vfs.rom_ioctl(3, 0, 1, 4096), bytes(d[:4]).hex())",
            "print(vfs.rom_ioctl(3, 0, len(d) + 1), vfs.rom_ioctl(4, 0, len(d) - 1, b'12'))",
        ) == [
            f"1 {find(board).romfs} d2cd3180 -22",
            "-22 -22 -22 -22",
            f"{least} d2cd3180",
            f"{least} ffffffff",
            "-22 -22",
        ]


@pytest.mark.parametrize("board", ["h7", "nicla", "ae3"])
def test_the_next_firmware_erases_ranges(board: str) -> None:
    """MicroPython pull request 19348: (3, id, offset, length), and 6 answers the smallest length."""
    with VirtualCamera([FRAME], board=board, version=NEXT) as camera:
        camera.device.burn(b"\0" * 3 * 4096)
        camera.reset()
        block = flash.of(find(board)).block
        assert said(camera, "print(vfs.rom_ioctl(6, 0))") == [str(block)]
        if board != "h7":
            said(camera, "vfs.rom_ioctl(3, 0, 4096, 4096)")
            assert camera.device.rom.read_bytes()[: 4 * 4096] == b"\0" * 4096 + b"\xff" * 4096 + b"\0" * 4096 + (
                b"\xff" * 4096
            )


def test_bits_only_fall() -> None:
    """MicroPython 1.28, drivers/memory/spiflash.c: a page is programmed as it is; NOR flash keeps zeros."""
    with VirtualCamera([FRAME], board="nicla") as camera:
        assert said(
            camera,
            "print(vfs.rom_ioctl(3, 0, 4096))",
            "print(vfs.rom_ioctl(4, 0, 2, b'\\x0f\\xf0'), vfs.rom_ioctl(4, 0, 2, b'\\x3c\\x3c'), bytes(d[:5]).hex())",
        ) == ["4", "0 0 ffff0c30ff"]
        with pytest.raises(PortError, match="TypeError"):  # flash is no RAM
            said(camera, "d[0] = 0")


def test_the_flash_inside_an_h7_is_programmed_in_words_and_once() -> None:
    """MicroPython 1.28, ports/stm32/flash.c, flash_write on STM32H7: whole words of 256 bits, a rest is left out; ST's
    RM0433: each has a code for its errors, which a second programming breaks."""
    with VirtualCamera([FRAME], board="h7") as camera:
        assert said(
            camera,
            "print(vfs.rom_ioctl(3, 0, 1), d[131071])",
            "print(vfs.rom_ioctl(4, 0, 0, b'a' * 40), bytes(d[31:33]))",
            "print(vfs.rom_ioctl(4, 0, 0, b'a' * 32), vfs.rom_ioctl(4, 0, 34, b'a' * 32))",
        ) == ["16 255", "0 b'a\\xff'", "-5 -5"]


@pytest.mark.slow
def test_octal_flash_takes_words_of_four_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """MicroPython 1.28, ports/alif/ospi_flash.c, ospi_flash_write_page: it counts the length down in fours until it is
    0, which it never is for other lengths."""
    with VirtualCamera([FRAME], board="ae3") as camera:
        assert said(camera, "print(vfs.rom_ioctl(4, 0, 4096, b'abcd'), bytes(d[4096:4101]))") == ["0 b'abcd\\xff'"]
        with silence(1, monkeypatch):
            said(camera, "vfs.rom_ioctl(4, 0, 8192, b'abcde')")


@pytest.mark.parametrize("version", FIRMWARES.values())
def test_the_rt1062_has_a_block_device(version: str) -> None:
    """MicroPython 1.28, ports/mimxrt/mimxrt_flash.c: readblocks, writeblocks (without an offset it erases first), ioctl
    4, 5 and 6, and a buffer; `vfs.rom_ioctl` answers no more than 1 and 2."""
    with VirtualCamera([FRAME], board="rt1062", version=version) as camera:
        assert said(
            camera,
            "r = vfs.rom_ioctl",
            "print(r(1), r(3, 0, 4096), r(3, 0, 0, 4096), r(4, 0, 0, b'1'), r(5, 0), r(6, 0))",
            "print(d.ioctl(4, 0), d.ioctl(5, 0), bytes(memoryview(d)[:3]).hex())",
            "d.writeblocks(1, b'abc', 2); d.writeblocks(1, b'a', 3); b = bytearray(4); d.readblocks(1, b, 2); print(b)",
            "print(d.ioctl(6, 1)); d.readblocks(1, b); print(b)",
            "d.writeblocks(1, b'xyz'); d.readblocks(1, b); print(b)",
        ) == [
            "1 -22 -22 -22 -22 -22",
            "2048 4096 d2cd31",
            "bytearray(b'a`c\\xff')",
            "False",
            "bytearray(b'\\xff\\xff\\xff\\xff')",
            "bytearray(b'xyz\\xff')",
        ]
        for wrong in ("len(d)", "memoryview(d)[0] = 1"):
            with pytest.raises(PortError, match="TypeError"):
                said(camera, wrong)


@pytest.mark.slow
def test_the_end_of_an_h7_plus_is_not_to_be_read_in_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyPI openmv-ota 1.0.7, its installer: a burst that reaches the end of the QSPI flash stops the camera, without a
    word; 512 bytes before it is far enough, and single bytes are harmless."""
    with VirtualCamera([FRAME], board="h7plus") as camera:
        assert said(camera, "m = memoryview(d); print(m[len(m) - 1], bytes(m[len(m) - 514:len(m) - 512]))") == [
            "255 b'\\xff\\xff'"
        ]
        with silence(1, monkeypatch):
            said(camera, "bytes(d[len(d) - 1024:])")


@pytest.mark.slow
def test_a_long_erase_of_the_n6_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyPI openmv-ota 1.0.7, its installer: one erase of 12 MB "faults partway"; where is a guess."""
    with VirtualCamera([FRAME], board="n6") as camera:
        longest = flash.of(find("n6")).longest_erase
        assert longest
        camera.device.burn(b"\0" * (longest + 8192))
        camera.reset()
        assert said(camera, f"print(vfs.rom_ioctl(3, 0, {longest}))") == ["4"]
        camera.device.burn(b"\0" * (longest + 8192))
        camera.reset()
        with silence(4, monkeypatch):
            said(camera, f"vfs.rom_ioctl(3, 0, {longest + 4096})")
        assert camera.device.rom.read_bytes()[: longest + 1] == b"\xff" * longest + b"\0"


@pytest.mark.slow
def test_erasing_takes_its_time_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenMV's own figures: 24 ms a block on the N6 and 53 ms on the RT1062."""
    assert flash.of(find("n6")).erase_ms == 24
    assert flash.of(find("rt1062")).erase_ms == 53
    monkeypatch.setattr(device, "PACE", 1.0)
    with VirtualCamera([FRAME], board="n6") as camera:
        started = time.monotonic()
        said(camera, "vfs.rom_ioctl(3, 0, 40 * 4096)")
        assert time.monotonic() - started > 40 * 0.024


def test_flash_that_was_not_erased() -> None:
    """Flash behind an image still holds old content."""
    with VirtualCamera([FRAME], board="nicla") as camera:
        image = romfs.pack(STOCK, 16)
        camera.device.burn(image, behind=b"old")
        camera.reset()
        assert said(camera, f"print(bytes(d[{len(image)}:{len(image) + 4}]))") == ["b'old\\xff'"]


def test_versions() -> None:
    assert flash.erases_ranges("5.1.0")
    assert not flash.erases_ranges("5.0.0")
    assert firmware_at_least("5.10.2", 5, 9)
    assert firmware_at_least("v6", 5, 1)


def test_a_card_in_an_ae3() -> None:
    """openmv pull request 3210, merged in July 2026: by SPI, with the next release; no board takes one without slot."""
    assert not with_firmware(find("ae3"), "5.0.0").sd
    for board, version in (("ae3", FIRMWARES["5.0"]), ("nicla", NEXT)):
        with pytest.raises(BlazePoserError, match="has no slot for an SD card"):
            VirtualCamera([FRAME], board=board, version=version, card=True)
    with VirtualCamera([FRAME], board="ae3", version=NEXT, card=True) as camera:
        assert mpremote(camera.port, "exec", "import os; print(os.getcwd())") == "/sdcard\n"
