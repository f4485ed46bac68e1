"""The record that a camera streams for each frame, as JSON and in packed form.

record.py  writes and parses JSON lines, and reads them from a port
packed.py  reads the packed record of a Protocol V2 channel
"""
