"""A session as a web page: `server.py` runs on the PC, the other files are for the browser. All files are this
project's own."""
