"""Find faces in an image, and follow the faces over time.

- `detector.py` finds the faces in an image.
- `looks.py` runs the network on an image and, if required, on its mirror image, and averages the results.
- `search.py` finds small faces in enlarged parts of a still image.
- `tracker.py` follows faces in successive frames and smooths the values of the faces. It uses the same modules as the
  camera.
- `position.py` computes the positions of heads in centimetres, and the angles of heads relative to the camera's axis.
"""
