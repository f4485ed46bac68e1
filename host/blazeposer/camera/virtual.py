"""The virtual camera as tests, demo and command line use it."""

from __future__ import annotations

import shutil
import socket
import tempfile
from pathlib import Path
from types import TracebackType

from blazeposer.camera.bridge import Bridge
from blazeposer.camera.hardware import Hardware
from blazeposer.camera.micropython import MicroPython, check_platform
from blazeposer.camera.sensor import Frames
from blazeposer.errors import BlazePoserError

FIRMWARE = "5.0.0"


class VirtualCamera:
    """A camera that lives in this process and in a MicroPython process that it starts.

    frames: what the sensor sees, see `sensor.Frames` and `sensor.view`. Numbers start at 0 whenever MicroPython does
        (at hard and soft resets) and grow by one a snapshot: `seq` in board/main.py's stream is the frame's number.
    port: TCP port of the link on 127.0.0.1; 0 takes a free one.
    gray: the sensor has no colour.
    version: what `omv.version_string()` answers.

    Raises BlazePoserError where it cannot run: not Linux, extra `demo` missing, port taken, no frames.
    """

    def __init__(self, frames: Frames, port: int = 0, *, gray: bool = False, version: str = FIRMWARE) -> None:
        check_platform()
        if not callable(frames) and not len(frames):
            raise BlazePoserError("the virtual camera has no picture to show: give it one at least")
        self._frames = frames
        self._gray = gray
        self._version = version
        try:
            listener = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            raise BlazePoserError(f"port {port} is taken ({error.strerror}): choose another, or 0 for any") from error
        self.port = f"socket://127.0.0.1:{listener.getsockname()[1]}"
        """For mpremote and pyserial. One user at a time; what the camera prints while there is none is lost."""
        self.folder = Path(tempfile.mkdtemp(prefix="blazeposer-camera-"))
        """The camera's files: `folder / "flash"`, `folder / "rom"`."""
        for name in ("flash", "rom"):
            (self.folder / name).mkdir()
        self._bridge = Bridge(listener, self._start_micropython)

    def reset(self) -> None:
        """Press the reset button, as machine.reset() does: boot.py and main.py run. Connections stay."""
        self._bridge.hard_reset()

    def stop(self) -> None:
        """Switch the camera off: close its port and delete its files."""
        self._bridge.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> VirtualCamera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _start_micropython(self, hard: bool) -> MicroPython:
        hardware = Hardware(self._frames, self.folder, self._gray, self._version, self.reset)
        return MicroPython(self.folder, hardware, hard=hard)
