# The little of ulab.numpy that the board's scripts use (behaviour after ulab 6.12, code/ndarray.c and compare.c).

from array import array as _array

from _link import refuse as _refuse

_DTYPES = "bBhHf?"  # int8, uint8, int16, uint16, float32, bool: there is no int32
_MAX_DIMS = 4


class ndarray:
    """A row-major array on a flat buffer. Scripts cannot build one here: they get them from `ml` and from functions."""

    def __init__(self, values, shape, dtype, offset=0):
        if dtype not in _DTYPES:
            _refuse("dtype " + dtype)
        if not 1 <= len(shape) <= _MAX_DIMS:
            raise ValueError("maximum number of dimensions is 4")
        self._values = values
        self._offset = offset
        self._dtype = dtype
        self.shape = tuple(shape)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        key = key if isinstance(key, tuple) else (key,)
        if not all(isinstance(index, int) for index in key):
            _refuse("slices of arrays")
        if len(key) > len(self.shape):
            raise IndexError("too many indices")
        position = 0
        for axis, length in enumerate(self.shape):
            index = key[axis] if axis < len(key) else 0
            if index < -length or index >= length:
                raise IndexError("index is out of bounds")
            position = position * length + index % length
        if len(key) == len(self.shape):
            return self._values[self._offset + position]
        return ndarray(self._values, self.shape[len(key) :], self._dtype, self._offset + position)  # a view

    def __iter__(self):
        return iter([self[index] for index in range(len(self))])

    def __ge__(self, number):
        if not isinstance(number, (int, float)):
            _refuse("comparing arrays but with a number")
        values = [self._values[self._offset + i] >= number for i in range(_size(self.shape))]
        return ndarray(values, self.shape, "?")


def nonzero(a):
    """One uint16 array of indices for each dimension."""
    if not isinstance(a, ndarray):
        _refuse("nonzero of anything but an array")
    axes = [_array("H") for _ in a.shape]
    for position in range(_size(a.shape)):
        if a._values[a._offset + position]:
            for axis in range(len(axes) - 1, -1, -1):
                axes[axis].append(position % a.shape[axis])
                position //= a.shape[axis]
    return tuple([ndarray(indices, (len(indices),), "H") for indices in axes])


def _size(shape):
    size = 1
    for length in shape:
        size *= length
    return size
