"""The page: its server as a stranger meets it, and what a real browser shows."""

import http.client
import json
import re
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page

import browser as browsers
from blazeposer.core.errors import InputError
from blazeposer.live.centre import Centre
from blazeposer.live.recording import Recording, read
from blazeposer.live.session import Moment, run
from blazeposer.live.usb import BLIND, UsbLink
from blazeposer.live.web.server import FILES, WebView
from blazeposer.openmv.ports import Port
from blazeposer.stream.record import Counts
from live import FOV, ListLink, moment, record, seen_face, streaming_camera
from waiting import HANG, InThread, until

EVIL = '</script><script>window.evil = 1</script><img src=x onerror="window.evil = 2">${window.evil = 3}'


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebView]:
    monkeypatch.chdir(tmp_path)  # where the record button records
    recording = Recording()
    with WebView(recording, port=0) as web:
        yield web
    recording.stop()


def asked(web: WebView, method: str, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(web), timeout=HANG)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def port_of(web: WebView) -> int:
    return int(web.url.rstrip("/").rpartition(":")[2])


def test_it_is_on_loopback_only(web: WebView) -> None:
    assert web.url.startswith("http://127.0.0.1:")
    addresses = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in addresses - {"127.0.0.1"}:
        with socket.socket() as stranger:
            assert stranger.connect_ex((address, port_of(web))) != 0 or str(address).startswith("127.")


@pytest.mark.parametrize("path", FILES)
def test_files_come_with_a_strict_policy(web: WebView, path: str) -> None:
    response, body = asked(web, "GET", path)
    assert response.status == 200
    assert body
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in response.headers
    assert b"http://" not in body
    assert b"https://" not in body
    assert b"innerHTML" not in body


@pytest.mark.parametrize("path", ["/nothing", "/../server.py", "/page.js?x", "/server.py", "/%2e%2e/server.py", "*"])
def test_nothing_else_is_served(web: WebView, path: str) -> None:
    assert asked(web, "GET", path)[0].status == 404
    assert asked(web, "POST", path, X_BlazePoser="page")[0].status == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::1"])
def test_other_hosts_names_are_refused(web: WebView, host: str) -> None:
    for path in (*FILES, "/events"):
        assert asked(web, "GET", path, Host=host)[0].status == 403
    assert asked(web, "POST", "/record", Host=host, X_BlazePoser="page")[0].status == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8765", "[::1]:8765", "192.168.1.7:8765"])
def test_this_pcs_names_are_fine(web: WebView, host: str) -> None:
    assert asked(web, "GET", "/", Host=host)[0].status == 200


def test_recording_needs_our_header(web: WebView, tmp_path: Path) -> None:
    assert asked(web, "POST", "/record")[0].status == 403
    assert not list(tmp_path.iterdir())
    assert asked(web, "POST", "/record", X_BlazePoser="page")[0].status == 204
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("request_line", [b"\r\n", b"GET\r\n\r\n", b"\0\xff" * 500, b"BREW / HTTP/1.1\r\n\r\n"])
def test_odd_requests_do_no_harm(web: WebView, request_line: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port_of(web)), timeout=HANG) as odd:
        odd.sendall(request_line)
        odd.shutdown(socket.SHUT_WR)
        odd.recv(1000)
    assert asked(web, "GET", "/")[0].status == 200


def test_a_reader_gets_the_newest_event_and_the_end(web: WebView) -> None:
    with socket.create_connection(("127.0.0.1", port_of(web)), timeout=HANG) as reader:
        reader.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        lines = reader.makefile("rb")
        for seq in range(3):
            web.show(moment(seen_face((10, 0, 0)), seq=seq))
            told = json.loads(next(line for line in lines if line.startswith(b"data: "))[6:])
            assert told["seq"] == seq
            assert [told["faces"][0][name] for name in ("yaw", "pitch", "roll")] == pytest.approx([10, 0, 0], abs=0.01)
        web.__exit__(None, None, None)
        assert b"event: end\n" in lines.read()


def test_a_reader_that_takes_nothing_stops_nobody(web: WebView) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (480, 480, 3), np.uint8)
    with socket.create_connection(("127.0.0.1", port_of(web)), timeout=HANG) as reader:
        reader.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        before = threading.active_count()
        for seq in range(60):  # far more than the buffers between the two take
            web.show(replace(moment(seq=seq), picture=picture))
        assert threading.active_count() <= before + 1
        assert web.newest(0) is not None


def test_others_may_look_but_not_switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser of another PC, as the server takes it."""
    monkeypatch.setattr("blazeposer.live.web.server._Handler._is_own", lambda _: False)
    recording = Recording()
    recording.start(tmp_path / "secret.jsonl")
    with WebView(recording, "0.0.0.0", 0) as web:
        for path in ("/record", "/recentre"):
            assert asked(web, "POST", path, X_BlazePoser="page")[0].status == 403
        assert recording.path
        with socket.create_connection(("127.0.0.1", port_of(web)), timeout=HANG) as reader:
            reader.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            lines = reader.makefile("rb")
            gone = Moment("/dev/ttyACM7", "/dev/ttyACM7 is gone", Counts(), {"mqtt://b": "away"}, "why")
            web.show(gone)
            told = next(line for line in lines if line.startswith(b"data: "))
        assert json.loads(told[6:])["state"] == "the camera is gone"
        for secret in (b"secret", b"ttyACM7", b"mqtt", b"why"):
            assert secret not in told
    recording.stop()


def test_a_browser_that_resets_prints_nothing(web: WebView, capfd: pytest.CaptureFixture[str]) -> None:
    for request in (b"GET / HT", b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        reset = socket.create_connection(("127.0.0.1", port_of(web)), timeout=HANG)
        reset.sendall(request)
        reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reset.close()
    before = threading.active_count()
    for seq in range(3):
        web.show(moment(seq=seq))
    assert asked(web, "GET", "/")[0].status == 200
    until(lambda: threading.active_count() <= before, "the handlers' end")
    assert capfd.readouterr() == ("", "")


def test_a_taken_address_is_one_line(web: WebView) -> None:
    with pytest.raises(InputError, match="give another --web-port"):
        WebView(Recording(), port=port_of(web))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsers.opened() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, web: WebView) -> Iterator[Page]:
    """The page; a test fails if it asks any other host, or if a script fails."""
    page = browser.new_page(viewport={"width": 1180, "height": 800})
    wrong: list[str] = []
    asked_for: list[str] = []
    page.on("request", lambda request: asked_for.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.extend([message.text] * (message.type == "error")))
    page.goto(web.url)
    yield page
    page.close()
    assert not wrong
    assert len(asked_for) >= len(FILES)
    assert all(url.startswith((web.url, "data:")) for url in asked_for)


def shown(page: Page, web: WebView, what: Moment) -> None:
    """Show a moment, and wait until it is drawn."""
    drawn = page.evaluate("blazeposer.drawn")
    web.show(what)
    until(lambda: page.evaluate("blazeposer.drawn") > drawn, "drawing")


def pixels(page: Page, selector: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    data = np.frombuffer(page.locator(selector).screenshot(), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def test_page_shows_faces(page: Page, web: WebView) -> None:
    shown(page, web, moment(seen_face((20, -10, 5)), seen_face((0, 0, 0), (20, 10, 90))))
    assert page.locator(".who").all_text_contents() == ["face 1", "face 2"]
    assert "yaw +20.0  pitch \N{MINUS SIGN}10.0  roll +5.0" in shown_angles(page)
    assert "25.0 frames per second" in page.locator("#numbers").inner_text()
    assert "network 20" in page.locator("#numbers").inner_text()
    assert "0 lost" in page.locator("#losses").inner_text()
    blank = moment(seq=1)
    frame = pixels(page, "#frame")
    shown(page, web, blank)
    assert page.locator(".person").count() == 0
    assert (pixels(page, "#frame") != frame).any(axis=2).mean() > 0.005


def shown_angles(page: Page) -> str:
    """The first face's, without hard spaces."""
    return page.locator(".angles").first.inner_text().replace("\N{NO-BREAK SPACE}", " ")


def middle_of_iris(page: Page) -> tuple[float, float]:
    """Return the place of the eyes' blue in the drawn head, as fractions of its image."""
    picture = pixels(page, ".person canvas").astype(int)
    blue, green, red = np.moveaxis(picture, -1, 0)
    rows, columns = np.nonzero((blue > red + 12) & (blue > green) & (blue < 140) & (blue > 40))
    return float(columns.mean() / picture.shape[1]), float(rows.mean() / picture.shape[0])


def test_the_head_turns_as_the_face_does(page: Page, web: WebView) -> None:
    eyes = {}
    for name, angles in {"straight": (0, 0, 0), "left": (30, 0, 0), "right": (-30, 0, 0), "up": (0, 25, 0)}.items():
        shown(page, web, moment(seen_face(angles)))
        eyes[name] = middle_of_iris(page)
    assert eyes["left"][0] < eyes["straight"][0] - 0.05
    assert eyes["right"][0] > eyes["straight"][0] + 0.05
    assert eyes["up"][1] < eyes["straight"][1] - 0.03


def test_page_shows_the_picture_if_there_is_one(page: Page, web: WebView) -> None:
    picture = np.full((300, 400, 3), (200, 30, 30), np.uint8)
    shown(page, web, replace(moment(), picture=picture))
    middle = pixels(page, "#frame")
    assert np.abs(middle[middle.shape[0] // 2, middle.shape[1] // 2].astype(int) - [30, 30, 200]).max() < 12


def test_nothing_in_a_stream_runs(page: Page, web: WebView) -> None:
    said = Moment(EVIL, EVIL, Counts())
    shown(page, web, replace(moment(seen_face((0, 0, 0))), name=EVIL, state=EVIL))
    web.show(said)
    until(lambda: page.locator("#state").text_content() == EVIL, "the state")
    assert page.locator("#name").text_content() == EVIL
    assert page.locator("img").count() == 0
    assert page.locator("body script").count() == 0
    assert page.evaluate("window.evil === undefined")


def test_colours_of_faces_on_the_page_differ(page: Page, web: WebView) -> None:
    """Also of faces whose numbers lie far apart, and of more faces than a palette has colours."""
    now = moment(*(seen_face((0, 0, 0), (10.0 * n, 0, 90)) for n in range(8)))
    assert now.record
    faces, seen = (
        tuple(replace(face, id=1 + 4 * n) for n, face in enumerate(each)) for each in (now.faces, now.record.faces)
    )
    shown(page, web, replace(now, faces=faces, record=replace(now.record, faces=seen)))
    colours = page.locator(".who").evaluate_all("all => all.map((one) => getComputedStyle(one).color)")
    assert len(set(colours)) == 8


def test_page_says_why_there_is_no_picture(page: Page, web: WebView) -> None:
    shown(page, web, replace(moment(), blind=BLIND))
    assert page.locator("#why").text_content() == BLIND
    shown(page, web, replace(moment(seq=1), picture=np.zeros((9, 9, 3), np.uint8)))
    assert page.locator("#why").text_content() == ""


def test_page_says_what_does_not_arrive(page: Page, web: WebView) -> None:
    shown(page, web, replace(moment(), troubles={"mqtt://b:1883": "the connection to the broker was lost: waiting"}))
    assert page.locator("#state").text_content() == "mqtt://b:1883: the connection to the broker was lost: waiting"


def test_recentre_button(page: Page, web: WebView) -> None:
    centre = Centre()
    web.recentre = centre.recentre
    shown(page, web, centre(moment(seen_face((20, 0, 0)))))
    page.locator("#recentre").click()
    until(lambda: centre._asked, "the button")
    shown(page, web, centre(moment(seen_face((20, 0, 0)), seq=1)))
    assert re.search(r"yaw [+\N{MINUS SIGN}]0\.0", shown_angles(page))
    assert page.locator("#state").text_content() == "The present pose is the zero."


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_page_has_the_theme_that_is_preferred(browser: Browser, web: WebView, theme: Literal["light", "dark"]) -> None:
    page = browser.new_page(color_scheme=theme)
    page.goto(web.url)
    assert (pixels(page, "body").mean() > 128) == (theme == "light")
    page.close()


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1180, 800), (390, 844)])
def test_charts_stay_visible(browser: Browser, web: WebView, count: int, size: tuple[int, int]) -> None:
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.goto(web.url)
    shown(page, web, moment(*(seen_face((0, 0, 0), (12.0 * n, 0, 90)) for n in range(count))))
    bottom = page.evaluate("document.querySelector('#traces').getBoundingClientRect().bottom")
    assert bottom <= size[1]
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.close()


def test_page_says_when_a_link_is_lost_and_back(page: Page, web: WebView) -> None:
    shown(page, web, moment())
    web.show(Moment("camera", "camera was unplugged: waiting", Counts()))
    until(lambda: page.locator("#state").text_content() == "camera was unplugged: waiting", "the loss")
    web.show(moment(seq=1))
    until(lambda: page.locator("#state").text_content() == "The problem is solved.", "the return")


def test_record_button(page: Page, web: WebView, tmp_path: Path) -> None:
    recording = web._recording
    shown(page, web, moment())
    page.locator("#record").click()
    until(lambda: recording.path is not None, "the recording's start")
    for seq in range(1, 4):
        recording.show(moment(seq=seq))
        shown(page, web, moment(seq=seq))
    assert "Stop recording" in page.locator("#record").inner_text()
    page.locator("#record").click()
    until(lambda: recording.path is None, "the recording's end")
    (path,) = tmp_path.iterdir()
    assert [found.seq for found in read(path)] == [1, 2, 3]


def test_page_says_that_the_session_ended(page: Page, web: WebView) -> None:
    shown(page, web, moment())
    web.__exit__(None, None, None)
    until(lambda: page.locator("#state").text_content() == "The session has ended.", "the end")


def test_hours_in_a_page_keep_its_memory_flat(page: Page, web: WebView) -> None:
    """Traces and delays are all that a page keeps; both are bounded, also with ever new faces."""
    face = record(0, seen_face((0, 0, 0))).faces[0]
    shown(page, web, moment())
    page.evaluate("window.kept = 0")
    link = ListLink([replace(record(seq), faces=(replace(face, id=seq),)) for seq in range(300)], pause=0.005)
    run(link, [web], fov=FOV)
    until(lambda: page.evaluate("blazeposer.seq") == 299, "the last record")
    assert page.evaluate("blazeposer.delays.length") <= 1000
    assert page.locator(".person").count() == 1


@pytest.mark.usefixtures("needs_virtual_camera")
def test_page_follows_the_virtual_camera(page: Page, web: WebView, tmp_path: Path) -> None:
    """A turning head of the demo, over the whole path; what is drawn last was streamed."""
    camera = streaming_camera()
    recording = Recording()
    recording.start(tmp_path / "camera.jsonl")
    watching = InThread(lambda: run(UsbLink(Port(camera.port)), [recording, web, Stop(25)], fov=FOV))
    try:
        until(lambda: page.evaluate("blazeposer.drawn") >= 10, "ten drawn records")
        canvas = pixels(page, "#frame")
        with pytest.raises(StopSession):
            watching.join()
    finally:
        camera.stop()
        recording.stop()
    assert canvas.std() > 3
    records = {found.seq: found for found in read(tmp_path / "camera.jsonl")}
    assert page.evaluate("blazeposer.seq") in records
    assert max(abs(angle) for found in records.values() for face in found.faces for angle in face.angles) > 10


class Stop:
    """A view that ends a session after some records."""

    def __init__(self, count: int) -> None:
        self._left = count

    def show(self, moment: Moment) -> None:
        self._left -= moment.record is not None
        if not self._left:
            raise StopSession


class StopSession(Exception):
    """Enough was seen."""
