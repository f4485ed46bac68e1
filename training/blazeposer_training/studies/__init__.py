"""Compare network architectures and methods of quantization, for decisions about the network's design."""
