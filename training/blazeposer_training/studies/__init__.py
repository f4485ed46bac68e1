"""What was tried before deciding: the levers on size, the ablations of heads and losses."""
