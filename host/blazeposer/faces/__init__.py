"""Find faces in an image and follow them over time.

    detector.py   an image to faces
    tracker.py    faces of successive frames to tracks with ids
    one_euro.py   the filter that steadies points and rotations
    closer.py     the part of the next frame that the network looks at
    position.py   centimetres, and angles to the camera's axis

`board/tracking.py` and `board/one_euro.py` track on a camera.
"""

from blazeposer.faces.tracker import Track, Tracker

__all__ = ["Track", "Tracker"]
