"""Examples of board/examples on a virtual camera, whose network sees what a test says."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from blazeposer.camera import VirtualCamera
from blazeposer.camera.sensor import Frames
from blazeposer.core import contract
from blazeposer.core.prepare import Image
from blazeposer.core.resources import board_dir
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.openmv import romfs
from outputs import QUANTIZATION, Outputs
from test_board import install
from waiting import until

FRAME = np.full((240, 320, 3), 90, np.uint8)
Pose = tuple[float, float, float]
Place = tuple[float, float]


class Scene:
    """Stands in for the network: sees one face, as a test says."""

    is_int8 = True
    quantization = QUANTIZATION

    def __init__(self) -> None:
        self.frames = 0
        self.pose: Callable[[int], Pose | None] = lambda frame: None
        """Yaw, pitch and roll in a frame, None without a face."""
        self.place: Callable[[], Place] = lambda: (0.5, 0.5)
        """The face's middle, in fractions of the image."""

    def show(self, *pose: float) -> None:
        """Show one face, or none, from the next frame on."""
        self.pose = lambda frame: (pose[0], pose[1], pose[2]) if pose else None

    def run(self, image: Image) -> Outputs:
        pose = self.pose(self.frames)
        self.frames += 1
        return outputs_of(pose, self.place())

    def wait(self, frames: int) -> None:
        """Until that many more were seen."""
        least = self.frames + frames
        until(lambda: self.frames >= least, "frame")


def outputs_of(pose: Pose | None, place: Place) -> Outputs:
    """Return the network's outputs for a face a quarter as wide as the image, or for none."""
    values = [np.zeros(output.shape) for output in contract.OUTPUTS]
    names = [output.name for output in contract.OUTPUTS]
    for side in (16, 8):
        values[names.index(f"scores_{side}")] -= 8
    if pose:
        centres = contract.anchors()[: contract.GRIDS[0].count]
        best = int(np.argmin(np.linalg.norm(centres - place, axis=1)))
        values[names.index("scores_16")][0, best] = 4
        shape = values[names.index("regressors_16")][0, best]
        shape[0::2], shape[1::2] = (np.array(place) - centres[best]) * contract.REGRESSOR_UNIT
        shape[2:4] = contract.REGRESSOR_UNIT / 4
        cell = contract.cell_of_anchor()[best]
        values[names.index("rotation_16")][0, cell] = rotation_from_angles(pose)[:2].ravel()
    return [
        np.clip(np.round(value / scale) + zero, -128, 127).astype(np.int8)
        for value, (scale, zero) in zip(values, QUANTIZATION, strict=True)
    ]


@contextmanager
def running(
    example: str,
    model: Path | None,
    board: str = "h7",
    frames: Frames = (FRAME,),
    boot: str = "",
    card: bool = False,
    **settings: object,
) -> Iterator[VirtualCamera]:
    """A virtual camera that runs an example as main.py. The model, if any, is in ROMFS; with a card in, it and the
    scripts are on that, as `blazeposer deploy --to sdcard` puts them."""
    with VirtualCamera(frames, board=board, card=card) as camera:
        drive = "sdcard" if card else "flash"
        install(camera, model if card else None, drive)
        if model and not card:
            camera.device.burn(romfs.pack({"blazeposer.tflite": model.read_bytes()}, 32))
        text = (board_dir() / "examples" / f"{example}.py").read_text()
        for name, value in settings.items():
            text, count = re.subn(rf"^{name} = [^#\n]+", f"{name} = {value!r}  ", text, flags=re.MULTILINE)
            assert count == 1
        (camera.folder / drive / "main.py").write_text(text)
        (camera.folder / drive / "boot.py").write_text(boot)
        camera.reset()
        yield camera


def written(camera: VirtualCamera, to: str) -> list[Any]:
    """Return what went there, without repetitions."""
    return [value for value, _ in groupby(value for where, value in list(camera.device.written) if where == to)]


def last(camera: VirtualCamera, to: str) -> Any:
    return [None, *written(camera, to)][-1]
