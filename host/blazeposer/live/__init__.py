"""Run a live session. The main loop (`session.py`) reads pose records from a link (`links.py`), tracks and smooths the
faces, and passes them to views and outputs."""
