"""Follow and smooth faces from image to image, and choose the region of the image for the network. The PC runs the
camera's own modules from `board/`."""

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
    """Load the module `board/NAME.py` and return it. In the loaded module, `import blazeposer` imports
    `board/blazeposer.py` and not this Python package, and MicroPython's function `const` returns its argument."""
    path = board_dir() / f"{name}.py"
    module = ModuleType(f"{__name__}.{name}")
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), module.__dict__)
    return module


def _import(name: str, *arguments: Any) -> ModuleType:
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
    """A tracker that follows faces from image to image and gives each face an id. If `smooth` is true, a `Tracker` also
    smooths the boxes, keypoints and angles of the faces."""

    def __init__(self, smooth: bool = True) -> None:
        self._tracker = board_module("tracking").Tracker(smooth)

    def update(self, faces: Sequence[Face], t: float) -> list[Face]:
        """Return `faces` in the same order, each with the id of its track. A track is one face in successive images.
        The argument `t` is the time of the image in seconds. New tracks get the ids 1, 2, 3 and so on, and no id is
        used twice. Boxes and keypoints may have any unit of length, but the caller must use the same unit in all
        calls."""
        found = []
        for face, (number, _, steady) in zip(faces, self._tracker.update(faces, 1000 * t), strict=True):
            if steady is not face:
                yaw, pitch, roll = steady.angles
                points = keypoints_of(steady.keypoints)
                face = replace(face, box=steady.box, keypoints=points, yaw=yaw, pitch=pitch, roll=roll)
            found.append(replace(face, id=number))
        return found


class CloserLook:
    """A face finder for successive images, for example the images of a video. The network usually runs only on a region
    around the faces of the previous image. In this region, the network also finds small faces. Calling a `CloserLook`
    with an image returns the faces in the image, with the highest score first. If `mirror` is true, the network gets
    the mirror image of every second image while faces are followed. A `Tracker` with `smooth` averages the results for
    normal and mirrored images."""

    def __init__(self, detector: Detector, mirror: bool = False) -> None:
        self._detector = detector
        self._gaze = board_module("tracking").Gaze(detector.threshold, mirror)

    def __call__(self, image: object) -> list[Face]:
        """Return the faces of an image. Raises InputError if the function `as_rgb` does not accept the image."""
        rgb = as_rgb(image, self._detector.order)
        height, width = rgb.shape[:2]
        x, y, w, h = self._gaze.region(width, height)
        region = None if (w, h) == (width, height) else (x, y, w)
        guess = board_module("tracking").GUESS
        found: list[Face] = self._gaze.saw(self._detector.look(rgb, region, guess, mirror=self._gaze.mirrored))
        return found
