"""Read and write images and videos. `sources.py` reads images and videos from files, folders and webcams, and
`output.py` writes images and videos."""
