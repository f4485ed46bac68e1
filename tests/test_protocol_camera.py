"""The virtual camera's imitation of OpenMV's Protocol V2: one test a rule, each with its source.

"openmv v5.0" is github.com/openmv/openmv at that version. The package `openmv` is the other side; what it never sends
goes over the wire from here.
"""

import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import serial

from blazeposer.camera import VirtualCamera, packets, view
from blazeposer.camera.channels import STDOUT_SIZE, Stdout
from blazeposer.camera.packets import MAX_PAYLOAD, Flag, Opcode, Packet, Status
from blazeposer.core.prepare import Image
from blazeposer.openmv.mpremote import mpremote
from waiting import HANG, until

pytest.importorskip("openmv", reason="the extra `openmv` is not installed")
from blazeposer.live import protocol_v2

SCRIPT = """
import csi, protocol, time

class Data:
    asked = []
    def poll(self): return True
    def size(self): return 1100
    def read(self, offset, size):
        self.asked.append((offset, size))
        return bytes([n // 10 for n in range(1100)])[offset : offset + size]

class Asked(Data):
    def size(self): return len(self.read(0, 0))
    def read(self, offset, size): return str(Data.asked).encode()

class Broken(Data):
    def poll(self): return 1 / 0
    def size(self): return 1 / 0
    def read(self, offset, size): return 1 / 0

protocol.register("data", backend=Data())
protocol.register(name="a name too long", backend=Asked())
protocol.register(name="broken", backend=Broken())
c = csi.CSI(); c.reset(); c.pixformat(csi.RGB565); c.framesize(csi.QVGA); c.window((240, 240))
while True:
    c.snapshot()
    print("active" if protocol.is_active() else "idle")
    time.sleep_ms(10)
"""


@pytest.fixture
def camera(needs_virtual_camera: None, portrait: Image) -> Iterator[VirtualCamera]:
    with VirtualCamera([portrait]) as camera:
        (camera.folder / "flash" / "main.py").write_text(SCRIPT)
        camera.reset()
        yield camera


@pytest.fixture
def pc(camera: VirtualCamera) -> Iterator[protocol_v2._Camera]:
    """The package, connected when the script has registered its channels."""
    with protocol_v2._opened(camera.port) as pc:
        until(lambda: "broken" in pc.read_status(), "the script's channels")
        yield pc


@pytest.fixture
def wire(camera: VirtualCamera) -> Iterator[serial.Serial]:
    with serial.Serial(camera.port, 921_600) as wire:
        yield wire


def answer(wire: serial.Serial, packet: Packet | bytes = b"", seconds: float = HANG) -> Packet | None:
    """Return the camera's answer; events are no answers."""
    wire.write(packet if isinstance(packet, bytes) else packet.encode())
    received, deadline = bytearray(), time.monotonic() + seconds
    while time.monotonic() < deadline:
        received += wire.read(wire.in_waiting)
        while found := packets.take(received):
            if not found.flags & Flag.EVENT:
                return found
        time.sleep(0.005)
    return None


def pixels_of(pc: protocol_v2._Camera) -> Image:
    """The image that the package reads."""
    return np.frombuffer(pc.read_frame()["data"], np.uint8).reshape(240, 240, 3)


SYNC = Packet(0, 0, 0, Opcode.PROTO_SYNC)
GET_CAPS = Packet(0, 0, 0, Opcode.PROTO_GET_CAPS)


def refused(wire: serial.Serial, packet: Packet | bytes) -> Status:
    found = answer(wire, packet)
    assert found
    assert found.flags == Flag.NAK
    return Status(*struct.unpack("<H", found.payload))


def test_921600_baud_is_the_protocol(camera: VirtualCamera) -> None:
    """openmv v5.0, protocol/omv_protocol.h: OMV_PROTOCOL_MAGIC_BAUDRATE; omv_protocol_channel_tinyusb.c: is_active."""
    with serial.Serial(camera.port, 115_200) as other:
        assert answer(other, SYNC, 0.3) is None
    assert mpremote(camera.port, "exec", "import protocol; print(protocol.is_active())") == "False\n"
    with serial.Serial(camera.port, 921_600) as wire:
        found = answer(wire, SYNC)
        assert found
        assert (found.flags, found.opcode, found.payload) == (Flag.ACK, Opcode.PROTO_SYNC, b"")


def test_channels_have_numbers_flags_and_short_names(pc: protocol_v2._Camera) -> None:
    """openmv v5.0, protocol/omv_protocol_channel.h; modules/py_protocol.c: names of 13 characters, flags by methods."""
    found = {number: (channel["name"], channel["flags"]) for number, channel in pc.channels_by_id.items()}
    assert found == {
        0: ("usb", 64), 1: ("stdin", 6), 2: ("stdout", 1), 3: ("stream", 25),
        4: ("data", 33), 5: ("a name too lo", 33), 6: ("broken", 33),
    }  # fmt: skip


LATE = """
import os, protocol, time

class Late:
    def poll(self): return False
    def size(self): return 0
    def read(self, offset, size): return b""

while "now" not in os.listdir():
    time.sleep_ms(20)
protocol.register("late", backend=Late())
while True:
    time.sleep_ms(20)
"""


def test_a_channel_that_is_registered_is_an_event(camera: VirtualCamera) -> None:
    """openmv v5.0, protocol/omv_protocol.c, omv_protocol_register_channel."""
    (camera.folder / "flash" / "main.py").write_text(LATE)
    camera.reset()
    with protocol_v2._opened(camera.port) as pc:
        assert not pc.has_channel("late")
        (camera.folder / "flash" / "now").touch()
        until(lambda: pc.poll_events() or pc.has_channel("late"), "the event")


def test_a_script_is_read_512_bytes_at_a_time(pc: protocol_v2._Camera) -> None:
    """openmv v5.0, protocol/omv_protocol.c, CHANNEL_READ: a buffer of MIN(512, max_payload), in fragments."""
    assert pc.channel_read("data") == bytes(n // 10 for n in range(1100))
    assert pc.channel_read("a name too lo") == b"[(0, 512), (512, 512), (1024, 76)]"


def test_what_a_script_raises_stays_there(pc: protocol_v2._Camera) -> None:
    """openmv v5.0, modules/py_protocol.c, py_channel_call: exceptions are swallowed; no poll, a size of 0, no data."""
    status = pc.read_status()
    assert (status["data"], status["broken"]) == (True, False)
    assert pc.channel_size("broken") == 0
    with pytest.raises(Exception, match="retry operation"):
        pc.channel_read("broken", 10)
    assert pc.channel_size("data") == 1100


def test_text_beyond_the_buffer_is_thrown_away() -> None:
    """openmv v5.0, protocol/omv_protocol_channel_stdio.c: on overflow the ring buffer begins anew."""
    stdout = Stdout()
    for _ in range(STDOUT_SIZE // 10):
        stdout.write(b"0123456789")
    assert stdout.size() == STDOUT_SIZE // 10 * 10
    stdout.write(b"abcdefghij")
    assert stdout.read(0, 2000) == b"efghij"
    assert not stdout.poll()


def test_text_goes_to_who_speaks_the_protocol(pc: protocol_v2._Camera) -> None:
    """openmv v5.0, protocol/omv_protocol_channel_stdio.c: __wrap_mp_hal_stdout_tx_strn."""
    text = []
    until(lambda: text.append(pc.read_stdout() or "") or "active\r\nactive" in "".join(text), "text")  # type: ignore[func-returns-value]


SHUTTER = """
import csi, protocol
c = csi.CSI(); c.reset(); c.pixformat(csi.RGB565); c.framesize(csi.QVGA); c.window((240, 240))

class Shutter:
    wanted = 0
    done = 0
    def poll(self): return False
    def size(self): return self.done
    def read(self, offset, size):
        self.wanted += 1
        return b"!"

shutter = Shutter()
protocol.register("shutter", backend=shutter)
while True:
    if shutter.done < shutter.wanted:
        c.snapshot()
        shutter.done += 1
"""


def test_a_snapshot_sends_the_picture_before_it(needs_virtual_camera: None, portrait: Image) -> None:
    """openmv v5.0, common/omv_csi.c: that in the frame buffer, with OMV_CSI_FLAG_UPDATE_FB; framebuffer.c: not over one
    that the PC has not read, and none if it wants none."""
    pictures = [portrait, portrait[::-1].copy(), portrait[:, ::-1].copy(), np.zeros_like(portrait)]
    with VirtualCamera(pictures) as camera:
        (camera.folder / "flash" / "main.py").write_text(SHUTTER)
        camera.reset()
        with protocol_v2._opened(camera.port) as pc:
            until(lambda: "shutter" in pc.read_status(), "the script's channel")

            def snapshot(number: int) -> bool:
                """The one of this number; whether there is an image then."""
                pc.channel_read("shutter", 1)
                until(lambda: pc.channel_size("shutter") == number, "the snapshot")
                return pc.read_status()["stream"]

            assert [snapshot(1), snapshot(2), snapshot(3)] == [False, True, True]
            assert np.abs(pixels_of(pc).astype(int) - view(pictures[0])).mean() < 4
            assert pc.read_frame() is None
            assert snapshot(4)
            assert np.abs(pixels_of(pc).astype(int) - view(pictures[2])).mean() < 4
            pc.streaming(False)
            assert not snapshot(5)


def test_a_gray_picture_comes_too(needs_virtual_camera: None, portrait: Image) -> None:
    """openmv v5.0, lib/imlib/framebuffer.c: an image in shades of grey becomes such a JPEG."""
    with VirtualCamera([portrait], gray=True) as camera:
        (camera.folder / "flash" / "main.py").write_text(SCRIPT.replace("RGB565", "GRAYSCALE"))
        camera.reset()
        with protocol_v2._opened(camera.port) as pc:
            until(lambda: pc.read_status()["stream"], "a picture")
            pixels = pixels_of(pc)
    assert np.abs(pixels.astype(int) - view(portrait, gray=True)).mean() < 4


def test_a_lock_follows_another_after_10_ms(pc: protocol_v2._Camera) -> None:
    """openmv v5.0, protocol/omv_protocol.c, CHANNEL_LOCK; omv_protocol.h, OMV_PROTOCOL_MIN_LOCK_INTERVAL_MS."""
    until(lambda: pc._channel_lock(3), "a lock")
    start = time.monotonic()
    again = pc._channel_lock(3)
    assert again is False or time.monotonic() - start > 0.01
    time.sleep(0.02)
    assert pc._channel_lock(3) is True


def test_who_it_is(camera: VirtualCamera, pc: protocol_v2._Camera) -> None:
    """openmv v5.0, protocol/omv_protocol.c, SYS_INFO and PROTO_VERSION."""
    assert "".join(f"{word:08x}" for word in pc.sysinfo["device_id"]) == camera.device.serial
    assert (pc.sysinfo["usb_vid"], pc.sysinfo["usb_pid"]) == camera.device.board.usb_ids[0]
    assert pc.verinfo["firmware_version"] == (5, 0, 0)


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        (lambda packet: replace(packet, sequence=9).encode(), Status.SEQUENCE),
        (lambda packet: packet.encode()[:-1] + b"?", Status.CHECKSUM),
        (lambda packet: replace(packet, opcode=0x7F).encode(), Status.INVALID),
        (lambda packet: replace(packet, channel=1).encode(), Status.INVALID),
        (lambda packet: replace(packet, payload=struct.pack("<IH10x", 15, 9)).encode(), Status.INVALID),
    ],
)
def test_a_wrong_packet_is_refused(wire: serial.Serial, spoil: Callable[[Packet], bytes], status: Status) -> None:
    """openmv v5.0, protocol/omv_protocol.c, omv_protocol_task: each by its own status."""
    assert answer(wire, SYNC)
    set_caps = Packet(0, 0, 0, Opcode.PROTO_SET_CAPS, struct.pack("<IH10x", 15, MAX_PAYLOAD))
    assert refused(wire, spoil(set_caps)) == status


def test_noise_is_passed_over(wire: serial.Serial) -> None:
    """openmv v5.0, protocol/omv_protocol.c, STATE_SYNC and STATE_HEADER: a header of a wrong checksum is no packet."""
    false = bytearray(GET_CAPS.encode())
    false[3] ^= 1
    found = answer(wire, b"\xaa\xd5\xaa" + bytes(false) + b"\xd5\xaa\x00" + SYNC.encode())
    assert found
    assert found.flags == Flag.ACK


def test_an_answer_is_sent_again_until_it_is_acknowledged(wire: serial.Serial) -> None:
    """openmv v5.0, protocol/omv_protocol.c, omv_protocol_send_packet: after 500 ms, with RTX."""
    assert answer(wire, SYNC)
    first, second = answer(wire, GET_CAPS), answer(wire)
    assert first
    assert second
    assert first.flags == Flag.ACK_REQ
    assert second == replace(first, flags=Flag.ACK_REQ | Flag.RTX)
    wire.write(replace(GET_CAPS, flags=Flag.ACK).encode())
    assert refused(wire, replace(GET_CAPS, sequence=1, opcode=0x7F)) == Status.INVALID


def test_a_sync_ends_what_the_camera_waits_for(wire: serial.Serial) -> None:
    """openmv v5.0, protocol/omv_protocol.c, STATE_WAIT_ACK."""
    assert answer(wire, SYNC)
    assert answer(wire, GET_CAPS)  # and no acknowledgement
    found = answer(wire, SYNC)
    assert found
    assert (found.opcode, found.flags) == (Opcode.PROTO_SYNC, Flag.ACK)
