"""The virtual camera's USB: a TCP port on one side, MicroPython's terminal on the other, and the resets."""

from __future__ import annotations

import os
import re
import select
import socket
import threading
import time
from collections.abc import Callable

from blazeposer.camera.micropython import MicroPython

CTRL_A, CTRL_C = b"\x01", b"\x03"
RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n"
FRIENDLY_PROMPT = b"\r\n>>> "
PROMPTS = (b">>> ", b"... ", b"=== ", b"\n>", b"\x04>")
_CHUNK = 4096
_POLL = 0.001  # seconds between two looks at whether the REPL reads again
# Input after which the REPL switches its terminal's mode, and with that drops whatever comes before the next prompt.
_SWITCHES = {"friendly": re.compile(rb"[\r\x01\x04]"), "raw": re.compile(rb"[\x02\x04]")}
_NO_PROMPT = 0.05  # seconds after which one is not expected any more: the end of a raw paste has none


class Bridge:
    """Carries bytes in a thread of its own until `stop`. `start_micropython(hard)` starts a new run.

    The unix build's REPL is that of a camera but for what the bridge adds: lines that end in CR LF, Ctrl-C while a
    script runs, soft reset (the process ends, the next one comes back in the same kind of REPL) and hard reset.
    """

    def __init__(self, listener: socket.socket, start_micropython: Callable[[bool], MicroPython]) -> None:
        self._listener = listener
        self._start_micropython = start_micropython
        self._client: socket.socket | None = None
        self._to_camera = b""  # held back while a script runs
        self._to_client = b""
        self._seen = b""  # the end of the output, in which prompts are found
        self._raw = False  # which kind of REPL it is
        self._entering_raw = False
        self._prompt_due = 0.0  # until when more input has to wait for a prompt
        self._reset = threading.Event()
        self._stop = threading.Event()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._micropython = start_micropython(True)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def hard_reset(self) -> None:
        """Reset as the button does: boot.py and main.py run."""
        self._reset.set()
        self._wake_writer.send(b"!")

    def stop(self) -> None:
        """End MicroPython and the connection."""
        self._stop.set()
        self._wake_writer.send(b"!")
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._reset.is_set():
                self._reset.clear()
                self._raw = False
                self._to_camera = b""
                self._restart(hard=True)
            self._send_to_camera()
            self._wait()
        self._micropython.end()
        for connection in (self._client, self._listener, self._wake_reader, self._wake_writer):
            if connection is not None:
                connection.close()

    def _wait(self) -> None:
        """Until something comes, and take it."""
        console = self._micropython.console
        readers: list[socket.socket | int] = [self._listener, self._wake_reader]
        if len(self._to_client) < _CHUNK:  # else let MicroPython wait, as on a full USB buffer
            readers.append(console)
        if self._client is not None:
            readers.append(self._client)
        writers = [self._client] if self._client is not None and self._to_client else []
        readable, writable, _ = select.select(readers, writers, [], _POLL if self._to_camera else None)
        if self._wake_reader in readable:
            self._wake_reader.recv(_CHUNK)
        if console in readable:
            self._read_console()
        if self._client in readable:
            self._read_client()
        if self._client is not None and self._client in writable:
            self._write_client()
        if self._listener in readable:
            self._accept()

    def _read_console(self) -> None:
        try:
            output = os.read(self._micropython.console, _CHUNK)
        except BlockingIOError:
            return
        except OSError:  # the process has ended: a soft reset
            self._pass_on(b"\r\nMPY: soft reboot\r\n")
            self._restart(hard=False)
            return
        before = b"\r" if self._seen.endswith(b"\r") else b""
        output = re.sub(rb"(?<!\r)\n", b"\r\n", before + output)[len(before) :]  # as a camera's print() does
        self._seen = (self._seen + output)[-_CHUNK:]
        if self._seen.endswith(PROMPTS):
            self._prompt_due = 0.0
        raw, friendly = self._seen.rfind(RAW_BANNER), self._seen.rfind(FRIENDLY_PROMPT)
        if self._entering_raw:
            if raw < 0:
                return  # the friendly REPL's greeting, which a camera in the raw REPL does not print
            output, self._entering_raw = self._seen[raw:], False
        if raw != friendly:
            self._raw = raw > friendly
        self._pass_on(output)

    def _restart(self, *, hard: bool) -> None:
        self._micropython.end()
        self._seen = b""
        self._micropython = self._start_micropython(hard)
        self._entering_raw = self._raw
        if self._raw:
            self._to_camera = CTRL_A + self._to_camera

    def _pass_on(self, output: bytes) -> None:
        if self._client is not None:  # what a camera prints while nobody listens is lost
            self._to_client += output

    def _read_client(self) -> None:
        assert self._client is not None
        try:
            data = self._client.recv(_CHUNK)
            # Acknowledge at once: pyserial's next small write waits for it (Nagle), by default 40 ms.
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        except OSError:
            data = b""
        if data:
            self._to_camera += data
        else:
            self._client.close()
            self._client, self._to_client = None, b""

    def _write_client(self) -> None:
        assert self._client is not None
        try:
            self._to_client = self._to_client[self._client.send(self._to_client) :]
        except OSError:
            self._to_client = b""  # reading will tell that it is gone

    def _send_to_camera(self) -> None:
        if not self._to_camera:
            return
        if self._micropython.is_reading():
            if time.monotonic() < self._prompt_due:
                return
            switch = _SWITCHES["raw" if self._raw else "friendly"].search(self._to_camera)
            part = self._to_camera[: switch.end()] if switch else self._to_camera
            try:
                sent = os.write(self._micropython.console, part)
            except BlockingIOError:
                return
            self._to_camera = self._to_camera[sent:]
            if switch and sent == len(part):
                self._prompt_due = time.monotonic() + _NO_PROMPT
        elif CTRL_C in self._to_camera and self._micropython.hardware.ready.is_set():
            self._micropython.interrupt()
            self._to_camera = self._to_camera.rpartition(CTRL_C)[2]

    def _accept(self) -> None:
        connection = self._listener.accept()[0]
        while self._client is not None and select.select([self._client], [], [], 0)[0]:
            self._read_client()  # it may have gone without our notice
        if self._client is None:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._client = connection
        else:
            connection.close()  # a serial port has one user at a time
