"""The virtual camera as tests, demo and command line use it."""

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
from blazeposer.camera.protocol import ProtocolPort
from blazeposer.camera.sensor import Frames
from blazeposer.core import boards
from blazeposer.core.errors import BlazePoserError
from blazeposer.openmv import register

FIRMWARES = {"5.0": "5.0.0", "5.1": "5.1.0"}
"""Versions by their names for `blazeposer camera --firmware`; 5.1 behaves as OpenMV's next release will."""
FIRMWARE = FIRMWARES["5.0"]
BOARD = "rt1062"


class VirtualCamera(Bridge):
    """A camera that lives in this process and in a MicroPython process that it starts.

    frames: what the sensor sees, see `sensor.Frames` and `sensor.view`. Numbers start at 0 whenever MicroPython does
        (at hard and soft resets) and grow by one a snapshot: `seq` in board/main.py's stream is the frame's number.
    port: path of its port, by default one in the user's runtime folder. Its user alone can open it.
    gray: the sensor has no colour.
    version: what `omv.version_string()` answers; it decides what its flash and its slot for a card can do, too.
    board: a key of `boards.BOARDS`; it answers by that board's names and has its stores, but not its speed or memory.
    card: an SD card is in.
    moves: its port changes at every hard reset, as a camera's may.

    MicroPython ends with the thread that makes the camera, if that thread ends first.

    Raises BlazePoserError where it cannot run: not Linux, extra `demo` missing, port taken, no frames.
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
            raise BlazePoserError("the virtual camera has no image to show: give it one at least")
        if card and not boards.with_firmware(boards.find(board), version).sd:
            raise BlazePoserError(f"{boards.find(board).name} with firmware {version} takes no SD card: leave it out")
        super().__init__(moves=moves)
        self._frames = frames
        self._path = port
        self._moves = 0
        self._protocol: ProtocolPort
        self.port = ""
        """A pseudo-terminal for mpremote, pyserial and the package `openmv`. One user at a time; the latest output
        waits for the next one."""
        self.folder = Path(tempfile.mkdtemp(prefix="blazeposer-camera-"))
        """The camera's files, see `device.Device`."""
        self.device = Device(self.folder, boards.find(board), secrets.token_hex(12), version, gray, card)
        self.device.format()
        try:
            self._start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise

    def stop(self) -> None:
        """Switch the camera off: close its port and delete its files. Raises what it has failed with."""
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
            raise BlazePoserError(f"{name}: cannot be its port ({error.strerror}): choose another --port") from error

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
        """Reset because the script says so: its process ends when the bridge comes to it."""
        self._reset.set()
        self._wake()

    def _took(self, output: bytes) -> bool:
        if taken := self._protocol.is_active:
            self._protocol.stdout.write(output)
        return taken
