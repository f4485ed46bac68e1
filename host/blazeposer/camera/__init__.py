"""Run a virtual camera, which imitates a camera with OpenMV's firmware.

    with VirtualCamera(frames) as camera:
        copy_to_camera(camera.port)  # the real mpremote, as to a real camera
        reset(camera.port)
        for record in read_records(camera.port): ...

MicroPython and TensorFlow Lite Micro are the real programs. OpenMV's modules (in `shims/`), the sensor, the drives and
the USB cable are imitations. The frame rate and the memory of a virtual camera differ from those of a real camera.
"""

from blazeposer.camera.sensor import view
from blazeposer.camera.virtual import VirtualCamera
from blazeposer.openmv.mpremote import copy_to_camera, reset

__all__ = ["VirtualCamera", "copy_to_camera", "reset", "view"]
