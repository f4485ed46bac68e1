"""Run a virtual camera, which imitates a camera with OpenMV's firmware. Like a real camera, the virtual camera has a
serial port and runs the real MicroPython.

    with VirtualCamera(frames) as camera:
        copy_to_camera(camera.port)  # the real mpremote, as to a real camera
        reset(camera.port)
        for record in read_records(camera.port): ...

A virtual camera runs the scripts in `board/` in the real MicroPython, and mpremote can use MicroPython's REPL. The real
TensorFlow Lite Micro computes the network's outputs. In a virtual camera, OpenMV's modules (in `shims/`) and the sensor
with its images are only imitations. The frame rate and the memory of a virtual camera differ from those of a real
camera.

- `virtual.py` switches the virtual camera on and off, resets it and unplugs its cable.
- `device.py` describes the board, the serial number and the drives of the virtual camera.
- `bridge.py` transfers bytes between the USB cable and MicroPython's REPL.
- `cable.py` imitates the USB cable with a pseudo-terminal.
- `protocol_port.py` handles OpenMV's Protocol V2 on the virtual camera's serial port, and uses `packets.py` and
  `channels.py`.
- `micropython.py` starts the virtual camera's MicroPython process.
- `confined.py` runs in MicroPython's process, and prevents MicroPython from opening the user's files.
- `hardware.py` prepares images and runs the network, as a real camera does in hardware or in C code.
- `sensor.py` converts an image of any size into the pixels of the camera's frame buffer.
- `drawing.py` draws on the camera's images when a script calls a draw function.
- `showing.py` prints a line of text for each change that a script makes to an LED, a pin, a bus, the screen or a drive.
- The folder `shims/` imitates the parts of OpenMV's modules that camera scripts use.
"""

from blazeposer.camera.sensor import view
from blazeposer.camera.virtual import VirtualCamera
from blazeposer.openmv.mpremote import copy_to_camera, reset

__all__ = ["VirtualCamera", "copy_to_camera", "reset", "view"]
