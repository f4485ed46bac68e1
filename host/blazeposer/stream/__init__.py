"""The record that a camera streams for each frame, in every form.

record.py  JSON lines: written, read from a port, parsed
packed.py  the packed record of a Protocol V2 channel
"""
