"""What was tried before deciding: the levers on size, the ways to quantize."""
