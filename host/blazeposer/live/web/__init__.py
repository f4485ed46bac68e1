"""A session as a page: `server.py` on the PC, and what the browser gets, all of it ours."""
