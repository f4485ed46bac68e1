"""A virtual camera: real MicroPython behind a serial-like link, with stand-ins for the sensor and OpenMV's modules.

    with VirtualCamera(frames) as camera:
        copy_to_camera(camera.port)  # the real mpremote, as to a real camera
        reset(camera.port)
        for record in read_records(camera.port): ...

Real are MicroPython and its REPL, mpremote, the scripts in `board/` and the network's output (TensorFlow Lite Micro).
Stand-ins are the modules in `shims/`, the images, and all speed and memory: frame rates are not a camera's.

    virtual.py      the camera: switch on, reset, pull the cable, switch off
    device.py       its board, number and stores
    bridge.py       its USB: a cable on one side, MicroPython's terminal on the other
    cable.py        the cable: a pseudo-terminal
    protocol.py     OpenMV's Protocol V2 at the same port: packets.py, and the channels.py behind them
    micropython.py  the MicroPython process
    confined.py     what runs in it: MicroPython, and nothing of the PC in its reach
    hardware.py     what a camera does in hardware or C: images, their preparation, the network
    sensor.py       from an image to the frame buffer
    drawing.py      what scripts draw on it
    showing.py      what scripts do, in words
    shims/          OpenMV's modules for MicroPython, as far as the scripts use them
"""

from blazeposer.camera.sensor import view
from blazeposer.camera.virtual import VirtualCamera
from blazeposer.openmv.mpremote import copy_to_camera, reset

__all__ = ["VirtualCamera", "copy_to_camera", "reset", "view"]
