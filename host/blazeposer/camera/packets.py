"""Read and write packets of OpenMV's Protocol V2 as a camera does (openmv v5.0, protocol/omv_protocol.h)."""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import cache

MAX_PAYLOAD = 4096 - 10 - 4
"""Largest number of payload bytes in a packet."""
MIN_PAYLOAD = 64 - 10 - 4
_SYNC = b"\xaa\xd5"
_HEADER = struct.Struct("<2sBBBBH")  # sync, sequence, channel, flags, opcode, length of the payload
_HEADER_SIZE = _HEADER.size + 2  # header and its checksum
_CRC16, _CRC32 = (16, 0xF94F), (32, 0xFA567D89)  # bits, polynomial


class Flag(IntFlag):
    ACK = 1
    NAK = 2
    RTX = 4
    ACK_REQ = 8
    FRAGMENT = 16
    EVENT = 32


class Status(IntEnum):
    FAILED = 1
    INVALID = 2
    BUSY = 4
    CHECKSUM = 5
    SEQUENCE = 6
    OVERFLOW = 7


class Opcode(IntEnum):
    PROTO_SYNC = 0x00
    PROTO_GET_CAPS = 0x01
    PROTO_SET_CAPS = 0x02
    PROTO_VERSION = 0x04
    SYS_INFO = 0x12
    SYS_EVENT = 0x13
    CHANNEL_LIST = 0x20
    CHANNEL_POLL = 0x21
    CHANNEL_LOCK = 0x22
    CHANNEL_UNLOCK = 0x23
    CHANNEL_SIZE = 0x25
    CHANNEL_READ = 0x26
    CHANNEL_IOCTL = 0x28


@dataclass(frozen=True)
class Packet:
    sequence: int
    channel: int
    flags: int
    opcode: int
    payload: bytes = b""
    intact: bool = True
    """True if the payload arrived unchanged."""

    def encode(self) -> bytes:
        head = _HEADER.pack(_SYNC, self.sequence, self.channel, self.flags, self.opcode, len(self.payload))
        head += _checksum(head, *_CRC16)
        return head + (self.payload + _checksum(self.payload, *_CRC32) if self.payload else b"")


def take(received: bytearray) -> Packet | None:
    """Return the first complete packet in `received`, or None. Remove the packet and all bytes before it."""
    while True:
        start = received.find(_SYNC)
        del received[: start if start >= 0 else max(0, len(received) - 1)]
        if start < 0 or len(received) < _HEADER_SIZE:
            return None
        head = bytes(received[:_HEADER_SIZE])
        _, sequence, channel, flags, opcode, length = _HEADER.unpack(head[:-2])
        if length > MAX_PAYLOAD or head[-2:] != _checksum(head[:-2], *_CRC16):
            del received[:1]
            continue
        end = _HEADER_SIZE + length
        if len(received) < end + 4 * bool(length):
            return None
        payload, checksum = bytes(received[_HEADER_SIZE:end]), received[end : end + 4]
        del received[: end + 4 * bool(length)]
        return Packet(sequence, channel, flags, opcode, payload, not length or checksum == _checksum(payload, *_CRC32))


@cache
def _step(bits: int, polynomial: int, byte: int) -> int:
    """Return the entry for `byte` in the lookup table of a CRC."""
    value = byte << (bits - 8)
    for _ in range(8):
        value = (value << 1) ^ (polynomial if value >> (bits - 1) else 0)
        value &= (1 << bits) - 1
    return value


def _checksum(data: bytes, bits: int, polynomial: int) -> bytes:
    """Return the CRC of `data`. The CRC starts with all bits set (common/omv_crc.c)."""
    value = mask = (1 << bits) - 1
    for byte in data:
        value = (value << 8 & mask) ^ _step(bits, polynomial, value >> (bits - 8) ^ byte)
    return value.to_bytes(bits // 8, "little")
