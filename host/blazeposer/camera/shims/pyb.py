# Imitates the USB mouse of OpenMV's `pyb`. Only cameras with an STM32H7 have this module.
# The behaviour follows docs.openmv.io, pyb.usb_mode, pyb.hid_mouse and pyb.USB_HID.

from _link import ask as _ask
from _link import refuse as _refuse

_mode = "VCP+MSC"


def usb_mode(modestr=None):
    global _mode
    if modestr is None:
        return _mode
    if modestr not in ("VCP+MSC", "VCP+HID"):
        _refuse("USB modes except VCP+MSC and VCP+HID")
    _mode = modestr


class USB_HID:
    def __init__(self):
        if "HID" not in _mode:
            _refuse("USB_HID in a USB mode without HID")

    def send(self, data):
        buttons, dx, dy, wheel = data
        if not 0 <= buttons <= 7 or not all(isinstance(n, int) and -127 <= n <= 127 for n in (dx, dy, wheel)):
            _refuse("mouse reports with values that a mouse cannot send")
        _ask("write", to="USB HID", value=list(data))
