"""Show a session as a web page. `server.py` runs on the PC, and the other files are for the browser. All files are part
of this project. The browser loads no files from other servers.
"""
