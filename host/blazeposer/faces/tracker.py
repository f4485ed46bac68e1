"""Follow faces from image to image, smooth the faces' values, and run the network on the region around a face. A PC and
a camera use the same modules for this work."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from blazeposer.core.face import Face, keypoints_of
from blazeposer.core.prepare import as_rgb
from blazeposer.core.resources import board_dir

if TYPE_CHECKING:
    from blazeposer.faces.detector import Detector


@cache
def board_module(name: str) -> ModuleType:
    """Return the module `board/NAME.py`. The modules that `board/NAME.py` imports also come from `board/`, and never
    from `sys.modules`, because the name `blazeposer` has two meanings. On a PC, `blazeposer` is this package. On a
    camera, `blazeposer` is the post-processor. On a PC, MicroPython's `const` becomes a function that returns its
    argument.
    """
    path = board_dir() / f"{name}.py"
    module = ModuleType(f"{__name__}.{name}")
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), module.__dict__)
    return module


def _import(name: str, *arguments: Any) -> ModuleType:
    """Import a module as MicroPython does when the files of `board/` are on the camera's drive."""
    if name == "micropython":
        return _MICROPYTHON
    if (board_dir() / f"{name}.py").exists():
        return board_module(name)
    return builtins.__import__(name, *arguments)


_MICROPYTHON = ModuleType("micropython")
_MICROPYTHON.__dict__["const"] = lambda value: value

PATIENCE = board_module("tracking").PATIENCE_MS / 1000
"""Time in seconds for which a track continues after its face was last seen."""


class Tracker:
    """A tracker that follows faces from image to image and gives each face an id. If `smooth` is true, the tracker also
    smooths box, keypoints and angles."""

    def __init__(self, smooth: bool = True) -> None:
        self._tracker = board_module("tracking").Tracker(smooth)

    def update(self, faces: Sequence[Face], t: float) -> list[Face]:
        """Return the given faces, in the same order, with the ids of their tracks. `t` is the time of the image in
        seconds. Ids are 1, 2, ... in the order in which faces appear, and no id is used twice. The tracker does not
        change the score and the expected error of a face. Lengths may have any unit, but all calls must use the same
        unit.
        """
        found = []
        for face, (number, _, steady) in zip(faces, self._tracker.update(faces, 1000 * t), strict=True):
            if steady is not face:
                yaw, pitch, roll = steady.angles
                points = keypoints_of(steady.keypoints)
                face = replace(face, box=steady.box, keypoints=points, yaw=yaw, pitch=pitch, roll=roll)
            found.append(replace(face, id=number))
        return found


class CloserLook:
    """An object that finds faces, also small faces, in successive images. A call with an image returns the image's
    faces, the best first. For a known face, the network runs on the region around the face. If `mirror` is true, the
    network sees the mirror image of this region in every second image. A `Tracker` with smoothing then averages the
    results for the image and the mirror image.
    """

    def __init__(self, detector: Detector, mirror: bool = False) -> None:
        self._detector = detector
        self._gaze = board_module("tracking").Gaze(detector.threshold, mirror)

    def __call__(self, image: object) -> list[Face]:
        """Return the faces of an image. The image may have any form that the detector accepts. Raises InputError."""
        rgb = as_rgb(image, self._detector.order)
        height, width = rgb.shape[:2]
        x, y, w, h = self._gaze.region(width, height)
        region = None if (w, h) == (width, height) else (x, y, w)
        guess = board_module("tracking").GUESS
        found: list[Face] = self._gaze.saw(self._detector.look(rgb, region, guess, mirror=self._gaze.mirrored))
        return found
