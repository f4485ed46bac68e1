"""Serve the web page of a live session. The web server sends the files of the page, and sends the poses as
server-sent events.

By default, the web server accepts connections only from this PC (loopback address). The web page receives a camera's
data only as JSON, and its Content Security Policy allows the browser to run and load only the files of the folder
`web/`. The web server refuses HTTP requests for the host names of other computers. If the web server answered them, a
page of another website could read the session through DNS rebinding: the owner of a website makes the website's name
point to this PC.

An HTTP request to start or stop a recording needs a header that a page of another website cannot send. Browsers on
other PCs (option `--web-host`) cannot start or stop a recording, and receive no file paths and no port names.
"""

import base64
import ipaddress
import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from blazeposer.core.draw import ANGLE_COLORS, AXES
from blazeposer.core.errors import BlazePoserError, InputError
from blazeposer.core.face import Face
from blazeposer.core.prepare import Image
from blazeposer.live.recording import Recording
from blazeposer.live.session import Moment
from blazeposer.live.terminal import losses
from blazeposer.stream.record import face_as_json

LOOPBACK = "127.0.0.1"
PORT = 8765
PICTURE_WIDTH = 480
"""Largest width in pixels of an image for the page. Wider images are scaled down."""
FILES = {
    "/": ("page.html", "html"),
    "/page.css": ("page.css", "css"),
    "/page.js": ("page.js", "javascript"),
    "/head.js": ("head.js", "javascript"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HOST = re.compile(r"(\[(?P<v6>[^\]]+)\]|(?P<name>[^:\[\]]+))(:\d+)?")
_SILENT = 5.0  # seconds without an event, before the page is told that the server still runs


class WebView:
    """A `View` that shows a live session as a web page. The caller opens the `View` with a `with` statement. A browser
    that is too slow skips old poses. Raises InputError if `host` is not an address of this PC, or if another program
    uses the port."""

    def __init__(
        self,
        recording: Recording,
        host: str = LOOPBACK,
        port: int = PORT,
        *,
        recentre: Callable[[], None] = lambda: None,
    ) -> None:
        self._recording = recording
        self.recentre = recentre
        self._news = threading.Condition()
        self._number = 0
        self._events = {True: b"", False: b""}  # newest event for this PC (True) and for other PCs (False)
        self._ended = False
        try:
            self._server = _Server((host, port), partial(_Handler, self))
        except (OSError, OverflowError) as error:
            reason = f"{host}:{port}: the web page cannot use this address ({error})"
            raise InputError(f"{reason}: give another --web-port (0 chooses a free port) or --web-host") from error
        self._is_private = ipaddress.ip_address(self._server.socket.getsockname()[0]).is_loopback
        self.url = f"http://{host}:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "WebView":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._news:
            self._ended = True
            self._news.notify_all()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def show(self, moment: Moment) -> None:
        path = self._recording.path
        told = as_json(moment)
        own = json.dumps(told | {"recording": str(path) if path else "", "own": True}).encode()
        state = moment.state.replace(moment.name, "the camera") if moment.name else moment.state
        hidden = {"name": "", "state": state, "blind": "", "troubles": [], "recording": "", "own": False}
        others = own if self._is_private else json.dumps(told | hidden).encode()
        with self._news:
            self._number += 1
            self._events = {True: own, False: others}
            self._news.notify_all()

    def newest(self, after: int, own: bool = True) -> tuple[int, bytes] | None:
        """Wait for an event with a number above `after`, and return the number and the bytes of the newest event.
        Return None when the session ends. If no event comes for `_SILENT` seconds, return `after` and b"". If `own` is
        true, the event is for a browser on this PC."""
        with self._news:
            self._news.wait_for(lambda: self._ended or self._number > after, _SILENT)
            if self._ended:
                return None
            return (self._number, self._events[own]) if self._number > after else (after, b"")

    def switch_recording(self) -> None:
        """Start a recording in the current folder, or end the recording that is running. Raises InputError."""
        if self._recording.path:
            self._recording.stop()
        else:
            self._recording.start(Path(f"blazeposer-{datetime.now():%Y%m%d-%H%M%S}.jsonl"))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a browser may hold its connection for ever

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print no error message if a browser has disconnected. The error message would appear inside the table of
        `blazeposer watch` in the terminal."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    timeout = 30  # seconds that a browser may neither read nor send

    def __init__(self, view: WebView, *arguments: Any) -> None:
        self._view = view
        super().__init__(*arguments)

    def do_GET(self) -> None:
        if not self._is_for_us():
            self._answer(HTTPStatus.FORBIDDEN)
        elif self.path == "/events":
            self._events()
        elif self.path in FILES:
            name, kind = FILES[self.path]
            self._answer(HTTPStatus.OK, (files(__package__) / name).read_bytes(), kind)
        else:
            self._answer(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        # A page of another host can send X-BlazePoser only if this server allows it (CORS). The server never does.
        if not self._is_for_us() or self.headers.get("X-BlazePoser") != "page" or not self._is_own():
            self._answer(HTTPStatus.FORBIDDEN, b"only the PC that runs blazeposer may do this")
            return
        button = {"/recentre": self._view.recentre, "/record": self._view.switch_recording}.get(self.path)
        if button is None:
            self._answer(HTTPStatus.NOT_FOUND)
            return
        try:
            button()
            self._answer(HTTPStatus.NO_CONTENT)
        except BlazePoserError as error:
            self._answer(HTTPStatus.CONFLICT, str(error).encode())

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing, because a log would appear inside the table of `blazeposer watch` in the terminal."""

    def _is_for_us(self) -> bool:
        """Return True if the header Host contains an IP address or this PC's name."""
        host = _HOST.fullmatch(self.headers.get("Host", ""))
        name = host["v6"] or host["name"] if host else ""
        try:
            return name in ("localhost", socket.gethostname()) or bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    def _is_own(self) -> bool:
        client = self.client_address[0]
        return ipaddress.ip_address(client).is_loopback or client == self.connection.getsockname()[0]

    def _answer(self, status: HTTPStatus, body: bytes = b"", kind: str = "plain") -> None:
        self._begin(status, kind, {"Content-Length": str(len(body))})
        self.wfile.write(body)

    def _begin(self, status: HTTPStatus, kind: str, more: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": f"text/{kind}; charset=utf-8", **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def _events(self) -> None:
        self._begin(HTTPStatus.OK, "event-stream", {})
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number, own = 0, self._is_own()
        try:
            while news := self._view.newest(number, own):
                number, event = news
                self.wfile.write(b"data: " + event + b"\n\n" if event else b": waiting\n\n")
            self.wfile.write(b"event: end\ndata:\n\n")
        except OSError:  # the browser has gone
            self.close_connection = True


def as_json(moment: Moment) -> dict[str, Any]:
    record = moment.record
    told: dict[str, Any] = {
        "name": moment.name,
        "state": moment.state,
        "blind": moment.blind,
        "troubles": [f"{name}: {state}" for name, state in moment.troubles.items()],
        "recentred": moment.recentred,
        "losses": losses(moment.counts),
    }
    if not record:
        return told
    if record.ms:
        told["ms"] = [record.ms.picture, record.ms.network, record.ms.decode]
    if moment.picture is not None:
        told["picture"] = _jpeg(moment.picture)
    return {
        **told,
        "at": 1000 * moment.at,
        "seq": record.seq,
        "t_ms": record.t_ms,
        "fps": record.fps,
        "size": record.size,
        "axes": AXES,
        "colors": ANGLE_COLORS,
        "faces": [_face(moment, face, seen) for face, seen in zip(moment.faces, record.faces, strict=True)],
    }


def _face(moment: Moment, face: Face, seen: Face) -> dict[str, Any]:
    """Return the data of a face for the web page. The box and the keypoints come from `seen`, which is the same face
    without smoothing. Smoothed points would lag behind the image."""
    shown, raw = moment.from_rest(face), moment.from_rest(seen)
    rotation, on_screen = (np.round(each.rotation, 5).tolist() for each in (face, shown))
    on_image = {"rotation": rotation, "box": seen.box, "keypoints": np.ravel(seen.keypoints).tolist()}
    return {**face_as_json(shown), "rotation": on_screen, "raw": raw.angles, "seen": on_image}


def _jpeg(picture: Image) -> str:
    height, width = picture.shape[:2]
    if width > PICTURE_WIDTH:
        size = (PICTURE_WIDTH, round(height * PICTURE_WIDTH / width))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode(".jpg", picture[..., ::-1])
    return base64.b64encode(data.tobytes()).decode()
