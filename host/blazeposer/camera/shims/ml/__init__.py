# Imitates OpenMV's `ml` of firmware 5.0. The network itself runs on the PC, in the real TFLite Micro.

import os as _os
from array import array as _array

from _link import ask as _ask
from _link import refuse as _refuse
from image import Image as _Image
from ulab.numpy import ndarray as _ndarray

from . import preprocessing


class Model:
    def __init__(self, path, postprocess=None):
        size = _os.stat(path)[6]  # raises OSError if the file does not exist
        if not path.startswith("/"):
            path = _os.getcwd().rstrip("/") + "/" + path
        self._path = path
        network = _ask("load", path=path)
        self._network = network["network"]
        self._postprocess = postprocess
        self.len = size
        self.input_shape = [tuple(shape) for shape in network["input_shape"]]
        self.input_dtype = ["b"]
        self.input_scale = network["input_scale"]
        self.input_zero_point = network["input_zero_point"]
        self.output_shape = [tuple(shape) for shape in network["output_shape"]]
        self.output_dtype = ["b"] * len(self.output_shape)
        self.output_scale = network["output_scale"]
        self.output_zero_point = network["output_zero_point"]
        # Memory of the output tensors. Every prediction overwrites the last prediction.
        self._tensors = [_array("b", bytes(length)) for length in network["output_length"]]

    @property
    def ram(self):  # bytes of the arena, as TFLite Micro counts them on the PC
        return _ask("arena", path=self._path)["bytes"]

    def predict(self, inputs, callback=None):
        if callback is not None:
            _refuse("predict() with a callback")
        if not isinstance(inputs, (list, tuple)) or len(inputs) != 1:
            _refuse("predict() except with a list of one input")
        source = inputs[0]
        if isinstance(source, _Image):
            source = preprocessing.Normalization()(source)
        if not isinstance(source, preprocessing.Normalization):
            _refuse("inputs except images")
        _ask("predict", self._tensors, network=self._network, frame=source._image._frame, roi=source.roi)
        if self._postprocess is not None:  # the post-processor gets raw int8 views of the tensor memory
            views = [_ndarray(t, s) for t, s in zip(self._tensors, self.output_shape)]
            return self._postprocess(self, [source], views)
        return [
            _ndarray(_array("f", [(q - zero) * scale for q in tensor]), shape)
            for tensor, shape, scale, zero in zip(
                self._tensors, self.output_shape, self.output_scale, self.output_zero_point
            )
        ]
