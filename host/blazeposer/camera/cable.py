"""Imitate a USB cable with a pseudo-terminal. Only the user who runs the virtual camera can open the pseudo-terminal.

As on a real camera, OpenMV's Protocol V2 answers the PC at 921600 baud (protocol_port.py). At all other baud rates, the
REPL answers (bridge.py).
"""

import contextlib
import os
import select
import threading
from pathlib import Path

CHUNK = 4096
KEPT = 512
"""Largest number of output bytes that wait until a program opens the port. If there are more bytes, only the latest
bytes wait. The rule is from MicroPython 1.28 (CFG_TUD_CDC_TX_BUFSIZE in shared/tinyusb/tusb_config.h, and "fifo will
retain latest" in mp_usbd_cdc.c). In ports/stm32/usbd_cdc_interface.c, the number is 1024."""
LOOK = 0.02
"""Time in seconds between two checks whether a program has opened the port. Linux does not report the opening."""


class Cable:
    """A cable between the virtual camera and the PC, from plugging in to unplugging.

    The camera's port has a name outside of the folder /dev/pts, because mpremote 1.29 would wait forever for a port in
    /dev/pts (transport_serial.py, is_pty).
    """

    def __init__(self, name: Path) -> None:
        import tty

        self.end, terminal = os.openpty()
        """File descriptor of the camera's end of the cable."""
        self.address = str(name)
        """Name of the port that the PC opens."""
        self.outgoing = b""
        """Bytes to send to the program that has opened the port. If no program has opened the port, the last `KEPT`
        bytes wait."""
        self.is_connected = False
        """True if a program on the PC had the port open for the REPL at the last call of `receive`."""
        self.is_visible = False
        self._is_open = False  # for the REPL or the protocol, at the last call of `receive`
        self._writing = threading.Lock()  # else `receive` could delete an answer to the next program
        self._terminal = os.ttyname(terminal)
        tty.setraw(terminal)
        os.chmod(self._terminal, 0o600)
        os.close(terminal)
        os.set_blocking(self.end, False)

    def show(self) -> None:
        """Make the port visible on the PC. Raises OSError if a file with the name of the port already exists."""
        Path(self.address).symlink_to(self._terminal)
        self.is_visible = True

    def receive(self) -> bytes:
        """Check whether a program opened or closed the port, and return the bytes that the PC sent to the REPL."""
        data = b""
        with self._writing:
            events, is_protocol = self._events(), self._is_at_protocol_rate()
            if events & select.POLLIN and not is_protocol:
                with contextlib.suppress(OSError):  # the port was closed just now
                    data = os.read(self.end, CHUNK)
            was_open, self._is_open = self._is_open, not events & select.POLLHUP
            if was_open and not self._is_open:
                self._delete_unread()
        self.is_connected = not is_protocol and self._is_open
        if not self.is_connected:
            self.outgoing = self.outgoing[-KEPT:]
        return data

    def send(self) -> int:
        """Send as many bytes of `outgoing` as possible, and return their number."""
        try:
            sent = self.write(self.outgoing)
        except OSError:  # the buffer is full, or the port was closed just now
            return 0
        self.outgoing = self.outgoing[sent:]
        return sent

    def write(self, data: bytes) -> int:
        """Write as many bytes of `data` as possible, and return their number. Raises OSError if no byte can be written.
        Any thread may call this method."""
        with self._writing:
            return os.write(self.end, data)

    def is_open_for_protocol(self) -> bool:
        return self._is_at_protocol_rate() and not self._events() & select.POLLHUP

    def close(self) -> None:
        if self.is_visible:
            self.is_visible = False
            Path(self.address).unlink(missing_ok=True)
        os.close(self.end)

    def _delete_unread(self) -> None:
        """Delete the bytes that a program did not read before it closed the port. Linux does this for a USB port, but
        not for a pseudo-terminal. If the next program opens the port before `receive` sees that it was closed, the next
        program gets these bytes, because Linux does not report the opening."""
        import termios

        try:
            terminal = os.open(self._terminal, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:  # a program has opened the port for itself alone (TIOCEXCL)
            return
        try:
            termios.tcflush(terminal, termios.TCIFLUSH)
        finally:
            os.close(terminal)

    def _events(self) -> int:
        poll = select.poll()
        poll.register(self.end, select.POLLIN)
        return sum(event for _, event in poll.poll(0))

    def _is_at_protocol_rate(self) -> bool:
        import termios

        return termios.tcgetattr(self.end)[4] == termios.B921600
