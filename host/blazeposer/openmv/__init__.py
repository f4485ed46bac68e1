"""Connect a PC to OpenMV cameras."""
