# Names that main.py has of the firmware's module; MIRROR, which uses them, is off.

HMIRROR = 1
