"""Images. https://docs.openmv.io/library/omv.image.html"""

_Color = tuple[int, int, int]

GRAYSCALE: int
RGB565: int
HMIRROR: int
CENTER: int
SCALE_ASPECT_KEEP: int

class Image:
    def __init__(self, width: int, height: int, pixformat: int, *, buffer: bytearray) -> None: ...
    def width(self) -> int: ...
    def height(self) -> int: ...
    def scale(self, *, hint: int = 0, copy: bool = False) -> Image:
        """Scale in place, or into a copy with `copy`. The hint HMIRROR exchanges left and right."""
    def save(self, path: str) -> Image:
        """Write a file. The ending of its name decides the format. Raises OSError if the drive is full."""
    # Firmware 5.0 takes whole pixels in one tuple. Older firmware took separate arguments.
    def draw_rectangle(self, rectangle: tuple[int, int, int, int], color: _Color = ..., thickness: int = 1) -> Image:
        """`rectangle` is x, y, width, height."""
    def draw_line(self, line: tuple[int, int, int, int], color: _Color = ..., thickness: int = 1) -> Image:
        """`line` is x0, y0, x1, y1."""
    def draw_circle(self, circle: tuple[int, int, int], color: _Color = ..., thickness: int = 1) -> Image:
        """`circle` is x, y, radius."""
    def draw_string(self, position: tuple[int, int], text: str, color: _Color = ..., scale: float = 1) -> Image:
        """Letters have 8x10 pixels times `scale`. `position` is the top left corner x, y."""
