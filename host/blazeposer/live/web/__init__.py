"""A session as a page: `server.py` on the PC, and the files for the browser, all of them ours."""
