"""Run a virtual camera, in which real MicroPython behind a serial port imitates a camera with OpenMV's firmware.

    with VirtualCamera(frames) as camera:
        copy_to_camera(camera.port)  # the real mpremote, as to a real camera
        reset(camera.port)
        for record in read_records(camera.port): ...

MicroPython with its REPL, mpremote, the scripts in `board/`, and the network's output (TensorFlow Lite Micro) are real.
The modules in `shims/`, the images, the speed and the memory are imitations. The frame rates of a virtual camera
therefore differ from those of a real camera.

- `virtual.py` switches the camera on and off, resets it and unplugs its cable.
- `device.py` describes the board, the serial number and the drives.
- `bridge.py` carries bytes between the cable and MicroPython's terminal.
- `cable.py` imitates the USB cable by a pseudo-terminal.
- `protocol_port.py` speaks OpenMV's Protocol V2 at the camera's port, with `packets.py` and `channels.py`.
- `micropython.py` starts MicroPython.
- `confined.py` runs in the process of MicroPython, and keeps MicroPython away from the PC's files.
- `hardware.py` does the work of a camera's hardware and C code: it prepares images and runs the network.
- `sensor.py` converts an image into the frame buffer.
- `drawing.py` draws on images for scripts.
- `showing.py` describes the actions of scripts in lines of text.
- `shims/` imitates the parts of OpenMV's modules that the scripts use.
"""

from blazeposer.camera.sensor import view
from blazeposer.camera.virtual import VirtualCamera
from blazeposer.openmv.mpremote import copy_to_camera, reset

__all__ = ["VirtualCamera", "copy_to_camera", "reset", "view"]
