"""A virtual camera: real MicroPython behind a serial port, with imitations of the sensor and of OpenMV's modules.

    with VirtualCamera(frames) as camera:
        copy_to_camera(camera.port)  # the real mpremote, as to a real camera
        reset(camera.port)
        for record in read_records(camera.port): ...

These parts are real: MicroPython and its REPL, mpremote, the scripts in `board/`, and the network's output (TensorFlow
Lite Micro). These parts are imitations: the modules in `shims/`, the images, and all speed and memory. So the frame
rates are not those of a camera.

    virtual.py        the camera: switch on, reset, unplug the cable, switch off
    device.py         the board, the serial number and the drives
    bridge.py         the USB link between the cable and MicroPython's terminal
    cable.py          the cable: a pseudo-terminal
    protocol_port.py  OpenMV's Protocol V2 at the same port, with packets.py and channels.py
    micropython.py    the MicroPython process
    confined.py       the program in this process: it keeps MicroPython away from the PC's files
    hardware.py       the work of a camera's hardware and C code: images, their preparation, the network
    sensor.py         the conversion of an image into the frame buffer
    drawing.py        the drawing of scripts on images
    showing.py        lines of text about the actions of scripts
    shims/            the parts of OpenMV's modules that the scripts use
"""

from blazeposer.camera.sensor import view
from blazeposer.camera.virtual import VirtualCamera
from blazeposer.openmv.mpremote import copy_to_camera, reset

__all__ = ["VirtualCamera", "copy_to_camera", "reset", "view"]
