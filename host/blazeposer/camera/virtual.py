"""Switch a virtual camera on and off, for tests, the demo and the command line."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from pathlib import Path
from types import TracebackType

from blazeposer.camera.bridge import Bridge
from blazeposer.camera.cable import Cable
from blazeposer.camera.device import Device
from blazeposer.camera.hardware import Hardware
from blazeposer.camera.micropython import MicroPython, check_platform
from blazeposer.camera.protocol_port import ProtocolPort
from blazeposer.camera.sensor import Frames
from blazeposer.core import boards
from blazeposer.core.errors import BlazePoserError
from blazeposer.openmv import register

FIRMWARES = {"5.0": "5.0.0", "5.1": "5.1.0"}
"""Firmware versions by the names that `blazeposer camera --firmware` accepts. Version 5.1 behaves as OpenMV's next
release will behave."""
FIRMWARE = FIRMWARES["5.0"]
BOARD = "rt1062"


class VirtualCamera(Bridge):
    """A virtual camera, which is on from its creation until `stop`.

    - `frames` are the images that the sensor sees. The frame number is 0 whenever MicroPython starts (after each hard
      or soft reset), and increases by one with each snapshot.
    - `port` is the path of the camera's port, or None for a path in the user's runtime folder.
    - `gray` is true if the sensor has no colour.
    - `version` is the firmware version that `omv.version_string()` returns. The firmware version also decides how the
      flash and the slot for an SD card behave.
    - `board` is the key of a board in `boards.BOARDS`. The virtual camera has the names and the drives of the chosen
      board, but not its speed or memory.
    - `card` is true if an SD card is inserted.
    - `moves` is true if the port changes at every hard reset, as the port of a real camera may do.

    MicroPython's process ends when the thread that created the virtual camera ends, even if the camera was not switched
    off. Raises BlazePoserError if the virtual camera cannot run.
    """

    def __init__(
        self,
        frames: Frames,
        port: Path | None = None,
        *,
        gray: bool = False,
        version: str = FIRMWARE,
        board: str = BOARD,
        card: bool = False,
        moves: bool = False,
    ) -> None:
        check_platform()
        if not callable(frames) and not len(frames):
            raise BlazePoserError("the virtual camera has no image: give it at least one")
        if card and not boards.with_firmware(boards.find(board), version).sd:
            raise BlazePoserError(
                f"{boards.find(board).name} with firmware {version} has no slot for an SD card: leave --card out"
            )
        super().__init__(moves=moves)
        self._frames = frames
        self._path = port
        self._moves = 0
        self._protocol: ProtocolPort
        self.port = ""
        """Path of the port, for mpremote, pyserial and the package `openmv`. One program at a time can use the port."""
        self.folder = Path(tempfile.mkdtemp(prefix="blazeposer-camera-"))
        """Folder of the camera's files (see `device.Device`)."""
        self.device = Device(self.folder, boards.find(board), secrets.token_hex(12), version, gray, card)
        self.device.format()
        try:
            self._start()
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

    def __enter__(self) -> VirtualCamera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _new_cable(self, *, moved: bool) -> Cable:
        self._moves += moved
        name = self._path or register.folder() / f"tty{self.device.serial[:6]}-{self._moves}"
        try:
            return Cable(name.absolute())
        except OSError as error:
            raise BlazePoserError(
                f"{name}: the virtual camera cannot use this port ({error.strerror}): choose another --port"
            ) from error

    def _on_cable(self, cable: Cable | None) -> None:
        if cable is None:
            register.remove(self.device.serial)
            self._protocol.close()
            return
        self._protocol = ProtocolPort(self.device, cable)
        self.port = cable.address
        register.add(self.device.serial, self.port, self.device.board.name)

    def _start_micropython(self, *, hard: bool) -> MicroPython:
        self._protocol.restart()
        return MicroPython(Hardware(self._frames, self.device, self._protocol, self._press), hard=hard)

    def _press(self) -> None:
        """Reset the camera for its script. Another thread ends MicroPython's process a little later."""
        self._reset.set()
        self._wake()

    def _took(self, output: bytes) -> bool:
        if taken := self._protocol.is_active:
            self._protocol.stdout.write(output)
        return taken
