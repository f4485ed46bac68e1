"""Draw the page in a real browser with the demo's synthetic heads: `make page-pictures OUT=folder`.

One image for each width (desktop, phone), theme (dark, light), one to four faces, with and without the camera's
image.
"""

import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from blazeposer.faces.detector import Detector
from blazeposer.live.centre import Centre
from blazeposer.live.links import Arrival
from blazeposer.live.recording import Recording
from blazeposer.live.session import Follower, Moment
from blazeposer.live.usb import BLIND
from blazeposer.live.web.server import WebView
from blazeposer.scene.sequence import SEATS, SIDE, DemoFrame, Person
from blazeposer.stream.record import Counts, Record, Timing
from browser import opened
from waiting import until

SIZES = {"desktop": (1180, 800), "phone": (390, 844)}
FRAMES, STEP = 48, 1 / 7.3
"""Frames of each scene, and seconds between two: as estimated for an OpenMV Cam H7."""
SEATS_OF = {1: ((0.5, 0.46, 1.9),), **SEATS}


def scene(count: int) -> list[Moment]:
    """Return the moments of so many heads, each of which turns at its own pace."""
    detect, follow, centre, moments = Detector(fast=True), Follower(), Centre(), []
    for number in range(FRAMES):
        people = []
        for seat, (x, y, scale) in enumerate(SEATS_OF[count]):
            phase = number / 14 + 1.7 * seat
            yaw, pitch, roll = 30 * np.sin(phase), 14 * np.sin(1.7 * phase), 18 * np.sin(0.6 * phase)
            people.append(Person((float(yaw), float(pitch), float(roll)), (x * SIDE, y * SIDE), scale))
        picture = DemoFrame(tuple(people)).picture
        milliseconds = round(1000 * STEP * number)
        record = Record(number, milliseconds, 7.3, tuple(detect(picture)), (SIDE, SIDE), Timing(3.0, 126.0, 8.0))
        empty = Moment("/dev/ttyACM0", "", Counts(records=number + 1), blind=BLIND)
        moments.append(centre(follow(empty, Arrival(record, 1.7e9 + STEP * number, picture))))
    return moments


def main(folder: Path) -> None:
    """Write all images into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = {count: scene(count) for count in SEATS_OF}
    with opened() as browser:
        for (device, (width, height)), theme, (count, moments), pictures in product(
            SIZES.items(), ("dark", "light"), scenes.items(), (True, False)
        ):
            with WebView(Recording(), port=0) as web:
                page = browser.new_page(
                    viewport={"width": width, "height": height}, color_scheme="light" if theme == "light" else "dark"
                )
                page.goto(web.url)
                for moment in moments:
                    drawn = page.evaluate("blazeposer.drawn")
                    web.show(moment if pictures else replace(moment, picture=None))
                    until(lambda page=page, drawn=drawn: page.evaluate("blazeposer.drawn") > drawn, "drawing")  # type: ignore[misc]
                page.screenshot(path=folder / f"{device}-{theme}-{count}{'' if pictures else '-blind'}.png")
                page.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
