"""Studies for decisions in the design: settings that change the network's size, and ways to quantize."""
