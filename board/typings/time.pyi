"""MicroPython's time and OpenMV's clock. https://docs.openmv.io/library/time.html"""

def ticks_ms() -> int:
    """Wraps around after some days: take differences by ticks_diff()."""

def ticks_us() -> int: ...
def ticks_diff(ticks1: int, ticks2: int) -> int:
    """ticks1 - ticks2."""

class clock:
    def tick(self) -> None:
        """A frame starts."""
    def fps(self) -> float:
        """A frame ends; frames per second so far."""
