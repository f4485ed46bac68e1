"""Studies behind the design: the levers on size, the ways to quantize."""
