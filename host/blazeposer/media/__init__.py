"""Read and write images and videos. The module `sources.py` reads images and videos from files, folders and webcams.
The module `output.py` writes images and videos to files."""
