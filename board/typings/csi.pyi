"""The camera sensor. https://docs.openmv.io/library/omv.csi.html"""

from typing import overload

from image import Image

RGB565: int
GRAYSCALE: int
QVGA: int
"""320x240 on most sensors, 320x200 on some."""
VGA: int

class CSI:
    def reset(self) -> None: ...
    def pixformat(self, pixformat: int) -> None:
        """A RuntimeError if the sensor lacks it, as those without colour do RGB565."""
    def framesize(self, framesize: int) -> None: ...
    def window(self, window: tuple[int, int]) -> None:
        """A region of (width, height) in the middle of the frame, cut to it."""
    def width(self) -> int:
        """Of the frame, in pixels, whatever the window."""
    def height(self) -> int: ...
    def hmirror(self, enable: bool) -> None:
        """Left and right change places, if the sensor is mounted that way."""
    def vflip(self, enable: bool) -> None:
        """Top and bottom change places."""
    @overload
    def snapshot(self) -> Image:
        """The next picture, in the frame buffer: it overwrites the last one."""
    @overload
    def snapshot(self, *, time: int, frames: int = -1) -> None:
        """Skip the frames of so many milliseconds, while the sensor finds its exposure."""
    @overload
    def snapshot(self, *, frames: int) -> None:
        """Skip so many frames and one more."""
