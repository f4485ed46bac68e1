"""Pictures. https://docs.openmv.io/library/omv.image.html"""

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
        """In place without `copy`; the hint HMIRROR exchanges left and right."""
    def save(self, path: str) -> Image:
        """A file of the kind that the name ends with; an OSError if the drive is full."""
    # Firmware 5.0 takes whole pixels in one tuple; before, they were arguments of their own.
    def draw_rectangle(self, rectangle: tuple[int, int, int, int], color: _Color = ..., thickness: int = 1) -> Image:
        """x, y, width, height."""
    def draw_line(self, line: tuple[int, int, int, int], color: _Color = ..., thickness: int = 1) -> Image:
        """x0, y0, x1, y1."""
    def draw_circle(self, circle: tuple[int, int, int], color: _Color = ..., thickness: int = 1) -> Image:
        """x, y, radius."""
    def draw_string(self, position: tuple[int, int], text: str, color: _Color = ..., scale: float = 1) -> Image:
        """Letters of 8x10 pixels times `scale`, from the top left corner x, y on."""
