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
        """Raises RuntimeError if the sensor lacks this format. Sensors without colour lack RGB565."""
    def framesize(self, framesize: int) -> None: ...
    def window(self, window: tuple[int, int]) -> None:
        """Set a region of (width, height) in the middle of the frame. The region is not larger than the frame."""
    def width(self) -> int:
        """Width of the frame in pixels. The window does not change it."""
    def height(self) -> int: ...
    def hmirror(self, enable: bool) -> None:
        """Exchange left and right, if the sensor is mounted mirrored."""
    def vflip(self, enable: bool) -> None:
        """Exchange top and bottom."""
    @overload
    def snapshot(self) -> Image:
        """Return the next image. It overwrites the last image in the frame buffer."""
    @overload
    def snapshot(self, *, time: int, frames: int = -1) -> None:
        """Skip frames for `time` milliseconds, while the sensor adapts its exposure."""
    @overload
    def snapshot(self, *, frames: int) -> None:
        """Skip `frames` frames and one more."""
