"""Neural networks. https://docs.openmv.io/library/omv.ml.html"""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, overload

from image import Image
from ml.preprocessing import Normalization
from ulab.numpy import ndarray

_T = TypeVar("_T")

class Model(Generic[_T]):
    """A network. `predict` returns the result of the post-processor, or the dequantized outputs without one.

    The post-processor is called with the model, the inputs and the raw int8 outputs. The next prediction overwrites the
    outputs.
    """

    @overload
    def __init__(self: Model[list[ndarray]], path: str) -> None: ...
    @overload
    def __init__(
        self, path: str, postprocess: Callable[[Model[_T], list[Normalization], list[ndarray]], _T]
    ) -> None: ...
    @property
    def len(self) -> int:
        """Size of the file in bytes."""
    @property
    def ram(self) -> int:
        """Size of the working memory in bytes. It is one block of the heap."""
    @property
    def input_shape(self) -> list[tuple[int, ...]]: ...
    @property
    def input_dtype(self) -> list[str]: ...
    @property
    def input_scale(self) -> list[float]: ...
    @property
    def input_zero_point(self) -> list[int]: ...
    @property
    def output_shape(self) -> list[tuple[int, ...]]: ...
    @property
    def output_dtype(self) -> list[str]: ...
    @property
    def output_scale(self) -> list[float]: ...
    @property
    def output_zero_point(self) -> list[int]: ...
    def predict(self, inputs: Sequence[Image | Normalization]) -> _T: ...
