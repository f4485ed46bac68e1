"""From faces picture by picture to people over time: who is who, steady numbers, a closer look, a place in the room.

    tracker.py    ids by overlap, each track smoothed
    one_euro.py   the filter, on points and on rotations
    closer.py     which part of the next picture the network looks at
    position.py   centimetres, and angles to the camera's axis

`board/tracking.py` and `board/one_euro.py` do the first three on a camera.
"""

from blazeposer.tracking.tracker import Track, Tracker

__all__ = ["Track", "Tracker"]
