"""Follow faces from image to image, smooth their values and look closer, with the camera's own modules on a PC."""

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
    """Return the module `board/NAME.py`.

    Its imports also come from `board/`, never from `sys.modules`, because the name `blazeposer` has two meanings: on a
    PC it is this package, on a camera it is the post-processor. MicroPython's `const` returns its argument.
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
"""Time in seconds that a track continues after its face was last seen."""


class Tracker:
    """Follows faces from image to image and gives them ids. With `smooth`, it also smooths box, keypoints and
    angles."""

    def __init__(self, smooth: bool = True) -> None:
        self._tracker = board_module("tracking").Tracker(smooth)

    def update(self, faces: Sequence[Face], t: float) -> list[Face]:
        """Return the faces of the image taken at `t` seconds, in their order, with the ids of their tracks.

        Ids are 1, 2, ... in the order of appearance. An id is never used twice. Score and expected error do not change.
        Lengths may have any unit, but the unit must stay the same.
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
    """Finds faces, also small ones, in successive images. A call with an image returns its faces, the best first.

    With `mirror`, every second look at a known face is at the mirror image. A `Tracker` with smoothing then averages
    both.
    """

    def __init__(self, detector: Detector, mirror: bool = False) -> None:
        self._detector = detector
        self._gaze = board_module("tracking").Gaze(detector.threshold, mirror)

    def __call__(self, image: object) -> list[Face]:
        """Return the faces of an image. The image is of a kind that the detector accepts. Raises InputError."""
        rgb = as_rgb(image, self._detector.order)
        height, width = rgb.shape[:2]
        x, y, w, h = self._gaze.region(width, height)
        region = None if (w, h) == (width, height) else (x, y, w)
        guess = board_module("tracking").GUESS
        found: list[Face] = self._gaze.saw(self._detector.look(rgb, region, guess, mirror=self._gaze.mirrored))
        return found
