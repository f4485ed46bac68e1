"""Read JSON lines with poses from a camera's serial port."""

import time
from collections.abc import Generator

from blazeposer.core.errors import PortError
from blazeposer.live.links import PAUSE, Arrival
from blazeposer.openmv import ports
from blazeposer.stream.record import SILENCE, Reader, read_chunks, silent

RETRY = 0.5
"""Time in seconds between two attempts to open the port of an unplugged camera."""
STALL = 3.0
"""Time in seconds. If no pose record arrives in this time, `UsbLink` reports that nothing arrives."""
BLIND = "the camera's JSON lines contain no images: start `blazeposer watch --web --protocol v2` to see them"


class UsbLink:
    """A `Link` that reads JSON lines with poses from a camera's serial port. If the camera is unplugged, `UsbLink`
    waits until the camera is plugged in again, and finds the camera by its serial number at any port."""

    def __init__(self, port: ports.Port, silence: float = SILENCE, blind: str = BLIND) -> None:
        self.name = port.device
        self.state = ""
        self.blind = blind
        self._port = port
        self._silence = silence
        self._reader = Reader()
        self.counts = self._reader.counts

    def arrivals(self) -> Generator[Arrival | None, None, None]:
        """Yield the pose records that arrive (see `links.Link`). If the serial port cannot be opened at the start of
        the session, raise PortError. If the connection is lost later, wait and try to connect again."""
        opened = False
        while True:
            try:
                for arrival in self._connected():
                    opened = True
                    yield arrival
            except PortError:
                if not opened:
                    raise
            self.state = f"{self.name} was unplugged: waiting until it is plugged in again"
            yield None
            time.sleep(RETRY)
            self._reader.resume()
            found = ports.again(self._port)
            self.name = found.device if found else self.name

    def _connected(self) -> Generator[Arrival | None, None, None]:
        """Yield the pose records that arrive until the connection to the serial port is lost."""
        last = shown = time.monotonic()
        first = True
        back = " again" if self.state else ""
        for arrivals in self._deliveries():
            now = time.monotonic()
            for arrival in arrivals:
                last, shown, first = now, now, False
                self.state = self._reader.said = ""
                yield arrival
            if now - shown < PAUSE:
                continue
            shown = now
            if now - last > self._silence:
                self.state = silent(self.name, self._reader.said)
            elif first and (back or now - last > 1):
                self.state = f"{self.name} is connected{back}: waiting for its first faces" + _quoted(self._reader.said)
            elif now - last > STALL:
                self.state = f"{self.name} sends nothing: waiting for its next faces" + _quoted(self._reader.said)
            yield None

    def _deliveries(self) -> Generator[list[Arrival], None, None]:
        """Yield lists of new pose records, also empty lists. Raises PortError if the connection to the serial port is
        lost."""
        for data in read_chunks(self.name):
            yield [Arrival(record, time.time()) for record in self._reader.feed(data)]


def _quoted(said: str) -> str:
    return f" (it says: {said})" if said else ""
