# Imitates a camera's `os`: the unix build's `os` without its shell, its environment and the PC's own files.
# The names are those of a camera (MicroPython 1.28, extmod/modos.c).

from os import (
    VfsFat,
    VfsLfs2,
    chdir,
    getcwd,
    ilistdir,
    listdir,
    mkdir,
    mount,
    remove,
    rename,
    rmdir,
    sep,
    stat,
    statvfs,
    umount,
    unlink,
    urandom,
)
