"""Connect a PC to OpenMV cameras.

serial_port.py  opens a camera's serial port
ports.py        finds the cameras that are plugged in
register.py     lists the virtual cameras that run on this PC
mpremote.py     runs mpremote and turns its errors into errors of this project
flash.py        describes the flash memory of /rom on each board
romfs.py        packs and reads ROMFS images, which contain a camera's read-only files
"""
