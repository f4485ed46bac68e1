"""https://docs.openmv.io/library/micropython.html"""

from typing import TypeVar

_T = TypeVar("_T")

def const(expr: _T) -> _T: ...
