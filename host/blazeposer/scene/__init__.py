"""Synthetic scenes with known poses: a textured head that turns, drawn by `portrait.py` along `sequence.py`."""
