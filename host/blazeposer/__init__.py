"""BlazePoser finds faces, keypoints and 3D head poses with one small INT8 network.

    from blazeposer import Detector, draw, read_image

    image = read_image("photo.jpg")
    faces = Detector()(image)
    for face in faces:
        print(face.box, face.keypoints.nose, face.yaw, face.pitch, face.roll, face.err)

The names in `__all__` are the public interface of the package. The page docs/python.md explains the public interface.
All names that are not in `__all__` may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from blazeposer.core.errors import BlazePoserError, InputError, MissingExtraError, ModelError, PortError

if TYPE_CHECKING:
    from blazeposer.core.draw import draw
    from blazeposer.core.face import Face, Keypoints
    from blazeposer.faces.detector import Detector
    from blazeposer.faces.tracker import CloserLook, Tracker
    from blazeposer.media.sources import read_image
    from blazeposer.stream.record import Record, as_line, parse_line, read_records

__version__ = "0.1.0"
__all__ = [
    "BlazePoserError", "CloserLook", "Detector", "Face", "InputError", "Keypoints", "MissingExtraError", "ModelError",
    "PortError", "Record", "Tracker", "as_line", "draw", "parse_line", "read_image", "read_records",
]  # fmt: skip

_HOMES = {
    "core.draw": ["draw"],
    "core.face": ["Face", "Keypoints"],
    "faces.detector": ["Detector"],
    "faces.tracker": ["CloserLook", "Tracker"],
    "media.sources": ["read_image"],
    "stream.record": ["Record", "as_line", "parse_line", "read_records"],
}

if not TYPE_CHECKING:  # with __getattr__, mypy would accept every name

    def __getattr__(name: str) -> object:
        """Import a public name of the package when a program first uses the name. Because numpy and OpenCV are imported
        only when a program needs them, `blazeposer --help` starts quickly."""
        for module, names in _HOMES.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
