"""MicroPython's time and OpenMV's clock. https://docs.openmv.io/library/time.html"""

def ticks_ms() -> int:
    """Milliseconds, which wrap around after some days. ticks_diff() gives differences."""

def ticks_us() -> int: ...
def ticks_diff(ticks1: int, ticks2: int) -> int:
    """Return ticks1 - ticks2."""

class clock:
    def tick(self) -> None:
        """Note the start of a frame."""
    def fps(self) -> float:
        """Note the end of a frame, and return the frames per second."""
