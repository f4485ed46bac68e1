"""Read the records that a camera streams. A camera streams one record for each frame, as a line of JSON or in packed
form.

record.py  writes and parses JSON lines, and reads them from a port
packed.py  reads the packed record of a Protocol V2 channel
"""
