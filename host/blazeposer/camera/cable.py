"""The virtual camera's USB cable: a pseudo-terminal, which its user alone can open.

As on a camera the baud rate decides who answers: Protocol V2 (protocol.py) at 921600, else the REPL (bridge.py).
"""

from __future__ import annotations

import contextlib
import os
import select
from pathlib import Path

CHUNK = 4096
KEPT = 512
"""Bytes of output that wait for the next program to open the port, the latest. MicroPython 1.28: CFG_TUD_CDC_TX_BUFSIZE
of shared/tinyusb/tusb_config.h with mp_usbd_cdc.c, "fifo will retain latest"; 1024 in ports/stm32/usbd_cdc_interface.c.
"""
LOOK = 0.02
"""Seconds between two looks at whether a program opened the port: nothing else tells."""


class Cable:
    """One plug-in of the camera: from when its port appears until `close`.

    The port has a name of its own: by that under /dev/pts, mpremote 1.29 takes it for no camera, and waits for ever
    (transport_serial.py, is_pty). Raises OSError if the name is taken.
    """

    def __init__(self, name: Path) -> None:
        import tty

        self.end, terminal = os.openpty()
        """The camera's end."""
        self.address = str(name)
        """Name that the PC opens."""
        self.outgoing = b""
        """Bytes on their way to the program that opened it; the latest of them wait for the next one."""
        self.is_connected = False
        """True if a program of the PC had opened it for the REPL at the last look."""
        try:
            tty.setraw(terminal)
            os.chmod(os.ttyname(terminal), 0o600)
            name.symlink_to(os.ttyname(terminal))
        except OSError:
            os.close(self.end)
            raise
        finally:
            os.close(terminal)
        os.set_blocking(self.end, False)

    def receive(self) -> bytes:
        """Return what came for the REPL, after a look at whether a program comes or goes."""
        data = b""
        events, is_protocol = self._events(), self._is_at_protocol_rate()
        if events & select.POLLIN and not is_protocol:
            with contextlib.suppress(OSError):  # closed just now
                data = os.read(self.end, CHUNK)
        self.is_connected = not is_protocol and (bool(data) or not events & select.POLLHUP)
        return data

    def send(self) -> int:
        """Send what is possible of `outgoing`; return the number of bytes."""
        try:
            sent = os.write(self.end, self.outgoing)
        except OSError:  # it is full, or closed just now
            return 0
        self.outgoing = self.outgoing[sent:]
        return sent

    def is_open_for_protocol(self) -> bool:
        """Return whether a program of the PC has opened it for Protocol V2."""
        return self._is_at_protocol_rate() and not self._events() & select.POLLHUP

    def close(self) -> None:
        """Pull it."""
        Path(self.address).unlink(missing_ok=True)
        os.close(self.end)

    def _events(self) -> int:
        poll = select.poll()
        poll.register(self.end, select.POLLIN)
        return sum(event for _, event in poll.poll(0))

    def _is_at_protocol_rate(self) -> bool:
        import termios

        return termios.tcgetattr(self.end)[4] == termios.B921600
