"""Images and videos: `sources.py` reads them from files, folders and webcams, `output.py` writes them."""
