"""Find faces in an image, and follow the faces over time."""
