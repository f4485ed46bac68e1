"""Find faces in an image and follow them over time.

detector.py   finds the faces in an image
looks.py      one look at an image, or the mean of two looks
search.py     finds small faces in a still image: looks at tiles, and at each face
tracker.py    ids, smoothing and a closer look in successive frames, with the modules of the camera
position.py   positions in centimetres, and angles relative to the camera's axis
"""
