"""Run MQTT brokers for tests: a real one, and one that plays a script of faults."""

import asyncio
import gc
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from amqtt.broker import Broker

from live import free_port
from waiting import HANG, until

SECRET = "geheim"
"""Password that no message may show."""
PLUGINS = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
CONNECT, PUBLISH, PING = 0x10, 0x30, 0xC0
"""MQTT 3.1.1 and 5.0, 2.1.2: the upper half of a packet's first byte is its type."""


class RealBroker:
    """amqtt in a thread."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()
        self._loop = asyncio.new_event_loop()
        self._broker: Broker | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        until(lambda: self._listens(), "the broker's start")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        config = {"listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}}, "plugins": PLUGINS}
        self._broker = Broker(config, loop=self._loop)
        self._loop.run_until_complete(self._broker.start())
        self._loop.run_forever()

    def _listens(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End it."""
        assert self._broker
        asyncio.run_coroutine_threadsafe(self._broker.shutdown(), self._loop).result(HANG)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(HANG)
        self._loop.close()
        self._broker = None
        gc.collect()  # amqtt leaves its connections to it


Script = Callable[["Peer"], None]


class ScriptedBroker:
    """Plays `script` to each connection. Use in a `with` statement. `certificate`: with TLS, by this PEM file."""

    def __init__(self, script: Script, certificate: Path | None = None) -> None:
        self._script = script
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if self._context and certificate:
            self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heard: list[bytes] = []
        """Bodies of the packets that came, first byte and all."""
        self._ended = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> "ScriptedBroker":
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listener.close()

    def leave(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._play, args=(self._listener.accept()[0],), daemon=True).start()

    def _play(self, connection: socket.socket) -> None:
        with suppress(OSError, EOFError):
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                self._script(Peer(connection, self))


class Peer:
    """A client as a broker's script meets it."""

    def __init__(self, connection: socket.socket, broker: ScriptedBroker) -> None:
        self._connection = connection
        self.broker = broker
        self.version = 4

    def packet(self) -> bytes:
        """The next packet. Raises EOFError at the end."""
        head = self._read(1)
        size = shift = 0
        while True:
            (byte,) = self._read(1)
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        body = self._read(size)
        if head[0] & 0xF0 == CONNECT:
            self.version = body[2 + body[1]]  # after the protocol's name
        self.broker.heard.append(head + body)
        return head + body

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self._connection.sendall(data)

    def answer(self, code: int) -> None:
        """A CONNACK (3.2)."""
        self.packet()
        self.send(bytes([0x20, 2, 0, code]) if self.version < 5 else bytes([0x20, 3, 0, code, 0]))

    def acknowledge(self, count: int) -> None:
        """Take so many publications, and whatever else comes."""
        while count:
            packet = self.packet()
            if packet[0] & 0xF0 == PUBLISH:
                (length,) = struct.unpack_from(">H", packet, 1)
                self.send(b"\x40\x02" + packet[3 + length : 5 + length])
                count -= 1
            elif packet[0] & 0xF0 == PING:
                self.send(b"\xd0\x00")

    def sleep(self) -> None:
        """Say nothing more, as long as the broker is there."""
        self.broker._ended.wait(HANG)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            if not (more := self._connection.recv(size - len(data))):
                raise EOFError
            data += more
        return data


def takes_all(peer: Peer) -> None:
    """Accept the connection and all publications."""
    peer.answer(0)
    peer.acknowledge(10**6)
