"""Synthetic scenes with known poses: `portrait.py` draws a textured head that turns, in the poses of `sequence.py`."""
