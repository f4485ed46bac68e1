"""Only cameras with an STM32H7 have this module. https://docs.openmv.io/library/pyb.html"""

from typing import overload

@overload
def usb_mode() -> str: ...
@overload
def usb_mode(modestr: str) -> None: ...

class USB_HID:
    def send(self, data: tuple[int, int, int, int]) -> None:
        """Send a mouse's report: buttons (left 1, right 2), then right, down and wheel, each -127 to 127."""
