"""Show a live session as a web page. In the folder `web/`, `server.py` runs on the PC, and the other files run in the
browser. All files of the web page are part of this project. The web page loads no files from other servers."""
