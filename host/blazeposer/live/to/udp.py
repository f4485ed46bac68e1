"""Send UDP packets with the pose of one head to a host (a computer)."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import SplitResult

from blazeposer.live.session import Head, Moment
from blazeposer.live.to import url_options

PAUSE = 2.0
"""Time in seconds between two attempts to find the address of an unknown host."""
_FIRST = 1.0  # seconds that a session waits for the address when it starts


class HeadView:
    """A `Sender` that sends UDP packets with the pose of one head. The caller opens the `Sender` with a `with`
    statement. If the host is not found, the search is repeated. A UDP packet is sent even if no program listens. Each
    UDP packet goes to the first IPv4 address and to the first IPv6 address of the host. The name "localhost" means
    127.0.0.1 and ::1, but a program may listen at only one of these addresses."""

    def __init__(self, url: SplitResult, port: int, packet: Callable[[Head], bytes]) -> None:
        url_options(url, ())
        self._packet = packet
        self._host, self._port = url.hostname or "", url.port or port
        self.name = f"{url.scheme}://{url.netloc.rpartition('@')[2]}"
        self.state = ""
        self.missed = 0
        self._links: list[socket.socket] = []
        self._found, self._ended = threading.Event(), threading.Event()

    def __enter__(self) -> "HeadView":
        threading.Thread(target=self._find, daemon=True).start()  # a name server may take long to answer
        self._found.wait(_FIRST)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for link in self._links:
            link.close()

    def show(self, moment: Moment) -> None:
        if not moment.head:
            return
        packet = self._packet(moment.head)
        self.missed += not self._links
        for link in self._links:
            with suppress(OSError):  # no program listens yet, or the network does not work now
                link.send(packet)

    def _find(self) -> None:
        while not (self._links or self._ended.is_set()):
            try:
                found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)
            except (OSError, UnicodeError) as error:
                reason = getattr(error, "strerror", None) or "it is not a name"
                self.state = f"no such host ({reason}): check the name; blazeposer tries again until the host is found"
            else:
                if self._ended.is_set():
                    return
                self._links = _connected({address[0]: address[4] for address in reversed(found)})
                self.state = "" if self._links else "this host cannot be reached: check this PC's network"
            self._found.set()
            if not self._links:
                self._ended.wait(PAUSE)


def _connected(addresses: dict[socket.AddressFamily, tuple[object, ...]]) -> list[socket.socket]:
    links = []
    for family, address in addresses.items():
        with suppress(OSError):  # a PC may have only IPv4 or only IPv6
            link = socket.socket(family, socket.SOCK_DGRAM)
            link.setblocking(False)
            if link.connect_ex(address):
                link.close()
            else:
                links.append(link)
    return links
