"""Connect a PC to OpenMV cameras.

- `serial_port.py` opens a camera's serial port.
- `ports.py` finds the cameras that are plugged in.
- `register.py` lists the virtual cameras that run on this PC.
- `mpremote.py` runs the tool mpremote and turns its errors into exceptions of this project.
- `flash.py` describes, for each board, the flash memory that holds the folder /rom.
- `romfs.py` packs and reads images of MicroPython's read-only file system (ROMFS).
"""
