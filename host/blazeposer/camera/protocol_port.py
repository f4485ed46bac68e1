"""Speak OpenMV's Protocol V2 with a program that has opened the virtual camera's port at 921600 baud.

All rules of Protocol V2 in this module come from the firmware openmv v5.0 (protocol/omv_protocol.c). For each rule of
Protocol V2, the tests in tests/test_protocol_camera.py name the firmware file that defines the rule. While a program
has the port open at 921600 baud, the text that scripts print goes to Protocol V2's channel "stdout", not to the REPL.
"""

import os
import re
import select
import struct
import threading
import time
from collections import deque
from dataclasses import replace

from blazeposer.camera.cable import CHUNK, LOOK, Cable
from blazeposer.camera.channels import EXEC, PHYSICAL, READ, WRITE, Channel, ScriptChannel, Stdout, Stream
from blazeposer.camera.device import Device
from blazeposer.camera.packets import MAX_PAYLOAD, MIN_PAYLOAD, Flag, Opcode, Packet, Status, take

_CAPS = struct.Struct("<IH10x")
_ALL = 0b1111  # checksums, sequence numbers, acknowledgements and events are always on
_CHANNEL_REGISTERED = 0
_RETRIES, _RETRY = 3, 0.5  # RTX_RETRIES and RTX_TIMEOUT_MS; the time doubles after each try
_LOCK_INTERVAL = 0.01
_WRITE_TIMEOUT = 1.5  # OMV_PROTOCOL_USB_CHANNEL_TIMEOUT_MS


class _Interrupted(Exception):
    """Error that stops an answer, because the PC does not wait for the answer any more."""


class ProtocolPort:
    """A thread that answers the PC over Protocol V2, from plugging in a cable to unplugging it."""

    def __init__(self, device: Device, cable: Cable) -> None:
        self._device = device
        self._cable = cable
        self._received = bytearray()
        self._sequence = 0
        self._max_payload = MAX_PAYLOAD
        self._last_lock = 0.0
        self._events: deque[int] = deque()
        self.stdout = Stdout()
        self.stream = Stream()
        self._fixed = [Channel("usb", PHYSICAL), Channel("stdin", WRITE | EXEC), self.stdout, self.stream]
        self._scripts: list[ScriptChannel] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_active(self) -> bool:
        return self._cable.is_open_for_protocol()

    def close(self) -> None:
        self._stop.set()
        self.restart()
        self._thread.join()

    def restart(self) -> None:
        """Remove the channels of scripts, because MicroPython starts again."""
        scripts, self._scripts = self._scripts, []
        for channel in scripts:
            channel.close()

    def register(self, name: str) -> str:
        """Add a channel for a script, and return the address of the socket to which the script must connect."""
        channel = ScriptChannel(name, self._device)
        self._scripts = [*self._scripts, channel]
        self._events.append(_CHANNEL_REGISTERED)
        if self._stop.is_set():  # the script's camera was reset in the meantime
            self.restart()
        return channel.address

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                packet = self._next(LOOK)
                while self._events:  # send events before the answer, because the answer may already show their effect
                    event = struct.pack("<H", self._events.popleft())
                    self._send(Opcode.SYS_EVENT, 0, event, Flag.EVENT)
                if packet:
                    self._process(packet)
            except _Interrupted:
                continue

    def _next(self, seconds: float) -> Packet | None:
        """Return the next packet from the PC, or None after `seconds`. Raises _Interrupted if the port is not open."""
        deadline = time.monotonic() + seconds
        while not (packet := take(self._received)):
            left = deadline - time.monotonic()
            if not self.is_active:
                self._received.clear()
                self._events.clear()
                self._stop.wait(LOOK)
                raise _Interrupted
            if left <= 0 or self._stop.is_set():
                return None
            # Check the baud rate once more: the next program may have opened the port, and its bytes are for the REPL.
            if select.select([self._cable.end], [], [], min(left, LOOK))[0] and self.is_active:
                try:
                    self._received += os.read(self._cable.end, CHUNK)
                except OSError:  # the port was closed just now
                    continue
        return packet

    def _write(self, data: bytes) -> None:
        deadline = time.monotonic() + _WRITE_TIMEOUT
        while data:
            if not select.select([], [self._cable.end], [], 0.1)[1]:
                if time.monotonic() > deadline or not self.is_active:
                    raise _Interrupted
                continue
            try:
                data = data[self._cable.write(data) :]
            except OSError as error:  # the port was closed just now
                raise _Interrupted from error

    def _send(self, opcode: int, channel: int, payload: bytes = b"", flags: int = 0) -> None:
        """Send an answer or an event to the PC. A long answer is sent in several packets. If the PC does not confirm a
        packet of an answer with data, the packet is sent again."""
        while True:
            part, payload = payload[: self._max_payload], payload[self._max_payload :]
            packet = Packet(self._sequence, channel, flags | (Flag.FRAGMENT if payload else 0), opcode, part)
            if flags & (Flag.ACK | Flag.NAK | Flag.EVENT):
                self._write(packet.encode())
            else:
                self._deliver(replace(packet, flags=packet.flags | Flag.ACK_REQ))
            if not flags & Flag.EVENT:
                self._sequence = (self._sequence + 1) % 256
            if not payload:
                return

    def _deliver(self, packet: Packet) -> None:
        for retry in range(_RETRIES + 1):
            self._write(packet.encode())
            deadline = time.monotonic() + _RETRY * 2**retry
            while answer := self._next(max(0.0, deadline - time.monotonic())):
                if answer.opcode == Opcode.PROTO_SYNC:
                    self._process(answer)
                    raise _Interrupted
                if (answer.opcode, answer.sequence) == (packet.opcode, packet.sequence) and answer.flags & Flag.ACK:
                    return
            packet = replace(packet, flags=packet.flags | Flag.RTX)
        self._reset()
        raise _Interrupted

    def _status(self, packet: Packet, status: Status | None = None) -> None:
        """Confirm a packet from the PC, or refuse it for the reason `status`."""
        if status is None:
            self._send(packet.opcode, packet.channel, b"", Flag.ACK)
        else:
            self._send(packet.opcode, packet.channel, struct.pack("<H", status), Flag.NAK)

    def _reset(self) -> None:
        self._sequence = 0
        self._max_payload = MAX_PAYLOAD
        for channel in self._fixed:  # the channels of scripts cannot be locked
            channel.unlock()

    def _process(self, packet: Packet) -> None:
        if packet.flags & (Flag.ACK | Flag.NAK):
            return
        if packet.opcode == Opcode.PROTO_SYNC:
            self._reset()
            self._status(packet)
            self._sequence = 0
        elif len(packet.payload) > self._max_payload:
            self._status(packet, Status.OVERFLOW)
        elif packet.sequence != self._sequence:
            self._status(packet, Status.SEQUENCE)
        elif not packet.intact:
            self._status(packet, Status.CHECKSUM)
        elif packet.opcode >= Opcode.CHANNEL_LIST:
            self._process_channel(packet)
        elif packet.channel == 0 and packet.opcode == Opcode.PROTO_SET_CAPS and len(packet.payload) == _CAPS.size:
            flags, max_payload = _CAPS.unpack(packet.payload)
            if flags != _ALL or not MIN_PAYLOAD <= max_payload <= MAX_PAYLOAD:
                self._status(packet, Status.INVALID)
            else:
                self._status(packet)
                self._max_payload = max_payload
        elif packet.channel == 0 and (answer := self._system_answer(packet.opcode)):
            self._send(packet.opcode, 0, answer)
        else:
            self._status(packet, Status.INVALID)

    def _system_answer(self, opcode: int) -> bytes:
        """Return the answer to a request about the protocol, the firmware or the camera. Return no bytes
        for an unknown `opcode`."""
        if opcode == Opcode.PROTO_GET_CAPS:
            return _CAPS.pack(_ALL, self._max_payload)
        if opcode == Opcode.PROTO_VERSION:  # versions of protocol, boot loader and firmware
            firmware = [int(part) for part in re.findall(r"\d+", self._device.version)]
            return struct.pack("<16B", 1, 0, 0, 1, 0, 0, *[*firmware, 0, 0, 0][:3], *[0] * 7)
        if opcode == Opcode.SYS_INFO:  # 19 words; all except serial number and USB id are 0
            number = struct.unpack(">3I", bytes.fromhex(self._device.serial))
            vendor, product = self._device.board.usb_ids[0]
            return struct.pack("<19I", 0, *number, vendor << 16 | product, *[0] * 14)
        return b""

    def _process_channel(self, packet: Packet) -> None:
        channels, opcode = [*self._fixed, *self._scripts], packet.opcode
        if opcode == Opcode.CHANNEL_LIST:
            entries = [struct.pack("<BB14s", n, each.flags, each.name.encode()) for n, each in enumerate(channels)]
            self._send(opcode, packet.channel, b"".join(entries))
            return
        if opcode == Opcode.CHANNEL_POLL:
            flags = sum(channel.poll() << number for number, channel in enumerate(channels))
            self._send(opcode, packet.channel, struct.pack("<I", flags))
            return
        channel = channels[packet.channel] if packet.channel < len(channels) else Channel("", 0)
        if opcode == Opcode.CHANNEL_LOCK:
            free = time.monotonic() - self._last_lock > _LOCK_INTERVAL and channel.lock()
            self._last_lock = time.monotonic() if free else self._last_lock
            self._status(packet, None if free else Status.BUSY)
        elif opcode == Opcode.CHANNEL_UNLOCK:
            self._status(packet, None if channel.unlock() else Status.BUSY)
        elif opcode == Opcode.CHANNEL_SIZE and (size := channel.size()) is not None:
            self._send(opcode, packet.channel, struct.pack("<I", size))
        elif opcode == Opcode.CHANNEL_READ and len(packet.payload) == 8 and channel.flags & READ:
            self._read(packet, channel)
        elif opcode == Opcode.CHANNEL_IOCTL and len(packet.payload) >= 4:
            (command,) = struct.unpack_from("<I", packet.payload)
            self._status(packet, None if channel.ioctl(command, packet.payload[4:]) else Status.INVALID)
        else:
            self._status(packet, Status.INVALID)

    def _read(self, packet: Packet, channel: Channel) -> None:
        offset, length = struct.unpack("<II", packet.payload)
        if not length:
            self._status(packet, Status.INVALID)
        while length:
            part = channel.read(offset, min(length, channel.chunk, self._max_payload))
            if not part:
                self._status(packet, Status.FAILED)
                return
            offset, length = offset + len(part), length - len(part)
            self._send(packet.opcode, packet.channel, part, Flag.FRAGMENT if length else 0)
