"""Find faces in an image and follow them over time.

detector.py   finds the faces in an image
looks.py      runs the network once or twice on an image, and averages two results
search.py     finds small faces in a still image, in enlarged parts of the image
tracker.py    follows faces in successive frames and smooths their values, with the modules of the camera
position.py   computes positions in centimetres, and angles relative to the camera's axis
"""
