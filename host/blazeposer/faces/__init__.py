"""Find faces in an image and follow them over time.

detector.py   an image to faces
looks.py      one look at an image, or the mean of two
tracker.py    faces of successive frames to faces with ids, steadied
search.py     a still image to its small faces: looks at tiles, and at each face
closer.py     the part of the next frame that the network looks at
board.py      the camera's modules, which do the work of these two
position.py   centimetres, and angles to the camera's axis
"""
