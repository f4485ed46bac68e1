"""Do the work that a real camera does in hardware or in C: take and prepare images, and run the network.

MicroPython sends requests through `shims/_link.py`. A request contains a length (4 bytes, big endian) and a JSON text
of this length. An answer contains a length, a JSON text of this length, and sometimes raw bytes.
"""

import base64
import json
import math
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from blazeposer.camera import drawing
from blazeposer.camera.device import Device
from blazeposer.camera.protocol_port import ProtocolPort
from blazeposer.camera.sensor import Frames, view
from blazeposer.core.contract import INPUT_SCALE, INPUT_SIZE, INPUT_ZERO_POINT, OUTPUTS
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.prepare import Image, as_rgb, camera_input, from_rgb565
from blazeposer.openmv import romfs
from blazeposer.tflite.arena import measure_arena
from blazeposer.tflite.check import STEDGEAI_MAGIC
from blazeposer.tflite.firmware import ETHOS_U
from blazeposer.tflite.interpreter import Network, open_network

Answer = dict[str, Any]


class Hardware:
    """The hardware during one run of MicroPython. After an event of this class has been set, `wake` is called."""

    def __init__(self, frames: Frames, device: Device, protocol: ProtocolPort, wake: Callable[[], None]) -> None:
        self._frames = frames
        self.device = device
        self._protocol = protocol
        self._wake = wake
        self._networks: list[Network] = []
        self._snapshots = 0
        self._picture: Image | None = None
        self.ready = threading.Event()
        """Event that is set when MicroPython has mounted its drives and will run boot.py next."""
        self.reset = threading.Event()
        """Event that is set when a script has called machine.reset()."""
        self._listener, self.address = device.listen("hardware")
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        try:
            self._listener.shutdown(socket.SHUT_RDWR)  # ends accept(), which waits in the thread
        finally:
            self._listener.close()
            (self.device.folder / self.address).unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            with connection, connection.makefile("rb") as questions:
                try:
                    while length := questions.read(4):
                        question = json.loads(questions.read(struct.unpack(">I", length)[0]))
                        answer = self._answer(question)
                        values, data = ({}, answer) if isinstance(answer, bytes) else (answer or {}, b"")
                        text = json.dumps(values).encode()
                        connection.sendall(struct.pack(">I", len(text)) + text + data)
                except (OSError, ValueError, struct.error):
                    pass  # MicroPython was interrupted during a request, and will connect again

    def _answer(self, question: dict[str, Any]) -> Answer | bytes | None:
        try:
            return getattr(self, "_on_" + question.pop("question"))(**question)
        except Exception as error:  # the script gets the error, and prints it on the camera's console
            reason = str(error) if isinstance(error, BlazePoserError) else repr(error)
            return {"error": reason}

    def _on_hello(self) -> Answer:
        device, board = self.device, self.device.board
        return {
            "version": device.version,
            "gray": device.gray,
            "id": device.serial,
            "board_type": board.board_type,
            "arch": board.omv_arch,
            "pyb": board.pyb,
            "drives": device.drives,
            "flash": device.flash,
        }

    def _on_started(self) -> None:
        self.ready.set()
        self._wake()

    def _on_reset(self) -> None:
        self.reset.set()
        self._wake()

    def _on_active(self) -> Answer:
        return {"active": self._protocol.is_active}

    def _on_register(self, name: str) -> Answer:
        return {"address": self._protocol.register(name)}

    def _on_snapshot(self, size: list[int], window: list[int], gray: bool, turned: list[bool]) -> Answer:
        if self._picture is not None:  # show the last image with everything that the script drew on it
            self._protocol.stream.show(self._picture, gray)
        frames, number = self._frames, self._snapshots
        picture = frames(number) if callable(frames) else frames[number % len(frames)]
        self._snapshots += 1
        x, y, w, h = window
        self._picture = view(picture, (size[0], size[1]), (x, y, w, h), gray=gray)
        for axis, back in enumerate(turned):  # rows, columns
            if back:
                self._picture = np.flip(self._picture, axis).copy()
        return {"frame": self._snapshots}

    def _on_picture(self, width: int, height: int, pixels: str) -> Answer:
        data = base64.b64decode(pixels)
        if len(data) == width * height:
            self._picture = as_rgb(np.frombuffer(data, np.uint8).reshape(height, width))
        else:
            self._picture = from_rgb565(data, width, height)
        self._snapshots += 1
        return {"frame": self._snapshots}

    def _on_rename(self, old: str, new: str) -> None:
        """Rename a file. A file that already has the new name is deleted (MicroPython, extmod/vfs_fat.c)."""
        self.device.path(old).replace(self.device.path(new))

    def _on_load(self, path: str) -> Answer:
        file = self._file(path)
        data = file.read_bytes()
        if data.startswith(STEDGEAI_MAGIC) or ETHOS_U.encode() in data:
            raise BlazePoserError(f"{path}: is compiled for an NPU, and the virtual camera has none")
        network = open_network(file, runtime="micro")
        if not network.is_int8:
            raise BlazePoserError(f"{path}: the virtual camera runs INT8 networks only, not this float one")
        self._networks.append(network)
        scales, zero_points = zip(*network.quantization, strict=True)
        return {
            "network": len(self._networks) - 1,
            "input_shape": [(1, INPUT_SIZE, INPUT_SIZE, 3)],
            "input_scale": [INPUT_SCALE],
            "input_zero_point": [INPUT_ZERO_POINT],
            "output_shape": [output.shape for output in OUTPUTS],
            "output_length": [math.prod(output.shape) for output in OUTPUTS],
            "output_scale": scales,
            "output_zero_point": zero_points,
        }

    def _on_arena(self, path: str) -> Answer:
        return {"bytes": measure_arena(self._file(path)).total}

    def _file(self, path: str) -> Path:
        """Return the path of a model on this PC. If the model is in ROMFS, first copy the model to a file."""
        device = self.device
        if not path.startswith("/rom/"):
            if device.board.npu == "neural-art":
                raise BlazePoserError(f"{path}: an N6 loads models from /rom only (openmv issue 3272)")
            return device.path(path)
        file = romfs.read(device.rom.read_bytes())[path.removeprefix("/rom/")]
        if file.offset % device.board.romfs_align:  # on a camera, the first inference would fail
            raise BlazePoserError(f"{path}: lies at {file.offset}, no multiple of {device.board.romfs_align}")
        copy = device.folder / "model in rom"
        copy.write_bytes(file.data)
        return copy

    def _on_predict(self, network: int, frame: int, roi: list[int]) -> bytes:
        x, y, w, h = roi
        region = self._frame_buffer(frame)[y : y + h, x : x + w]
        if min(x, y) < 0 or region.shape[:2] != (h, w) or not region.size:
            raise BlazePoserError("the region of interest is not inside the image")
        # Firmware 5.0 stretches the region bilinearly into RGB565, then writes pixel ^ 0x80, as `to_int8` does.
        outputs = self._networks[network].run(camera_input(region))
        return b"".join(output.tobytes() for output in outputs)

    def _on_draw(self, frame: int, shape: str, **arguments: Any) -> None:
        drawing.draw(self._frame_buffer(frame), shape, **arguments)

    def _on_mirror(self, frame: int) -> None:
        self._picture = self._frame_buffer(frame)[:, ::-1].copy()

    def _on_jpeg(self, frame: int) -> Answer:
        bgr = cv2.cvtColor(self._frame_buffer(frame), cv2.COLOR_RGB2BGR)
        return {"jpeg": base64.b64encode(cv2.imencode(".jpg", bgr)[1].tobytes()).decode()}

    def _on_show(self, frame: int, width: int, height: int) -> None:
        self.device.write("display", drawing.fitted(self._frame_buffer(frame), width, height))

    def _on_write(self, to: str, value: Any) -> None:
        self.device.write(to, value)

    def _frame_buffer(self, frame: int) -> Image:
        if frame != self._snapshots or self._picture is None:
            raise BlazePoserError("this image is gone: a snapshot overwrites the last one in the frame buffer")
        return self._picture
