"""https://docs.openmv.io/library/deflate.html"""

from typing import IO

ZLIB: int

class DeflateIO:
    def __init__(self, stream: IO[bytes], format: int) -> None: ...
    def read(self, size: int) -> bytes: ...
    def readline(self) -> bytes: ...
