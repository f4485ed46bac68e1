"""Only cameras with an STM32H7 have this module. https://docs.openmv.io/library/pyb.html"""

from typing import overload

@overload
def usb_mode() -> str: ...
@overload
def usb_mode(modestr: str) -> None: ...

class USB_HID:
    def send(self, data: tuple[int, int, int, int]) -> None:
        """Send a mouse's report. The four numbers are the pressed buttons (1 for left, 2 for right), the movement to
        the right, the movement down, and the turn of the wheel. The last three numbers are from -127 to 127."""
