"""Join the virtual camera's two parts, the simulated USB cable and the MicroPython process. The class `Bridge` can also
reset the camera or cut its power."""

import contextlib
import re
import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from blazeposer.camera.cable import CHUNK, LOOK, Cable
from blazeposer.camera.device import Device
from blazeposer.camera.hardware import Hardware
from blazeposer.camera.micropython import MicroPython
from blazeposer.camera.protocol_port import ProtocolPort
from blazeposer.camera.sensor import Frames
from blazeposer.core.errors import BlazePoserError
from blazeposer.openmv import register

CTRL_A, CTRL_C = b"\x01", b"\x03"
RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n"
FRIENDLY_PROMPT = b"\r\n>>> "
_POLL = 0.001  # seconds between two checks whether the REPL reads again
# Next piece of the PC's input. MicroPython gets one piece at a time, because after each piece a script may run. Ctrl-C
# is a piece of its own, because Ctrl-C may be meant for a script.
_PART = re.compile(rb"\x03|[^\x03\x04\r]*[\x04\r]?")


class Bridge:
    """A thread that transfers bytes between the USB cable and MicroPython's REPL until `stop` is called.

    The bridge adds features that MicroPython's unix build lacks. The bridge ends each line of output with CR LF, passes
    Ctrl-C to a running script, and carries out soft and hard resets. At a soft reset, the MicroPython process ends, and
    a new process starts in the same REPL mode as before (raw or friendly).
    """

    def __init__(self, frames: Frames, device: Device, port: Path | None, *, moves: bool) -> None:
        self._frames = frames
        self.device = device
        self.port = ""
        """Path of the port, for mpremote, pyserial and the package `openmv`. One program at a time can use the port."""
        self._path = port
        self._port_moves = moves
        self._moves = 0
        self.traffic = 0
        """Number of bytes that have passed between the port and the REPL, in both directions."""
        self._fault: tuple[int, Callable[[], None]] | None = None
        self._cable: Cable | None = None
        self._to_camera = b""  # bytes from the PC that wait while a script runs
        self._seen = b""  # latest output; the bridge searches it for the REPL's banners
        self._raw = False  # True in the raw REPL, False in the friendly REPL
        self._entering_raw = False
        self._reset = threading.Event()
        self._plugging = threading.Event()
        self._stop = threading.Event()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._micropython: MicroPython | None = None
        """MicroPython's process, or None while the cable is unplugged."""
        self._starting = False
        """True from a start with power or a hard reset until the port is visible."""
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        try:
            self._ask(self._plugging)
        except BaseException:
            Bridge.stop(self)
            raise
        if not self.is_running:
            Bridge.stop(self)

    def reset(self) -> None:
        """Press the camera's reset button, and return as soon as the port is visible again. As at a real camera, a
        program that has the port open loses the connection."""
        self._ask(self._reset)

    def unplug_after(self, count: int) -> None:
        """Unplug the cable when `traffic` has grown by `count` bytes. An unplugged camera has no power."""
        self._fault = (self.traffic + count, self._unplug)
        self._wake()

    def reset_after(self, count: int) -> None:
        self._fault = (self.traffic + count, self._reset.set)
        self._wake()

    @property
    def is_plugged_in(self) -> bool:
        """Return whether the PC can see the camera's port."""
        return self._cable is not None and not self._starting

    def plug_in(self) -> None:
        """Plug the cable in again, and return as soon as the port is visible. If a call of `unplug_after` or
        `reset_after` has not yet taken effect, cancel the call first."""
        self._fault = None
        self._ask(self._plugging)

    @property
    def is_running(self) -> bool:
        """Return whether the camera is switched on and has not failed."""
        return self._thread.is_alive() and self._error is None

    def stop(self) -> None:
        """Switch the camera off. If an error has ended the thread, raise the error."""
        self._stop.set()
        self._wake()
        self._thread.join()
        self._close()
        if self._error is not None:
            raise self._error

    def _wake(self) -> None:
        self._wake_writer.send(b"!")

    def _ask(self, what: threading.Event) -> None:
        """Set an event for the bridge's thread, and wait until the thread has handled the event."""
        what.set()
        self._wake()
        while (what.is_set() or self._starting) and self.is_running:
            time.sleep(_POLL)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._change()
                self._send_to_camera()
                self._wait()
        except BaseException as error:
            self._error = error
        finally:
            self._unplug()

    def _change(self) -> None:
        if self._fault and self.traffic >= self._fault[0]:
            fault, self._fault = self._fault[1], None
            fault()
        plugging, reset = self._plugging.is_set(), self._reset.is_set()
        if self._micropython is None:
            if plugging:
                self._start()
        elif reset or self._micropython.hardware.reset.is_set():
            self._unplug()
            self._moves += self._port_moves
            self._start()
        if plugging:
            self._plugging.clear()
        if reset:
            self._reset.clear()
        if self._starting and self._micropython and self._micropython.hardware.ready.is_set():
            self._show_port()
            self._starting = False

    def _start(self) -> None:
        self._starting = True
        name = self._path or register.folder() / f"tty{self.device.serial[:6]}-{self._moves}"
        self._cable = Cable(name.absolute())
        self._protocol = ProtocolPort(self.device, self._cable)
        self._restart(hard=True)

    def _close(self) -> None:
        self._wake_reader.close()
        self._wake_writer.close()

    def _show_port(self) -> None:
        """Make the port visible on the PC, because MicroPython has mounted its drives."""
        assert self._cable is not None
        self.port = self._cable.address
        try:
            self._cable.show()
        except OSError as error:
            raise BlazePoserError(
                f"{self.port}: the virtual camera cannot use this port ({error.strerror}): choose another --port"
            ) from error
        register.add(self.device.serial, self.port, self.device.board.name)

    def _unplug(self) -> None:
        self._end()
        self._starting = False
        cable, self._cable = self._cable, None
        if cable is not None:
            register.remove(self.device.serial)
            self._protocol.close()
            cable.close()
        self._to_camera = b""

    def _wait(self) -> None:
        console = self._micropython.console if self._micropython else None
        cable = self._cable
        readers: list[socket.socket | int] = [self._wake_reader]
        writers: list[int] = []
        if cable is not None and cable.is_connected:
            readers.append(cable.end)
            writers += [cable.end] if cable.outgoing else []
        if console is not None and (cable is None or len(cable.outgoing) < CHUNK):
            readers.append(console)  # while `outgoing` is full, MicroPython waits, as on a camera
        pause = _POLL if self._to_camera else None if cable is None or cable.is_connected else LOOK
        readable, writable, _ = select.select(readers, writers, [], pause)
        if self._wake_reader in readable:
            self._wake_reader.recv(CHUNK)
        if console in readable:
            self._read_console()
        if cable is not None:
            if writable:
                self.traffic += cable.send()
            data = cable.receive()
            if self._fault:  # the bytes after the planned fault do not arrive
                data = data[: max(0, self._fault[0] - self.traffic)]
            self.traffic += len(data)
            self._to_camera += data

    def _read_console(self) -> None:
        assert self._micropython is not None
        try:
            output = self._micropython.console.recv(CHUNK)
        except ConnectionResetError:  # the process ended without reading all input
            output = b""
        if not self._micropython.hardware.ready.is_set() and (not output or FRIENDLY_PROMPT in self._seen + output):
            said = (self._seen + output).partition(b"MicroPython ")[0].decode(errors="replace").strip()
            reason = (said or "it ends").splitlines()[-1]
            raise BlazePoserError(f"the virtual camera's MicroPython does not start: {reason}")
        if not output:  # at a soft reset, the process ends
            self._pass_on(b"\r\nMPY: soft reboot\r\n")
            self._restart(hard=False)
            return
        before = b"\r" if self._seen.endswith(b"\r") else b""
        output = re.sub(rb"(?<!\r)\n", b"\r\n", before + output)[len(before) :]  # as a camera's print() does
        self._seen = (self._seen + output)[-CHUNK:]
        raw, friendly = self._seen.rfind(RAW_BANNER), self._seen.rfind(FRIENDLY_PROMPT)
        if self._entering_raw:
            if raw < 0:
                return  # drop the friendly REPL's greeting: a camera in the raw REPL prints none
            output, self._entering_raw = self._seen[raw:], False
        if raw != friendly:
            self._raw = raw > friendly
        self._pass_on(output)

    def _end(self) -> None:
        micropython, self._micropython = self._micropython, None
        if micropython is not None:
            micropython.end()

    def _restart(self, *, hard: bool) -> None:
        self._end()
        if hard:  # a hard reset clears the camera's memory
            self._raw = False
        self._seen = b""
        self._micropython = self._start_micropython(hard=hard)
        self._entering_raw = self._raw
        if self._raw:
            self._to_camera = CTRL_A + self._to_camera

    def _start_micropython(self, *, hard: bool) -> MicroPython:
        self._protocol.restart()
        return MicroPython(Hardware(self._frames, self.device, self._protocol, self._wake), hard=hard)

    def _pass_on(self, output: bytes) -> None:
        if self._protocol.is_active:
            self._protocol.stdout.write(output)
        elif self._cable:
            self._cable.outgoing += output

    def _send_to_camera(self) -> None:
        """Send the PC's bytes to MicroPython's REPL as soon as the REPL can read the bytes. Ctrl-C stops a running
        script at once, and deletes the bytes that wait for the script's end (MicroPython 1.28,
        shared/tinyusb/mp_usbd_cdc.c, tud_cdc_rx_cb). Real cameras with an STM32 also delete waiting bytes when a PC
        program opens or closes the port (openmv v5.0, omv_protocol_channel_stmusb.c). The bridge does not imitate the
        deletion at opening or closing.
        """
        if not self._to_camera or self._micropython is None:
            return
        if self._micropython.is_running():
            if CTRL_C in self._to_camera and self._micropython.interrupt():
                self._to_camera = self._to_camera.rpartition(CTRL_C)[2]
        elif self._micropython.is_waiting() and (part := _PART.match(self._to_camera)):
            with contextlib.suppress(OSError):  # the process has just ended; the next read reports this
                sent = self._micropython.console.send(part[0])
                self._to_camera = self._to_camera[sent:]
