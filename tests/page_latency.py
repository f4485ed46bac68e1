"""Measure the time from a record's arrival on the PC until a real browser has drawn it: `make page-latency`, with
`PICTURE=file.png` for an image of the page.

The end is the start of the browser's next frame after the drawing, when it is on the screen. Both ends are taken on one
machine's clock.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from blazeposer.live.links import Link
from blazeposer.live.recording import Recording
from blazeposer.live.session import run
from blazeposer.live.source import SourceLink
from blazeposer.live.usb import UsbLink
from blazeposer.live.web.server import WebView
from blazeposer.media.output import VideoWriter
from blazeposer.openmv.ports import Port
from blazeposer.scene.sequence import frames
from browser import opened
from live import streaming_camera
from waiting import InThread

DRAWN = 300
PATIENCE = 180.0


def measure(link: Link, picture: Path | None = None) -> str:
    """A line about `DRAWN` records of a link, fewer if it ends or is slow. `picture`: where to write the page's."""
    with opened() as browser, WebView(Recording(), port=0) as web:
        page = browser.new_page(viewport={"width": 1180, "height": 800})
        page.goto(web.url)
        session = InThread(lambda: run(link, [web]))
        deadline = time.monotonic() + PATIENCE
        while session.is_running() and time.monotonic() < deadline and page.evaluate("blazeposer.drawn") < DRAWN + 20:
            time.sleep(0.5)
        delays = np.array(page.evaluate("blazeposer.delays")[20:])  # the first wait for fonts and compilers
        if not len(delays):
            return "nothing was drawn"
        median, most, longest = np.percentile(delays, [50, 95, 100])
        version = browser.version
        if picture:
            page.screenshot(path=picture)
    return f"{len(delays)} records: median {median:.0f} ms, 95 % {most:.0f} ms, longest {longest:.0f} ms ({version})"


def over_camera() -> str:
    """The virtual camera, all of whose load this machine has too."""
    camera = streaming_camera()
    try:
        return measure(UsbLink(Port(camera.port)))
    finally:
        camera.stop()


def over_video(picture: Path | None) -> str:
    """The demo's head as a video, with its images on the page."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "head.mp4")
        with VideoWriter(path, 25.0) as writer:
            for frame in frames()[:80] * ((DRAWN + 20) // 80 + 1):
                writer.write(frame.picture)
        return measure(SourceLink(str(path)), picture)


def main() -> None:
    """Print all lines."""
    print(f"virtual camera: {over_camera()}", flush=True)
    print(f"video with pictures: {over_video(Path(sys.argv[1]) if len(sys.argv) > 1 else None)}")
    print(f"{os.cpu_count()} cores, of which {os.getloadavg()[0]:.1f} were in use")


if __name__ == "__main__":
    main()
