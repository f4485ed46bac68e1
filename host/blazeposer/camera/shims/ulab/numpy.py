# Imitates the parts of ulab.numpy that the board's scripts use. The behaviour follows ulab 6.12, code/ndarray.c.

from _link import refuse as _refuse

_MAX_DIMS = 4


class ndarray(memoryview):
    """An array in row-major order. As in ulab, memoryview() of an array returns the array's flat buffer
    (ndarray_get_buffer)."""

    def __init__(self, values, shape):
        if not 1 <= len(shape) <= _MAX_DIMS:
            raise ValueError("maximum number of dimensions is 4")
        super().__init__(values)
        self._values = memoryview(values)
        self.shape = tuple(shape)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        key = key if isinstance(key, tuple) else (key,)
        if not all(isinstance(index, int) for index in key):
            _refuse("slices of arrays")
        if len(key) > len(self.shape):
            raise IndexError("too many indices")
        first, size = 0, len(self._values)
        for index, length in zip(key, self.shape):
            if index < -length or index >= length:
                raise IndexError("index is out of bounds")
            size //= length
            first += index % length * size
        if len(key) == len(self.shape):
            return self._values[first]
        return ndarray(self._values[first : first + size], self.shape[len(key) :])  # a view

    def __setitem__(self, key, value):
        _refuse("writing to elements of an array")

    def __iter__(self):
        return iter([self[index] for index in range(len(self))])
