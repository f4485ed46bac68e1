"""Draw synthetic scenes with known poses. `sequence.py` defines the poses, and `portrait.py` draws a textured head in
these poses."""
