"""Deliver pose records like a camera, from the images of a webcam, a network stream or a video."""

import time
from collections.abc import Generator

from blazeposer.core.errors import InputError
from blazeposer.faces.detector import Detector
from blazeposer.faces.tracker import CloserLook
from blazeposer.live.links import Arrival
from blazeposer.media.sources import open_source
from blazeposer.stream.record import Counts, Record, Timing


class SourceLink:
    """A `Link` that runs the network on this PC. A video file plays at its own speed. If this PC is too slow for a
    video file, frames of the video are skipped and count as lost."""

    def __init__(self, source: str) -> None:
        self.state = self.blind = ""
        self.counts = Counts()
        self._source = open_source(source)
        self.name = self._source.name
        if self._source.kind not in ("video", "camera"):
            raise InputError(f"{self.name}: not a webcam's index or a video: for images use `blazeposer detect`")
        self._look = CloserLook(Detector(), mirror=True)

    def arrivals(self) -> Generator[Arrival | None, None, None]:
        source, begin, fps = self._source, time.monotonic(), 0.0
        wait = last = begin
        for seq, frame in enumerate(source.frames):
            t = time.monotonic() - begin
            if source.kind == "video":
                due = frame.seconds
                if due < t - 1 / source.fps:
                    self.counts.lost += 1
                    continue
                time.sleep(max(0.0, due - t))
                t = due
            image, start = frame.read(), time.monotonic()
            faces = tuple(self._look(image))
            end = time.monotonic()
            # `fps` is the rate over about the last second, as on the camera.
            fps += (1 / max(end - last, 1e-3) - fps) * (min(1.0, end - last) if fps else 1.0)
            timing = Timing(round(1000 * (start - wait), 1), round(1000 * (end - start), 1), 0.0)
            wait = last = end
            height, width = image.shape[:2]
            record = Record(seq, round(1000 * t), round(fps, 1), faces, (width, height), timing)
            self.counts.records += 1
            yield Arrival(record, time.time(), image)
