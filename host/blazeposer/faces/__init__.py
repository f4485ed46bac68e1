"""Find faces in an image and follow them over time.

detector.py   an image to faces
looks.py      one look at an image, or the mean of two
search.py     a still image to its small faces: looks at tiles, and at each face
tracker.py    ids, steady numbers and a closer look in successive frames, by the camera's modules
position.py   centimetres, and angles to the camera's axis
"""
