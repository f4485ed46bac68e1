"""Switch a virtual camera on and off, for tests, the demo and the command line."""

import secrets
import shutil
import tempfile
from pathlib import Path

from blazeposer.camera.bridge import Bridge
from blazeposer.camera.device import Device
from blazeposer.camera.micropython import check_platform
from blazeposer.camera.sensor import Frames
from blazeposer.core import boards
from blazeposer.core.errors import BlazePoserError

FIRMWARES = {"5.0": "5.0.0", "5.1": "5.1.0"}
"""Firmware versions by the names that `blazeposer camera --firmware` accepts. Version 5.1 behaves as OpenMV's next
release will behave."""
BOARD = "rt1062"


class VirtualCamera(Bridge):
    """A virtual camera, which is on from its creation until `stop`.

    - `frames` are the images that the sensor sees. The frame number is 0 whenever MicroPython starts (after each hard
      or soft reset), and increases by one with each snapshot.
    - `port` is the path of the camera's port, or None for a path in the user's runtime folder.
    - `gray` is true if the sensor has no colour.
    - `version` is the firmware version that `omv.version_string()` returns. The firmware version also decides how the
      flash and the slot for an SD card behave.
    - `board` is the key of a board in `boards.BOARDS`. The virtual camera identifies itself as this board and has the
      drives of this board, but not its speed or memory.
    - `card` is true if an SD card is inserted.
    - `moves` is true if the port gets another name at every hard reset, as the port of a real camera may do.

    MicroPython's process ends when the PC's process ends, even if the camera was not switched off. Raises
    BlazePoserError if the virtual camera cannot run.
    """

    def __init__(
        self,
        frames: Frames,
        port: Path | None = None,
        *,
        gray: bool = False,
        version: str = FIRMWARES["5.0"],
        board: str = BOARD,
        card: bool = False,
        moves: bool = False,
    ) -> None:
        check_platform()
        if not callable(frames) and not len(frames):
            raise BlazePoserError("the virtual camera has no image: give it at least one")
        found = boards.find(board)
        if card and not boards.with_firmware(found, version).sd:
            raise BlazePoserError(f"{found.name} with firmware {version} has no slot for an SD card: leave --card out")
        self.folder = Path(tempfile.mkdtemp(prefix="blazeposer-camera-"))
        """Folder of the camera's files (see `device.Device`)."""
        device = Device(self.folder, found, secrets.token_hex(12), version, gray, card)
        device.format()
        try:
            super().__init__(frames, device, port, moves=moves)
        except BaseException:
            shutil.rmtree(self.folder)
            raise

    def stop(self) -> None:
        """Switch the camera off, close its port and delete its files. If an error has stopped the camera, raise the
        error."""
        try:
            super().stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "VirtualCamera":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
