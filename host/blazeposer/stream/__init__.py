"""Read the records that a camera streams. A camera streams one record for each frame, as a line of JSON or in packed
form.

- `record.py` writes and parses JSON lines, and reads JSON lines from a camera's port.
- `packed.py` reads packed records, which a camera sends over OpenMV's Protocol V2.
"""
