"""Read pose records and images from a camera with OpenMV's Protocol V2."""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import openmv
from openmv.constants import EventType
from openmv.transport import Transport

from blazeposer.core.errors import PortError
from blazeposer.core.prepare import Image
from blazeposer.live.links import Arrival
from blazeposer.live.usb import UsbLink
from blazeposer.openmv import ports
from blazeposer.openmv.serial_port import open_port
from blazeposer.stream.packed import CHANNEL, values
from blazeposer.stream.record import SILENCE, Reader

BAUD_RATE = 921_600
_PACE = 0.01  # seconds between two checks for new data
_ANSWER = 5.0  # seconds that an answer may take: the camera does not answer while the network runs
_PICTURE = 0.1  # seconds that a record waits for its image
_TALK = 1.0  # seconds without a record, before the link reads the text that the camera printed


class ProtocolLink(UsbLink):
    """A `Link` that reads pose records and images from a camera with Protocol V2. The image of a pose record arrives
    directly after the pose record, without a sequence number. `ProtocolLink` waits a short time (`_PICTURE`) for the
    image. Pose records arrive on the channel `CHANNEL` of Protocol V2. A camera script that does not register this
    channel prints its pose records, and `ProtocolLink` reads the printed text. Printed text is lost if the camera
    prints faster than the PC reads."""

    def __init__(self, port: ports.Port, silence: float = SILENCE) -> None:
        super().__init__(port, silence, blind="")

    def _deliveries(self) -> Generator[list[Arrival], None, None]:
        with _opened(self.name) as camera:
            talk, picture, last = Reader(midway=False), None, time.monotonic()
            waiting: list[tuple[Any, float]] = []  # values and time of arrival of one record, or empty
            try:
                while True:
                    news = _ask(self.name, camera.read_status)
                    if news.get(CHANNEL):
                        came = values(_ask(self.name, camera.channel_read, CHANNEL) or b"")
                        yield self._take(waiting, picture)  # no image came for the waiting record
                        waiting.append((came, time.time()))
                        last = time.monotonic()
                    elif news.get("stdout") and (CHANNEL not in news or time.monotonic() - last > _TALK):
                        printed = (_ask(self.name, camera.read_stdout) or "").encode()
                        if CHANNEL in news:
                            talk.feed(printed)
                            self._reader.said = talk.said
                        else:
                            yield [Arrival(record, time.time(), picture) for record in self._reader.feed(printed)]
                    elif not news.get("stream"):
                        time.sleep(_PACE)
                    if news.get("stream"):
                        picture = _picture(_ask(self.name, camera.read_frame), picture)
                    elif picture is not None and waiting and time.time() - waiting[0][1] < _PICTURE:
                        yield []
                        continue
                    yield self._take(waiting, picture)
            except PortError:
                yield self._take(waiting, picture)
                raise

    def _take(self, waiting: list[tuple[Any, float]], picture: Image | None) -> list[Arrival]:
        """Return the pose records in `waiting` with the image `picture`, and empty the list `waiting`."""
        arrivals = [
            Arrival(record, at, picture) for came, at in waiting if (record := self._reader.take(came)) is not None
        ]
        waiting.clear()
        return arrivals


class AutoLink(ProtocolLink):
    """A `Link` that uses Protocol V2 if the camera speaks it, and otherwise reads the lines that the camera prints."""

    def _deliveries(self) -> Generator[list[Arrival], None, None]:
        if not self.blind:
            try:
                yield from super()._deliveries()
            except NoProtocolError as error:
                if self.counts.records:  # the camera speaks Protocol V2, as its earlier records show
                    raise
                self.blind = f"no images: {error}"
        yield from UsbLink._deliveries(self)


class NoProtocolError(PortError):
    """Error for a device that does not speak Protocol V2, for example a camera with old firmware."""


class _Camera(openmv.Camera):  # type: ignore[misc]
    def _handle_event(self, channel_id: int, event: int) -> None:
        """Count the camera's messages about newly registered channels. This method replaces a method of `openmv`. The
        replaced method fails in Python 3.11, because it tests whether an int is a member of an enum. `Transport.log`
        fails for the same reason."""
        if channel_id == 0 and event == EventType.CHANNEL_REGISTERED:
            self.pending_channel_events += 1


def _is_from_elsewhere(record: logging.LogRecord) -> bool:
    """Return False for a log message of the package `openmv`. Such a message would appear inside the table of
    `blazeposer watch` in the terminal."""
    return Path(openmv.__file__).parent not in Path(record.pathname).parents


@contextmanager
def _opened(port: str) -> Generator[_Camera, None, None]:
    """Open the camera at a serial port. Raises PortError if the camera cannot be opened or another program uses the
    port."""
    if "://" in port:
        raise NoProtocolError(f"{port}: Protocol V2 needs a serial port like /dev/ttyACM0 or COM3: give it with --port")
    Transport.log = lambda *_, **__: None  # see `_Camera`
    logging.getLogger().addFilter(_is_from_elsewhere)
    with open_port(port, BAUD_RATE) as owner:  # otherwise, `openmv` would share the port with other programs
        if sys.platform == "win32":
            owner.close()  # on Windows, `openmv` cannot open a port that is already open
        camera = _Camera(port, timeout=_ANSWER)
        try:
            try:
                camera.connect()
            except (openmv.OMVException, SystemExit) as error:
                advice = "update the camera to OpenMV firmware 5.0, or leave --protocol out"
                raise NoProtocolError(f"{port} does not answer in Protocol V2: {advice}") from error
            _ask(port, camera.streaming, True)
            yield camera
        except (GeneratorExit, KeyboardInterrupt):  # the camera keeps running, but without images
            with suppress(PortError):
                _ask(port, camera.streaming, False)
            raise
        finally:
            camera.disconnect()


@contextmanager
def _uninterrupted() -> Generator[None, None, None]:
    """Delay Ctrl+C until the end of the `with` block. Without the delay, `openmv` could suppress the
    KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread gets signals
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            raise KeyboardInterrupt


def _ask(name: str, question: Callable[..., Any], *arguments: Any) -> Any:
    try:
        with _uninterrupted():
            return question(*arguments)
    except (Exception, SystemExit) as error:  # a lost port raises SystemExit, a broken answer any Exception
        raise PortError(f"the connection to {name} was lost: check the cable and start again") from error


def _picture(frame: dict[str, Any] | None, last: Image | None) -> Image | None:
    """Return the pixels (h, w, 3) of a camera image, or `last` if no image was received or its format is unknown."""
    if not frame or len(frame["data"]) != 3 * frame["width"] * frame["height"]:
        return last
    return np.frombuffer(frame["data"], np.uint8).reshape(frame["height"], frame["width"], 3)
