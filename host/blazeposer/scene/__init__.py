"""Draw synthetic scenes that show heads with known poses. The module `sequence.py` defines the poses of the heads, and
`portrait.py` draws a textured head in a given pose."""
