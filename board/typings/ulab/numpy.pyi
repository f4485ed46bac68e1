"""Arrays. https://micropython-ulab.readthedocs.io"""

from collections.abc import Iterator
from typing import Any

class ndarray:
    shape: tuple[int, ...]

    def __len__(self) -> int: ...
    def __getitem__(self, key: int | tuple[int, ...]) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
