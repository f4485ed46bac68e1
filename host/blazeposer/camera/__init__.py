"""Run a virtual camera, which imitates a camera with OpenMV's firmware. The virtual camera has a serial port, and runs
the real MicroPython.

    with VirtualCamera(frames) as camera:
        copy_to_camera(camera.port)  # the real mpremote, as to a real camera
        reset(camera.port)
        for record in read_records(camera.port): ...

These parts are real: MicroPython with its REPL, mpremote, the scripts in `board/`, and TensorFlow Lite Micro, which
computes the network's output. The modules in `shims/`, the images, the speed and the memory are imitations. The frame
rates of a virtual camera therefore differ from those of a real camera.

- `virtual.py` switches the camera on and off, resets the camera and unplugs its cable.
- `device.py` describes the board, the serial number and the drives.
- `bridge.py` carries bytes between the cable and MicroPython's terminal.
- `cable.py` imitates the USB cable by a pseudo-terminal.
- `protocol_port.py` speaks OpenMV's Protocol V2 at the camera's port, with `packets.py` and `channels.py`.
- `micropython.py` starts MicroPython.
- `confined.py` prevents MicroPython from opening the PC's files. It runs in MicroPython's process.
- `hardware.py` does the work of a camera's hardware and C code: it prepares images and runs the network.
- `sensor.py` converts an image into the frame buffer.
- `drawing.py` draws on images for scripts.
- `showing.py` prints a line of text for each action of a script.
- `shims/` imitates the parts of OpenMV's modules that the scripts use.
"""

from blazeposer.camera.sensor import view
from blazeposer.camera.virtual import VirtualCamera
from blazeposer.openmv.mpremote import copy_to_camera, reset

__all__ = ["VirtualCamera", "copy_to_camera", "reset", "view"]
