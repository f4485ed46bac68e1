"""Imitate the channels of OpenMV's Protocol V2, which carry printed text, images or data of a script to the PC."""

import socket
import struct
import threading
from contextlib import suppress

import cv2

from blazeposer.camera.device import Device
from blazeposer.camera.packets import MAX_PAYLOAD
from blazeposer.core.prepare import Image

READ, WRITE, EXEC, LOCK, STREAM, DYNAMIC, PHYSICAL = (1 << bit for bit in range(7))
"""Flags of a channel (openmv v5.0, protocol/omv_protocol_channel.h)."""
STDOUT_SIZE = 1024
"""Largest number of text bytes that wait for the PC (protocol/omv_protocol_channel_stdio.c). On the OpenMV H7, the
number is 512."""
NAME_LENGTH = 13
"""Largest number of characters in a channel's name."""
JPEG = 0x06060000
"""Number of the image format PIXFORMAT_JPEG in the package `openmv`."""
_HEADER = struct.Struct("<5I")  # width, height, format, number and offset of the image's bytes
_QUALITY = 80  # JPEG quality; in the firmware, it depends on the image's size
_STREAM_CTRL, _STREAM_RAW_CTRL = 0, 1


class Channel:
    """A channel without data, such as "stdin". Channels with data are subclasses. "stdin" has no data, because the
    virtual camera accepts no scripts over Protocol V2. The methods answer requests of the PC. `size` and `read` return
    None if a request fails. `lock`, `unlock` and `ioctl` return whether the channel has carried out the request.
    """

    chunk = 512
    """Largest number of bytes in one call of `read`."""

    def __init__(self, name: str, flags: int) -> None:
        self.name = name
        self.flags = flags

    def poll(self) -> bool:
        """Return whether the PC can read bytes from the channel."""
        return False

    def size(self) -> int | None:
        return None

    def read(self, offset: int, size: int) -> bytes | None:
        return None

    def lock(self) -> bool:
        return False

    def unlock(self) -> bool:
        return False

    def ioctl(self, command: int, argument: bytes) -> bool:
        return False


class Stdout(Channel):
    """The text that scripts print. At most `STDOUT_SIZE` bytes wait for the PC. If a script prints more, the channel
    deletes the waiting text."""

    def __init__(self) -> None:
        super().__init__("stdout", READ)
        self._waiting = b""
        self._guard = threading.Lock()

    def write(self, text: bytes) -> None:
        with self._guard:
            while text:
                room = STDOUT_SIZE - len(self._waiting)
                self._waiting, text = self._waiting + text[:room], text[room:]
                if text:
                    self._waiting = b""

    def poll(self) -> bool:
        return bool(self._waiting)

    def size(self) -> int:
        return len(self._waiting)

    def read(self, offset: int, size: int) -> bytes:
        with self._guard:
            taken, self._waiting = self._waiting[:size], self._waiting[size:]
        return taken


class Stream(Channel):
    """The images of a script. The channel stores an image until the PC has read it."""

    chunk = MAX_PAYLOAD

    def __init__(self) -> None:
        super().__init__("stream", READ | LOCK | STREAM)
        self._guard = threading.Lock()
        self._frame = b""
        self._locked = self._enabled = False

    def show(self, picture: Image, gray: bool) -> None:
        """Store an image (h, w, 3). Ignore the image if the PC has not asked for images, or has not yet read the
        previous image."""
        with self._guard:
            if self._enabled and not self._frame:
                pixels = picture[..., 0] if gray else picture[..., ::-1]
                data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
                height, width = picture.shape[:2]
                self._frame = _HEADER.pack(width, height, JPEG, len(data), _HEADER.size) + data

    def poll(self) -> bool:
        return bool(self._frame)

    def size(self) -> int:
        return len(self._frame)

    def read(self, offset: int, size: int) -> bytes | None:
        return self._frame[offset : offset + size] if offset + size <= len(self._frame) else None

    def lock(self) -> bool:
        self._locked = self._locked or bool(self._frame)
        return self._locked

    def unlock(self) -> bool:
        with self._guard:
            if self._locked:
                self._frame, self._locked = b"", False
        return True

    def ioctl(self, command: int, argument: bytes) -> bool:
        if len(argument) != 4 or command not in (_STREAM_CTRL, _STREAM_RAW_CTRL):
            return False
        on = any(argument)
        if command == _STREAM_RAW_CTRL:
            return not on  # the virtual camera sends no uncompressed images
        with self._guard:
            self._enabled, self._locked, self._frame = on, False, b""
        return True


class ScriptChannel(Channel):
    """A channel for a script's own data. The script has registered an object with methods for the channel. In
    MicroPython, `shims/protocol.py` connects to the socket at `address`, and calls the methods of this object."""

    def __init__(self, name: str, device: Device) -> None:
        super().__init__(name[:NAME_LENGTH], READ | DYNAMIC)
        self._device = device
        self._listener, self.address = device.listen("channel")
        self._link: socket.socket | None = None
        self._ended = False

    def close(self) -> None:
        """Close the channel because its script has ended. A thread that waits for an answer of the script gets None."""
        self._ended = True
        for end in (self._listener, self._link):
            if end:
                with suppress(OSError):  # the socket may not be connected
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        (self._device.folder / self.address).unlink(missing_ok=True)

    def poll(self) -> bool:
        return self._number(b"p") > 0

    def size(self) -> int:
        return self._number(b"s")

    def read(self, offset: int, size: int) -> bytes | None:
        answer = self._ask(b"r", offset, size)
        return answer and answer[:size]

    def _number(self, method: bytes) -> int:
        return int.from_bytes(self._ask(method) or b"", "big")

    def _ask(self, method: bytes, *arguments: int) -> bytes | None:
        """Return the result of a method of the script's object. Return None if the method raised an error or if the
        script has ended."""
        try:
            if self._ended:
                return None
            link = self._link = self._link or self._listener.accept()[0]
            link.sendall(method + struct.pack(">II", *(arguments or (0, 0))))
            (length,) = struct.unpack(">i", _receive(link, 4))
            return _receive(link, length) if length >= 0 else None
        except OSError:
            self._ended = True
            return None


def _receive(link: socket.socket, count: int) -> bytes:
    if len(data := link.recv(count, socket.MSG_WAITALL)) < count:
        raise ConnectionResetError
    return data
