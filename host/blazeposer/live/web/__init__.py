"""Show a live session as a web page, which loads no files from other servers."""
