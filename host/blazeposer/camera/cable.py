"""The virtual camera's USB cable: a pseudo-terminal, or a TCP port where its number has to be known beforehand.

A pseudo-terminal is the user's alone. A TCP port on 127.0.0.1 is open to every program and every user of this PC, and
a web page of another origin can post to it: only what speaks like a user of a REPL gets through.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

CHUNK = 4096
KEPT = 512
"""Bytes of output that wait for the next program to open the port, the latest. MicroPython 1.28: CFG_TUD_CDC_TX_BUFSIZE
of shared/tinyusb/tusb_config.h with mp_usbd_cdc.c, "fifo will retain latest"; 1024 in ports/stm32/usbd_cdc_interface.c.
"""
_LOOK = 0.02  # seconds between two looks at whether somebody opened the pseudo-terminal
_TYPED = re.compile(rb"[\x01-\x05\t\n\r -~\xc3-\xf4]")  # what a user of a REPL may send first
_HTTP = re.compile(rb"[A-Z]{3,10} (/|\*|\S+:)")  # how every request of a browser begins


class Cable(Protocol):
    """One plug-in of the camera: from when its port appears until `close`."""

    address: str
    """The name that the PC opens, by pyserial."""
    outgoing: bytes
    """The bytes on their way to the program that opened it; the latest of them wait for the next one."""

    @property
    def is_connected(self) -> bool:
        """Return whether a program of the PC has opened it."""

    @property
    def pause(self) -> float | None:
        """Seconds after which `receive` has to be called though nothing is ready."""

    def readers(self) -> Sequence[int | socket.socket]:
        """Return what to wait for."""

    def writer(self) -> int | socket.socket | None:
        """Return what to wait for to `send`."""

    def receive(self, ready: Collection[object]) -> bytes:
        """Return what came, after a look at whether the program comes or goes. `ready` are those of `readers`."""

    def send(self) -> int:
        """Send what is possible of `outgoing`; the number of bytes."""

    def close(self) -> None:
        """Pull it."""


class Terminal:
    """A `Cable`: a pseudo-terminal, a new one whenever the cable goes in, by a name of its own.

    By the name under /dev/pts, mpremote 1.29 takes it for no camera, and waits for ever (transport_serial.py, is_pty).
    """

    def __init__(self, name: Path) -> None:
        import tty

        self._end, terminal = os.openpty()
        tty.setraw(terminal)
        os.chmod(os.ttyname(terminal), 0o600)
        self._name = name
        self._name.unlink(missing_ok=True)
        self._name.symlink_to(os.ttyname(terminal))
        self.address = str(name)
        os.close(terminal)
        os.set_blocking(self._end, False)
        self._poll = select.poll()
        self._poll.register(self._end, select.POLLIN)
        self._is_open = False
        self.outgoing = b""

    @property
    def is_connected(self) -> bool:
        return self._is_open

    @property
    def pause(self) -> float | None:
        return None if self._is_open else _LOOK

    def readers(self) -> Sequence[int]:
        return [self._end] if self._is_open else []

    def writer(self) -> int | None:
        return self._end if self._is_open and self.outgoing else None

    def receive(self, ready: Collection[object]) -> bytes:
        events = sum(event for _, event in self._poll.poll(0))
        data = b""
        if events & select.POLLIN:
            with contextlib.suppress(OSError):  # closed just now
                data = os.read(self._end, CHUNK)
        self._is_open = bool(data) or not events & select.POLLHUP
        return data

    def send(self) -> int:
        try:
            sent = os.write(self._end, self.outgoing)
        except OSError:  # it is full, or closed just now
            return 0
        self.outgoing = self.outgoing[sent:]
        return sent

    def close(self) -> None:
        self._name.unlink(missing_ok=True)
        os.close(self._end)


class Tcp:
    """A `Cable`: a port on 127.0.0.1. 0 takes a free one. An OSError if it is taken."""

    def __init__(self, number: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", number))
        self.number: int = self._listener.getsockname()[1]
        self.address = f"socket://127.0.0.1:{self.number}"
        self._client: socket.socket | None = None
        self._is_new = False  # nothing came from the client yet
        self.outgoing = b""

    @property
    def is_connected(self) -> bool:
        return self._client is not None

    @property
    def pause(self) -> None:
        return None

    def readers(self) -> Sequence[socket.socket]:
        return [self._listener, self._client] if self._client else [self._listener]

    def writer(self) -> socket.socket | None:
        return self._client if self.outgoing else None

    def receive(self, ready: Collection[object]) -> bytes:
        data = self._read() if self._client in ready else b""
        if self._listener in ready:
            connection = self._listener.accept()[0]
            while self._client is not None and select.select([self._client], [], [], 0)[0]:
                data += self._read()  # it may have gone without our notice
            if self._client is None:
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._client, self._is_new = connection, True
            else:
                connection.close()  # a serial port has one user at a time
        return data

    def send(self) -> int:
        assert self._client is not None
        try:
            sent = self._client.send(self.outgoing)
        except OSError:  # reading will tell that it is gone
            return 0
        self.outgoing = self.outgoing[sent:]
        return sent

    def close(self) -> None:
        self._drop()
        self._listener.close()

    def _read(self) -> bytes:
        assert self._client is not None
        try:
            data = self._client.recv(CHUNK)
            # Acknowledge at once: pyserial's next small write waits for it (Nagle), by default 40 ms.
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        except OSError:
            data = b""
        if not data or (self._is_new and (not _TYPED.match(data) or _HTTP.match(data))):
            self._drop()
            return b""
        self._is_new = False
        return data

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None
