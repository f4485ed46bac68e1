"""Run a live session. The main loop (`session.py`) reads pose records from a link (`links.py`). A pose record contains
the faces of one frame. The main loop tracks and smooths the faces. Then it passes the faces to views, which show them
to people, and to outputs, which send them to other programs."""
